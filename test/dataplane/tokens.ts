import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";

/** JSON Web Tokens of this run, signed with ES256: their length does not depend on the key. */

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const other = generateKeyPairSync("ec", { namedCurve: "P-256" });

const NOW = Math.floor(Date.now() / 1000);
const DAY = 86_400;
const CLAIMS = { iss: "issuer@test", sub: "joe", aud: ["app", "web"], iat: NOW, exp: NOW + DAY };

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function token(claims: object, key: KeyObject = privateKey, kid = "k1"): string {
  const text = `${encode({ alg: "ES256", typ: "JWT", kid })}.${encode({ ...CLAIMS, ...claims })}`;
  return `${text}.${sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

export const TOKENS = {
  jwks: JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k1", alg: "ES256", use: "sig" }] }),
  good: token({}),
  expired: token({ iat: NOW - 2 * DAY, exp: NOW - DAY }),
  early: token({ nbf: NOW + DAY }),
  otherIssuer: token({ iss: "somebody@else" }),
  otherKey: token({}, other.privateKey, "k2"),
  none: `${encode({ alg: "none", typ: "JWT" })}.${encode(CLAIMS)}.`,
};
