import { TOKEN_REVIEWS, type KubeClient } from "../../kube/index.ts";
import { formatSpiffeId, parseSpiffeId, type SpiffeId } from "../../pki/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { CaError } from "./errors.ts";

/** Who has proved to be at the other end of a connection. */
export interface Caller {
  id: SpiffeId;
  /** `spiffe://…` of the same. */
  spiffe: string;
  source: "client-certificate" | "token";
}

/** What a connection brought along. */
export interface Credentials {
  /** URI SANs of a client certificate that TLS has verified against our roots. */
  verifiedUris: readonly string[];
  /** The `authorization` header. */
  authorization: string | undefined;
}

interface TokenReview extends KubeObject {
  status?: { authenticated?: boolean; user?: { username?: string }; audiences?: string[]; error?: string };
}

/** Projected tokens are about 1 KB. */
const MAX_TOKEN_CHARS = 16 * 1024;

/** Istio's words; what was wrong goes to our log only, so that a guesser learns nothing. */
const REFUSAL = "request authenticate failure";

export interface Authenticator {
  /** Throws CaError CA_UNAUTHENTICATED; its cause says why. */
  authenticate(credentials: Credentials): Promise<Caller>;
}

/** A verified client certificate first, then a service-account token of audience `istio-ca` by TokenReview. */
export function createAuthenticator(client: KubeClient, trustDomain: () => string, audience = "istio-ca"): Authenticator {
  return {
    async authenticate({ verifiedUris, authorization }) {
      const id = verifiedUris.map(parseSpiffeId).find((candidate) => candidate?.trustDomain === trustDomain());
      if (id) return { id, spiffe: formatSpiffeId(id), source: "client-certificate" };
      const token = /^bearer\s+(\S+)\s*$/i.exec(authorization ?? "")?.[1];
      if (!token) throw refused(verifiedUris.length > 0 ? "the client certificate is of another trust domain and there is no token" : "there is neither a client certificate nor a bearer token");
      if (token.length > MAX_TOKEN_CHARS) throw refused("the token is too long");
      let review: TokenReview;
      try {
        review = await client.create<TokenReview>(TOKEN_REVIEWS, {
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenReview",
          metadata: { name: "" },
          spec: { token, audiences: [audience] },
        });
      } catch (cause) {
        throw refused("the API server did not review the token", cause);
      }
      const { authenticated, user, audiences, error } = review.status ?? {};
      if (!authenticated) throw refused(error || "the API server does not accept the token");
      // A server that knows nothing of audiences answers without them: then the token could be meant for anybody.
      if (!audiences?.includes(audience)) throw refused(`the token is not meant for ${audience}`);
      const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user?.username ?? "");
      if (!account?.[1] || !account[2]) throw refused("the token is not one of a service account");
      const proved = { trustDomain: trustDomain(), namespace: account[1], serviceAccount: account[2] };
      return { id: proved, spiffe: formatSpiffeId(proved), source: "token" };
    },
  };
}

function refused(reason: string, cause?: unknown): CaError {
  return new CaError("CA_UNAUTHENTICATED", REFUSAL, { cause: new Error(reason, { cause }) });
}
