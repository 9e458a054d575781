import { jsonSyntaxProblem } from "../../base/index.ts";

interface Key {
  readonly kty?: unknown;
  readonly d?: unknown;
}

/** Fields that keys of a kind need, in the order in which they are missed, and how the library that istiod uses calls the kind. */
const KINDS: Readonly<Record<string, { readonly name: string; readonly fields: readonly string[] }>> = {
  RSA: { name: "rsa", fields: ["e", "n"] },
  EC: { name: "ecdsa", fields: ["crv", "x", "y"] },
  OKP: { name: "okp", fields: ["crv", "x"] },
};

/** Why a set of keys (RFC 7517, or a key alone) cannot be read, as istiod says it; undefined where it can. */
export function jwksProblem(text: string): string | undefined {
  const problem = setProblem(text);
  return problem === undefined ? undefined : `jwks parse error: failed to unmarshal JWK set: ${problem}`;
}

function setProblem(text: string): string | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    if (/^\s*$/.test(text)) return "EOF";
    // What begins with a whole token is stopped at later, and elsewhere.
    if (/^\s*(?:-?\d|true|false|null)/.test(text)) return "error reading token: EOF";
    const problem = jsonSyntaxProblem(text);
    return problem === "unexpected end of JSON input" ? "unexpected EOF" : problem;
  }
  if (Array.isArray(parsed)) return "expected '{', but got '['";
  if (typeof parsed === "string") return `failed to decode value for key ${JSON.stringify(parsed)}: EOF`;
  if (typeof parsed !== "object" || parsed === null) return "error reading token: EOF";
  if (!("keys" in parsed)) {
    const alone = keyProblem(parsed);
    return alone === undefined ? undefined : `failed to parse sole key in key set: ${alone}`;
  }
  const { keys } = parsed;
  if (keys !== null && !Array.isArray(keys)) return `failed to decode "keys": json: cannot unmarshal ${goKind(keys)} into Go value of type []json.RawMessage`;
  for (const [index, key] of ((keys ?? []) as unknown[]).entries()) {
    const bad = keyProblem(key);
    if (bad !== undefined) return `failed to decode key #${index} in "keys": ${bad}`;
  }
  return undefined;
}

function keyProblem(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return `failed to unmarshal JSON into key hint: json: cannot unmarshal ${goKind(value)} into Go value of type struct { Kty string "json:\\"kty\\""; D json.RawMessage "json:\\"d\\"" }`;
  }
  const { kty = "", d } = value as Key;
  if (typeof kty !== "string") return `failed to unmarshal JSON into key hint: json: cannot unmarshal ${goKind(kty)} into Go struct field .kty of type string`;
  const kind = kty === "oct" ? { name: "symmetric", fields: ["k"] } : KINDS[kty];
  if (!kind) return `invalid key type from JSON (${kty})`;
  const missing = kind.fields.find((field) => !(field in value));
  const type = kty === "oct" ? "symmetricKey" : `${kind.name}${d === undefined ? "Public" : "Private"}Key`;
  if (missing !== undefined) return `failed to unmarshal JSON into key (*jwk.${type}): required field ${missing} is missing`;
  const bad = kind.fields.find((field) => field !== "crv" && !isBase64((value as Record<string, unknown>)[field]));
  return bad === undefined
    ? undefined
    : `failed to unmarshal JSON into key (*jwk.${type}): failed to decode value for key ${bad}: expected base64 encoded []byte (string)`;
}

/** Either alphabet, padded or not. */
function isBase64(value: unknown): boolean {
  return typeof value === "string" && /^[A-Za-z0-9+/_-]*={0,2}$/.test(value);
}

function goKind(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}

/** Warnings about keys that say more than is needed to check a token, by RFC 7517 and 7518. */
export function privateKeys(jwks: string | undefined): string[] {
  if (!jwks || jwksProblem(jwks) !== undefined) return [];
  const parsed = JSON.parse(jwks) as { keys?: Key[] } & Key;
  return (parsed.keys ?? [parsed]).flatMap((key, index) =>
    key.kty === "oct" || key.d !== undefined ? [`jwks key at index ${index} contains private key material; only public keys are used for verification`] : [],
  );
}
