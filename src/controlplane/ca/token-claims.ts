/** What a service-account token says of itself. Believed only after the API server has accepted the token. */
export interface TokenClaims {
  /** Milliseconds since the epoch. */
  readonly expires: number;
  readonly namespace: string;
  readonly serviceAccount: BoundObject;
  /** The pod that it was made for; a token that a person asked for has none. */
  readonly pod: BoundObject | undefined;
}

export interface BoundObject {
  readonly name: string;
  readonly uid: string;
}

/** Reads the claims of a token, without checking its signature. undefined for what is no bound token. */
export function readTokenClaims(token: string): TokenClaims | undefined {
  const payload = token.split(".")[1];
  if (payload === undefined) return undefined;
  let claims: unknown;
  try {
    claims = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
  } catch {
    // Tokens of other kinds are the API server's to judge; only their lifetime is not known here.
    return undefined;
  }
  if (!isRecord(claims)) return undefined;
  const { exp, ["kubernetes.io"]: bound } = claims;
  if (typeof exp !== "number" || !isRecord(bound) || typeof bound["namespace"] !== "string") return undefined;
  const serviceAccount = objectOf(bound["serviceaccount"]);
  if (!serviceAccount) return undefined;
  return { expires: exp * 1000, namespace: bound["namespace"], serviceAccount, pod: objectOf(bound["pod"]) };
}

function objectOf(value: unknown): BoundObject | undefined {
  if (!isRecord(value)) return undefined;
  const { name, uid } = value;
  return typeof name === "string" && typeof uid === "string" ? { name, uid } : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
