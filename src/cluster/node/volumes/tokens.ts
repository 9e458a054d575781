import { ChainmailError, type Clock } from "../../../base/index.ts";
import { SERVICE_ACCOUNTS, type KubeClient } from "../../../kube/index.ts";
import type { Pod, TokenRequest, Volume } from "../../../resources/index.ts";

/** Kubernetes' default and least lifetime. */
const DEFAULT_SECONDS = 3600;
/** As the kubelet: a fresh token when four fifths of its life are over, or after a day. */
const REFRESH_SHARE = 0.8;
const MAX_AGE_MS = 24 * 3600 * 1000;

interface HeldToken {
  token: string;
  refreshAt: number;
}

/** The service-account tokens of one pod's projected volumes: asked for when first needed, then before they expire. */
export class PodTokens {
  readonly #held = new Map<string, HeldToken>();

  constructor(
    readonly client: KubeClient,
    readonly clock: Clock,
  ) {}

  /** Tokens of a volume by the index of their source; those that are due are renewed. A failed renewal keeps the old one. */
  async forVolume(pod: Pod, volume: Volume): Promise<Map<number, string>> {
    const tokens = new Map<number, string>();
    for (const [index, source] of (volume.projected?.sources ?? []).entries()) {
      if (!source.serviceAccountToken) continue;
      const key = `${volume.name}/${index}`;
      const held = this.#held.get(key);
      if (held && this.clock.now() < held.refreshAt) {
        tokens.set(index, held.token);
        continue;
      }
      const { audience, expirationSeconds = DEFAULT_SECONDS } = source.serviceAccountToken;
      const fresh = await this.#request(pod, audience, expirationSeconds);
      this.#held.set(key, fresh);
      tokens.set(index, fresh.token);
    }
    return tokens;
  }

  /** When the next one is due, in milliseconds since the epoch. */
  get refreshAt(): number | undefined {
    const times = [...this.#held.values()].map((held) => held.refreshAt);
    return times.length > 0 ? Math.min(...times) : undefined;
  }

  async #request(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<HeldToken> {
    const { name, namespace, uid } = pod.metadata;
    const account = pod.spec?.serviceAccountName || "default";
    const now = this.clock.now();
    const answer = await this.client.createSubresource<TokenRequest>(SERVICE_ACCOUNTS, account, namespace, "token", {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      metadata: { name: account, ...(namespace === undefined ? {} : { namespace }) },
      spec: {
        audiences: audience ? [audience] : [],
        expirationSeconds,
        boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid },
      },
    });
    const token = answer.status?.token;
    const expires = Date.parse(answer.status?.expirationTimestamp ?? "");
    if (!token || Number.isNaN(expires))
      throw new ChainmailError("TOKEN_REQUEST", `the API server answered the token request for service account ${account} without a token`);
    return { token, refreshAt: now + Math.min((expires - now) * REFRESH_SHARE, MAX_AGE_MS) };
  }
}
