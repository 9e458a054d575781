import { ChainmailError, errorText } from "../../base/index.ts";

/** Istio's JWT_RULE: which further issuer may say who a workload is. */
export interface OidcRule {
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** Without it the issuer's discovery document names the keys. */
  readonly jwksUri: string | undefined;
}

/** Reads JWT_RULE, a JSON object; undefined when it is not set. Throws OIDC_RULE_INVALID. */
export function parseOidcRule(text: string | undefined): OidcRule | undefined {
  if (!text) return undefined;
  let rule: unknown;
  try {
    rule = JSON.parse(text);
  } catch (cause) {
    throw new ChainmailError("OIDC_RULE_INVALID", `JWT_RULE is not JSON: ${errorText(cause)}`, { cause });
  }
  const { issuer, audiences, jwks_uri, jwksUri = jwks_uri } = (typeof rule === "object" && rule !== null ? rule : {}) as Record<string, unknown>;
  if (typeof issuer !== "string" || !Array.isArray(audiences) || audiences.length === 0 || !audiences.every((audience) => typeof audience === "string")) {
    throw new ChainmailError("OIDC_RULE_INVALID", "JWT_RULE must have an issuer and a list of audiences", {
      hint: '{"issuer": "https://…", "audiences": ["istio-ca"], "jwks_uri": "https://…"}',
    });
  }
  return { issuer, audiences, jwksUri: typeof jwksUri === "string" ? jwksUri : undefined };
}
