import { createHash } from "node:crypto";
import type { Clock } from "../../base/index.ts";
import { TOKEN_REVIEWS, type KubeClient } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import type { BoundObjects } from "./bound-objects.ts";
import { refused } from "./errors.ts";
import { readTokenClaims, type TokenClaims } from "./token-claims.ts";

/** The service account that a token proves. */
export interface ReviewedAccount {
  readonly namespace: string;
  readonly serviceAccount: string;
}

export interface TokenReviewer {
  /** Throws CaError CA_UNAUTHENTICATED, whose cause says why. */
  review(token: string): Promise<ReviewedAccount>;
}

interface TokenReview extends KubeObject {
  status?: { authenticated?: boolean; user?: { username?: string }; audiences?: string[]; error?: string };
}

interface Entry {
  readonly account: ReviewedAccount;
  readonly claims: TokenClaims;
}

export interface TokenReviewerOptions {
  readonly client: KubeClient;
  readonly audience: string;
  readonly clock: Clock;
  /** Without it every token is reviewed each time. */
  readonly bound?: BoundObjects;
}

/** One token a pod, two while one is renewed: ten thousand pods. An entry is some 300 bytes. */
const MAX_ENTRIES = 10_000;

/**
 * Has the API server judge tokens, each once: a token that was accepted stays so until it expires, its pod or service
 * account is deleted, or that cannot be known because a watch was lost. Refusals are not remembered.
 */
export function createTokenReviewer({ client, audience, clock, bound }: TokenReviewerOptions): TokenReviewer {
  const known = new Map<string, Entry>();
  const underWay = new Map<string, Promise<ReviewedAccount>>();
  // Which entries a change concerns is cheaper to ask when they are used; those that died free their memory here.
  bound?.onDoubt(() => {
    for (const [key, { claims }] of known) if (!bound.alive(claims)) known.delete(key);
  });

  const ask = async (token: string, key: string): Promise<ReviewedAccount> => {
    const account = await reviewByApi(client, token, audience);
    const claims = readTokenClaims(token);
    const consistent = claims?.namespace === account.namespace && claims.serviceAccount.name === account.serviceAccount;
    if (claims && consistent && bound?.alive(claims)) {
      if (known.size >= MAX_ENTRIES) known.delete(known.keys().next().value ?? "");
      known.set(key, { account, claims });
    }
    return account;
  };

  return {
    async review(token) {
      const key = createHash("sha256").update(token).digest("base64");
      const entry = known.get(key);
      if (entry) {
        if (entry.claims.expires > clock.now() && bound?.alive(entry.claims)) return entry.account;
        known.delete(key);
      }
      // A pod asks for its certificate and its configuration at once: one review answers both.
      let asked = underWay.get(key);
      if (!asked) {
        asked = ask(token, key).finally(() => underWay.delete(key));
        underWay.set(key, asked);
      }
      return asked;
    },
  };
}

async function reviewByApi(client: KubeClient, token: string, audience: string): Promise<ReviewedAccount> {
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
  return { namespace: account[1], serviceAccount: account[2] };
}
