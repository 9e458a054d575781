import { createPublicKey, verify, constants, type KeyObject } from "node:crypto";
import { InvalidResource } from "../../types.ts";

/** Why a token is not accepted, in Envoy's words: they are the reply's body. */
export type JwtFailure =
  | "Jwks remote fetch is failed"
  | "Jwt is missing"
  | "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections"
  | "Jwt header is an invalid Base64url encoded"
  | "Jwt header is an invalid JSON"
  | "Jwt header [alg] field is required and must be a string"
  | "Jwt header [alg] is not supported"
  | "Jwt payload is an invalid Base64url encoded"
  | "Jwt payload is an invalid JSON"
  | "Jwt signature is an invalid Base64url encoded"
  | "Jwt issuer is not configured"
  | "Jwt verification fails"
  | "Jwks doesn't have key to match kid or alg from Jwt"
  | "Jwt is expired"
  | "Jwt not yet valid"
  | "Audiences in Jwt are not allowed";

export interface ParsedToken {
  readonly text: string;
  readonly header: { readonly [name: string]: unknown };
  readonly payload: { readonly [name: string]: unknown };
  readonly payloadText: string;
  readonly signed: string;
  readonly signature: Buffer;
}

interface Jwk {
  readonly key: KeyObject;
  readonly kid: string | undefined;
  readonly alg: string | undefined;
  readonly kty: string;
}

/** Envoy's limit: a longer token is no token. */
const MAX_TOKEN = 16 * 1024;

interface Algorithm {
  readonly hash: string | null;
  readonly kty: string;
  readonly options: { readonly padding?: number; readonly saltLength?: number; readonly dsaEncoding?: "ieee-p1363" };
}

const P1363 = { dsaEncoding: "ieee-p1363" } as const;
const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST } as const;
const ALGORITHMS: Record<string, Algorithm | undefined> = {
  RS256: { hash: "sha256", kty: "RSA", options: {} },
  RS384: { hash: "sha384", kty: "RSA", options: {} },
  RS512: { hash: "sha512", kty: "RSA", options: {} },
  PS256: { hash: "sha256", kty: "RSA", options: PSS },
  PS384: { hash: "sha384", kty: "RSA", options: PSS },
  PS512: { hash: "sha512", kty: "RSA", options: PSS },
  ES256: { hash: "sha256", kty: "EC", options: P1363 },
  ES384: { hash: "sha384", kty: "EC", options: P1363 },
  ES512: { hash: "sha512", kty: "EC", options: P1363 },
  EdDSA: { hash: null, kty: "OKP", options: {} },
};

/** A provider's public keys. Symmetric and private keys are not taken. */
export class KeySet {
  readonly #keys: Jwk[] = [];

  /** Throws InvalidResource for text that is no JWKS; keys of kinds that are not known are left out, as Envoy does. */
  constructor(text: string) {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch (cause) {
      throw new InvalidResource("INVALID_JWKS", "Jwks is an invalid JSON", { cause });
    }
    const keys = (parsed as { keys?: unknown } | null)?.keys;
    if (!Array.isArray(keys)) throw new InvalidResource("INVALID_JWKS", "Jwks does not have [keys] field or [keys] is not a list");
    for (const each of keys as { kty?: unknown; kid?: unknown; alg?: unknown }[]) {
      if (each.kty !== "RSA" && each.kty !== "EC" && each.kty !== "OKP") continue;
      try {
        this.#keys.push({
          key: createPublicKey({ key: each as JsonWebKey, format: "jwk" }),
          kid: typeof each.kid === "string" ? each.kid : undefined,
          alg: typeof each.alg === "string" ? each.alg : undefined,
          kty: each.kty,
        });
      } catch {
        // A key that cannot be read verifies nothing; the others of the set still count.
      }
    }
  }

  verify(token: ParsedToken): JwtFailure | undefined {
    const name = token.header["alg"] as string;
    const algorithm = ALGORITHMS[name] as Algorithm;
    const { kid } = token.header;
    const fitting = this.#keys.filter(
      (key) =>
        key.kty === algorithm.kty && (key.alg === undefined || key.alg === name) && (typeof kid !== "string" || key.kid === undefined || key.kid === kid),
    );
    if (fitting.length === 0) return "Jwks doesn't have key to match kid or alg from Jwt";
    const data = Buffer.from(token.signed, "latin1");
    return fitting.some((key) => verify(algorithm.hash, data, { key: key.key, ...algorithm.options }, token.signature)) ? undefined : "Jwt verification fails";
  }
}

/** Takes a compact token apart; nothing is verified yet. */
export function parseToken(text: string): ParsedToken | JwtFailure {
  const parts = text.split(".");
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || !header || !payload || !signature || text.length > MAX_TOKEN) {
    return "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections";
  }
  if (!isBase64Url(header)) return "Jwt header is an invalid Base64url encoded";
  const head = readJson(header);
  if (!head) return "Jwt header is an invalid JSON";
  const { alg } = head;
  if (typeof alg !== "string") return "Jwt header [alg] field is required and must be a string";
  if (!Object.hasOwn(ALGORITHMS, alg)) return "Jwt header [alg] is not supported";
  if (!isBase64Url(payload)) return "Jwt payload is an invalid Base64url encoded";
  const claims = readJson(payload);
  if (!claims) return "Jwt payload is an invalid JSON";
  if (!isBase64Url(signature)) return "Jwt signature is an invalid Base64url encoded";
  return { text, header: head, payload: claims, payloadText: payload, signed: `${header}.${payload}`, signature: Buffer.from(signature, "base64url") };
}

/** Whether the token is valid now, with some tolerance for clocks. */
export function checkTimes(token: ParsedToken, nowSeconds: number, skewSeconds: number): JwtFailure | undefined {
  const { exp, nbf } = token.payload;
  if (typeof nbf === "number" && nowSeconds + skewSeconds < nbf) return "Jwt not yet valid";
  if (typeof exp === "number" && nowSeconds > exp + skewSeconds) return "Jwt is expired";
  return undefined;
}

/** Envoy compares audiences without scheme and trailing slash. */
export function checkAudiences(token: ParsedToken, allowed: readonly string[]): JwtFailure | undefined {
  if (allowed.length === 0) return undefined;
  const { aud } = token.payload;
  const own = Array.isArray(aud) ? aud.filter((each) => typeof each === "string") : typeof aud === "string" ? [aud] : [];
  const bare = (text: string): string => text.replace(/^https?:\/\//, "").replace(/\/$/, "");
  const wanted = new Set(allowed.map(bare));
  return own.some((each) => wanted.has(bare(each))) ? undefined : "Audiences in Jwt are not allowed";
}

function isBase64Url(text: string): boolean {
  return /^[A-Za-z0-9_-]*$/.test(text) && text.length % 4 !== 1;
}

function readJson(part: string): { readonly [name: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
