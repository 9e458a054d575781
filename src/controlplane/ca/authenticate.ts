import { formatSpiffeId, parseSpiffeId, type SpiffeId } from "../../pki/index.ts";
import { refused } from "./errors.ts";
import type { OidcVerifier } from "./oidc.ts";
import type { TokenReviewer } from "./token-reviewer.ts";

/** Who has proved to be at the other end of a connection. */
export interface Caller {
  id: SpiffeId;
  /** `spiffe://…` of the same. */
  spiffe: string;
  source: "client-certificate" | "token" | "oidc";
}

/** What a connection brought along. */
export interface Credentials {
  /** URI SANs of a client certificate that TLS has verified against our roots. */
  verifiedUris: readonly string[];
  /** The `authorization` header. */
  authorization: string | undefined;
}

/** Projected tokens are about 1 KB. */
const MAX_TOKEN_CHARS = 16 * 1024;

export interface Authenticator {
  /** Throws CaError CA_UNAUTHENTICATED; its cause says why. */
  authenticate(credentials: Credentials): Promise<Caller>;
}

export interface AuthenticatorOptions {
  readonly trustDomain: () => string;
  readonly tokens: TokenReviewer;
  /** Tokens of another issuer than the cluster's, where one is configured. */
  readonly oidc?: OidcVerifier;
}

/** As Istio: a verified client certificate first, then a token of the configured issuer, then one of the API server's. */
export function createAuthenticator({ trustDomain, tokens, oidc }: AuthenticatorOptions): Authenticator {
  const proved = (account: { namespace: string; serviceAccount: string }, source: Caller["source"]): Caller => {
    const id = { trustDomain: trustDomain(), namespace: account.namespace, serviceAccount: account.serviceAccount };
    return { id, spiffe: formatSpiffeId(id), source };
  };
  return {
    async authenticate({ verifiedUris, authorization }) {
      const id = verifiedUris.map(parseSpiffeId).find((candidate) => candidate?.trustDomain === trustDomain());
      if (id) return { id, spiffe: formatSpiffeId(id), source: "client-certificate" };
      const token = /^bearer\s+(\S+)\s*$/i.exec(authorization ?? "")?.[1];
      if (!token)
        throw refused(
          verifiedUris.length > 0
            ? "the client certificate is of another trust domain and there is no token"
            : "there is neither a client certificate nor a bearer token",
        );
      if (token.length > MAX_TOKEN_CHARS) throw refused("the token is too long");
      if (oidc?.claims(token)) return proved(await oidc.verify(token), "oidc");
      return proved(await tokens.review(token), "token");
    },
  };
}
