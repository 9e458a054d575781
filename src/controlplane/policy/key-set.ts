/** The members that a key of each type must have: https://www.rfc-editor.org/rfc/rfc7518#section-6 */
const MEMBERS: ReadonlyMap<unknown, readonly string[]> = new Map([
  ["RSA", ["n", "e"]],
  ["EC", ["crv", "x", "y"]],
  ["OKP", ["crv", "x"]],
  ["oct", ["k"]],
]);

/**
 * Whether a key set has any key that a proxy can use. Envoy refuses a whole listener for one set without: what an issuer
 * or an author got wrong must not keep other policies from the workload.
 */
export function hasUsableKey(jwks: string): boolean {
  let parsed: unknown;
  try {
    parsed = JSON.parse(jwks);
  } catch {
    return false;
  }
  const keys: unknown = typeof parsed === "object" && parsed !== null ? (parsed as { keys?: unknown }).keys : undefined;
  return Array.isArray(keys) && keys.some(isUsable);
}

function isUsable(key: unknown): boolean {
  if (typeof key !== "object" || key === null) return false;
  const fields = key as Record<string, unknown>;
  return MEMBERS.get(fields["kty"])?.every((member) => typeof fields[member] === "string" && fields[member] !== "") ?? false;
}
