import { createHmac, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { expect, test } from "bun:test";
import { FakeClock } from "../../base/index.ts";
import { createAuthenticator } from "./authenticate.ts";
import { parseOidcRule } from "./oidc-rule.ts";
import { createOidcVerifier } from "./oidc.ts";

const ISSUER = "https://issuer.example";
const NOW = Date.parse("2026-11-24T00:00:00Z");
const rule = { issuer: ISSUER, audiences: ["istio-ca", "other"], jwksUri: undefined };
const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const encode = (value: object | string): string => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

function token(key: KeyObject, claims: object = {}, header: object = { alg: "ES256", kid: "k1" }): string {
  const text = `${encode(header)}.${encode({ iss: ISSUER, aud: "istio-ca", sub: "system:serviceaccount:a:web", exp: NOW / 1000 + 60, ...claims })}`;
  return `${text}.${sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

function world(keys: Record<string, KeyObject>) {
  const fetched: string[] = [];
  const clock = new FakeClock(NOW);
  const verifier = createOidcVerifier(rule, {
    clock,
    fetchJson: (url) => {
      fetched.push(url);
      if (url.endsWith("openid-configuration")) return Promise.resolve({ issuer: ISSUER, jwks_uri: `${ISSUER}/keys` });
      return Promise.resolve({ keys: Object.entries(keys).map(([kid, key]) => ({ ...key.export({ format: "jwk" }), kid, use: "sig" })) });
    },
  });
  return { verifier, fetched, clock };
}

test("a token of the issuer proves the service account that its subject names; keys are fetched once", async () => {
  const { publicKey, privateKey } = newKey();
  const { verifier, fetched } = world({ k1: publicKey });
  const never = { review: () => Promise.reject(new Error("the API server was asked")) };
  const authenticator = createAuthenticator({ trustDomain: () => "cluster.local", tokens: never, oidc: verifier });
  for (let i = 0; i < 2; i++) {
    expect(await authenticator.authenticate({ verifiedUris: [], authorization: `Bearer ${token(privateKey)}` })).toMatchObject({
      spiffe: "spiffe://cluster.local/ns/a/sa/web",
      source: "oidc",
    });
  }
  expect(fetched).toEqual([`${ISSUER}/.well-known/openid-configuration`, `${ISSUER}/keys`]);
});

test("what is not signed by the issuer, for us, now, for a service account, is refused", async () => {
  const { publicKey, privateKey } = newKey();
  const { verifier } = world({ k1: publicKey });
  const none = `${encode({ alg: "none" })}.${encode({ iss: ISSUER, aud: "istio-ca", sub: "system:serviceaccount:a:web", exp: NOW / 1000 + 60 })}.`;
  // A public key taken for a shared secret: the classic confusion.
  const confused = `${encode({ alg: "HS256", kid: "k1" })}.${encode({ iss: ISSUER, aud: "istio-ca", sub: "system:serviceaccount:a:web", exp: NOW / 1000 + 60 })}`;
  const hmac = `${confused}.${createHmac("sha256", publicKey.export({ type: "spki", format: "pem" }))
    .update(confused)
    .digest("base64url")}`;
  for (const bad of [
    token(newKey().privateKey),
    token(privateKey, { aud: "api" }),
    token(privateKey, { aud: undefined }),
    token(privateKey, { exp: NOW / 1000 - 60 }),
    token(privateKey, { exp: undefined }),
    token(privateKey, { nbf: NOW / 1000 + 600 }),
    token(privateKey, { sub: "somebody" }),
    token(privateKey, { sub: "system:serviceaccount:a:web:more" }),
    token(privateKey, { sub: "system:serviceaccount::web" }),
    none,
    hmac,
  ]) {
    await expect(verifier.verify(bad)).rejects.toThrow("request authenticate failure");
  }
  expect(verifier.claims(token(privateKey, { iss: "https://other.example" }))).toBe(false);
  expect(verifier.claims("not.a.token")).toBe(false);
});

test("a new key is asked for, but not by every token that names one", async () => {
  const [first, second] = [newKey(), newKey()];
  const keys: Record<string, KeyObject> = { k1: first.publicKey };
  const { verifier, fetched, clock } = world(keys);
  await verifier.verify(token(first.privateKey));
  keys["k2"] = second.publicKey;
  const late = token(second.privateKey, {}, { alg: "ES256", kid: "k2" });
  await expect(verifier.verify(late)).rejects.toThrow("request authenticate failure");
  expect(fetched).toHaveLength(2);
  clock.advance(11_000);
  expect(await verifier.verify(late)).toEqual({ namespace: "a", serviceAccount: "web" });
});

test("JWT_RULE is Istio's; half a rule is refused", () => {
  expect(parseOidcRule(undefined)).toBeUndefined();
  expect(parseOidcRule('{"issuer":"https://i","jwks_uri":"https://i/k","audiences":["a"]}')).toEqual({
    issuer: "https://i",
    audiences: ["a"],
    jwksUri: "https://i/k",
  });
  for (const text of ["{", "[]", '{"issuer":"https://i"}', '{"issuer":"https://i","audiences":[]}', '{"audiences":["a"]}']) {
    expect(() => parseOidcRule(text)).toThrow(expect.objectContaining({ code: "OIDC_RULE_INVALID" }));
  }
});
