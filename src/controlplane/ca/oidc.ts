import { createLocalJWKSet, decodeJwt, jwtVerify, type JSONWebKeySet, type JWTPayload } from "jose";
import { errorText, type Clock } from "../../base/index.ts";
import { refused } from "./errors.ts";
import type { OidcRule } from "./oidc-rule.ts";
import type { ReviewedAccount } from "./token-reviewer.ts";

export interface OidcVerifier {
  /** Whether the token says that it is of this issuer. Nothing is proved by it. */
  claims(token: string): boolean;
  /** Throws CaError CA_UNAUTHENTICATED. */
  verify(token: string): Promise<ReviewedAccount>;
}

/** Only signatures with the issuer's private key: with the others a public key would do to forge one. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
/** Keys that are asked for because a token names an unknown one: not more often than this. */
const REFETCH_MS = 10_000;
/** As proxies do with an issuer's keys. */
const KEYS_TTL_MS = 20 * 60_000;
const SUBJECT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Verifies tokens whose subject is `system:serviceaccount:<namespace>:<account>`, as Istio requires of such issuers. */
export function createOidcVerifier(rule: OidcRule, options: { readonly clock: Clock; readonly fetchJson: (url: string) => Promise<unknown> }): OidcVerifier {
  const { clock, fetchJson } = options;
  let keys: { set: ReturnType<typeof createLocalJWKSet>; fetched: number } | undefined;

  const fetchKeys = async (): Promise<ReturnType<typeof createLocalJWKSet>> => {
    const uri = rule.jwksUri ?? (await discover(rule.issuer, fetchJson));
    const set = createLocalJWKSet((await fetchJson(uri)) as JSONWebKeySet);
    keys = { set, fetched: clock.now() };
    return set;
  };
  const verifyWith = (token: string, set: ReturnType<typeof createLocalJWKSet>): Promise<{ payload: JWTPayload }> =>
    jwtVerify(token, set, {
      issuer: rule.issuer,
      audience: [...rule.audiences],
      algorithms: ALGORITHMS,
      currentDate: new Date(clock.now()),
      requiredClaims: ["exp", "sub"],
    });

  return {
    claims(token) {
      try {
        return decodeJwt(token).iss === rule.issuer;
      } catch {
        // No JWT: then it is for the API server to say what it is.
        return false;
      }
    },
    async verify(token) {
      let payload: JWTPayload;
      try {
        const fresh = keys && clock.now() - keys.fetched < KEYS_TTL_MS ? keys.set : await fetchKeys();
        ({ payload } = await verifyWith(token, fresh).catch(async (error: unknown) => {
          // The issuer may have a new key since; nobody can make us ask for it all the time.
          if (!isUnknownKey(error) || !keys || clock.now() - keys.fetched < REFETCH_MS) throw error;
          return verifyWith(token, await fetchKeys());
        }));
      } catch (cause) {
        throw refused(`the token of ${rule.issuer} is not accepted: ${errorText(cause)}`, cause);
      }
      const account = SUBJECT.exec(payload.sub ?? "");
      if (!account?.[1] || !account[2]) throw refused("the token's subject is no service account");
      return { namespace: account[1], serviceAccount: account[2] };
    },
  };
}

async function discover(issuer: string, fetchJson: (url: string) => Promise<unknown>): Promise<string> {
  const document = (await fetchJson(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`)) as { issuer?: unknown; jwks_uri?: unknown };
  if (document.issuer !== issuer || typeof document.jwks_uri !== "string") throw new Error("its discovery document names another issuer or no keys");
  return document.jwks_uri;
}

function isUnknownKey(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_JWKS_NO_MATCHING_KEY";
}
