import { expect, test } from "bun:test";
import { JwtAuthenticationSchema } from "../../proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts";
import { fromBinary } from "@bufbuild/protobuf";
import { jwtFilter } from "./jwt.ts";
import { hasUsableKey } from "./key-set.ts";

const key = { kty: "EC", crv: "P-256", x: "a", y: "b" };

test("a key set with one usable key is usable", () => {
  expect(hasUsableKey(JSON.stringify({ keys: [{ kty: "unknown" }, key] }))).toBe(true);
  expect(hasUsableKey(JSON.stringify({ keys: [{ kty: "oct", k: "a" }] }))).toBe(true);
  for (const text of [
    "",
    "{",
    "null",
    "[]",
    "{}",
    '{"keys":{}}',
    '{"keys":[]}',
    '{"keys":[null]}',
    '{"keys":[{"kty":"RSA","n":"a"}]}',
    '{"keys":[{"kty":"constructor"}]}',
  ])
    expect(hasUsableKey(text)).toBe(false);
});

test("a rule without usable keys refuses its issuer's tokens and leaves other rules as they are", () => {
  const good = JSON.stringify({ keys: [key] });
  const filter = jwtFilter(
    [
      { issuer: "bad", jwks: '{"keys":[]}' },
      { issuer: "good", jwks: good },
    ],
    { get: () => undefined, unusable: "nobody's" },
    false,
  );
  const { providers } = fromBinary(JwtAuthenticationSchema, filter?.typedConfig.value ?? new Uint8Array());
  expect(
    Object.values(providers).map(({ issuer, jwksSourceSpecifier: { value } }) => [issuer, (value as { specifier: { value: string } }).specifier.value]),
  ).toEqual([
    ["bad", "nobody's"],
    ["good", good],
  ]);
});
