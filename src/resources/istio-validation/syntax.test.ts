import { expect, test } from "bun:test";
import { celProblem } from "./cel.ts";
import { jwksProblem } from "./jwks.ts";
import { goUrl, requestUrl } from "./urls.ts";

test("expressions", () => {
  expect(celProblem("response.code >= 400 && has(a.b)")).toBeUndefined();
  const operand = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";
  expect(celProblem("")).toBe(`ERROR: <input>:1:0: Syntax error: mismatched input '<EOF>' expecting ${operand}`);
  expect(celProblem("a &&")).toBe(`ERROR: <input>:1:5: Syntax error: mismatched input '<EOF>' expecting ${operand}\n | a &&\n | ....^`);
  expect(celProblem("a b")).toBe("ERROR: <input>:1:3: Syntax error: extraneous input 'b' expecting <EOF>\n | a b\n | ..^");
  expect(celProblem("[a")).toBe("ERROR: <input>:1:3: Syntax error: mismatched input '<EOF>' expecting {']', ','}\n | [a\n | ..^");
});

test("sets of keys", () => {
  const problem = (text: string): string | undefined => jwksProblem(text)?.replace("jwks parse error: failed to unmarshal JWK set: ", "");
  expect(problem('{"keys":[{"kty":"RSA","e":"AQAB","n":"AA"}]}')).toBeUndefined();
  expect(problem('{"kty":"oct","k":"AA"}')).toBeUndefined();
  expect(problem("0s")).toBe("error reading token: EOF");
  expect(problem("a")).toBe("invalid character 'a' looking for beginning of value");
  expect(problem("[]")).toBe("expected '{', but got '['");
  expect(problem('{"keys":[')).toBe("unexpected EOF");
  expect(problem("{}")).toBe("failed to parse sole key in key set: invalid key type from JSON ()");
  expect(problem('{"keys":[{"kty":"X"}]}')).toBe('failed to decode key #0 in "keys": invalid key type from JSON (X)');
  expect(problem('{"keys":[{"kty":"RSA","e":"AQAB"}]}')).toBe(
    'failed to decode key #0 in "keys": failed to unmarshal JSON into key (*jwk.rsaPublicKey): required field n is missing',
  );
  expect(problem('{"keys":1}')).toBe('failed to decode "keys": json: cannot unmarshal number into Go value of type []json.RawMessage');
});

test("addresses", () => {
  expect(goUrl("https://a.b:80/c?d#e")).toEqual({ scheme: "https", host: "a.b:80" });
  expect(goUrl("a/b:c").problem).toBeUndefined();
  expect(goUrl("a:b/c")).toEqual({ scheme: "a", host: "" });
  expect(goUrl(":x").problem).toBe('parse ":x": missing protocol scheme');
  expect(goUrl("http://a:b").problem).toBe('parse "http://a:b": invalid port ":b" after host');
  expect(goUrl("http://a/%zz").problem).toBe('parse "http://a/%zz": invalid URL escape "%zz"');
  expect(requestUrl("a/b").problem).toBe('parse "a/b": invalid URI for request');
  expect(requestUrl("").problem).toBe('parse "": empty url');
  expect(requestUrl("oci://ghcr.io/a:1").scheme).toBe("oci");
});
