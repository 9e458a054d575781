import { describe, expect, test } from "bun:test";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import fc from "fast-check";
import { FUZZ_TIMEOUT_MS, fuzz } from "../../test-support/fuzz.ts";
import { checkAudiences, checkTimes, KeySet, parseToken, type ParsedToken } from "./token.ts";

const parsed = (text: string): ParsedToken => {
  const token = parseToken(text);
  if (typeof token === "string") throw new Error(token);
  return token;
};

describe("tokens", () => {
  for (const alg of ["RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA"]) {
    test(`${alg}: signed by a known key, and by another`, async () => {
      const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
      const other = await generateKeyPair(alg, { extractable: true });
      const sign = (key: CryptoKey, kid?: string): Promise<string> =>
        new SignJWT({ sub: "me" })
          .setProtectedHeader({ alg, ...(kid ? { kid } : {}) })
          .setIssuer("i")
          .sign(key);
      const keys = new KeySet(
        JSON.stringify({
          keys: [
            { kty: "oct", k: "x" },
            { ...(await exportJWK(publicKey)), kid: "k1" },
          ],
        }),
      );
      expect(keys.verify(parsed(await sign(privateKey, "k1")))).toBeUndefined();
      expect(keys.verify(parsed(await sign(privateKey)))).toBeUndefined();
      expect(keys.verify(parsed(await sign(other.privateKey, "k1")))).toBe("Jwt verification fails");
      expect(keys.verify(parsed(await sign(privateKey, "k2")))).toBe("Jwks doesn't have key to match kid or alg from Jwt");
      const [head, , signature] = (await sign(privateKey, "k1")).split(".");
      const forged = `${head}.${Buffer.from(JSON.stringify({ sub: "you", iss: "i" })).toString("base64url")}.${signature}`;
      expect(keys.verify(parsed(forged))).toBe("Jwt verification fails");
    });
  }

  test("that are none, in Envoy's words", () => {
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    expect(parseToken("abc")).toBe("Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections");
    expect(parseToken("a!.b.c")).toBe("Jwt header is an invalid Base64url encoded");
    expect(parseToken("YWJj.b.c")).toBe("Jwt header is an invalid JSON");
    expect(parseToken(`${part({})}.e30.c`)).toBe("Jwt header [alg] field is required and must be a string");
    expect(parseToken(`${part({ alg: "none" })}.e30.aaaa`)).toBe("Jwt header [alg] is not supported");
    expect(parseToken(`${part({ alg: "HS256" })}.e30.aaaa`)).toBe("Jwt header [alg] is not supported");
    for (const alg of ["constructor", "__proto__", "toString", "rs256", "RS256 "])
      expect(parseToken(`${part({ alg })}.e30.aaaa`)).toBe("Jwt header [alg] is not supported");
    expect(parseToken(`${part({ alg: "RS256" })}.YWJj.aaaa`)).toBe("Jwt payload is an invalid JSON");
    expect(parseToken(`${part({ alg: "RS256" })}.e30.a`)).toBe("Jwt signature is an invalid Base64url encoded");
  });

  test("have their time and their audience", () => {
    const token = (payload: object): ParsedToken =>
      parsed(`${Buffer.from('{"alg":"RS256"}').toString("base64url")}.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.aaaa`);
    expect(checkTimes(token({ exp: 1000 }), 1060, 60)).toBeUndefined();
    expect(checkTimes(token({ exp: 1000 }), 1061, 60)).toBe("Jwt is expired");
    expect(checkTimes(token({ nbf: 1000 }), 939, 60)).toBe("Jwt not yet valid");
    expect(checkAudiences(token({ aud: ["a", "https://b/"] }), ["http://b"])).toBeUndefined();
    expect(checkAudiences(token({ aud: "a" }), ["b"])).toBe("Audiences in Jwt are not allowed");
    expect(checkAudiences(token({}), ["b"])).toBe("Audiences in Jwt are not allowed");
    expect(checkAudiences(token({}), [])).toBeUndefined();
  });

  test("a key set that is none is refused", () => {
    expect(() => new KeySet("x")).toThrow("Jwks is an invalid JSON");
    expect(() => new KeySet("{}")).toThrow("Jwks does not have [keys] field");
  });
});

test(
  "a changed token never verifies, and none makes the reader throw",
  async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
    const keys = new KeySet(JSON.stringify({ keys: [await exportJWK(publicKey)] }));
    const good = await new SignJWT({ sub: "me", aud: ["a"] }).setProtectedHeader({ alg: "ES256" }).sign(privateKey);
    const claims = parsed(good).payload;
    const change = fc.tuple(
      fc.nat(good.length - 1),
      fc.constantFrom("replace", "delete", "insert"),
      fc.oneof(fc.constantFrom(".", "=", "-", "_", "A", "+", "/", " ", "\n", "\u00e9"), fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 1 })),
    );
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        let text = good;
        for (const [at, kind, char] of changes) text = text.slice(0, at) + (kind === "delete" ? "" : char) + text.slice(kind === "insert" ? at : at + 1);
        const token = parseToken(text);
        if (typeof token === "string") return;
        // The last digits of a signature's text may hold bits that are no part of it.
        if (keys.verify(token) === undefined) expect(token.payload).toEqual(claims);
      }),
      fuzz("changed tokens", 1000, 10),
    );
  },
  FUZZ_TIMEOUT_MS,
);
