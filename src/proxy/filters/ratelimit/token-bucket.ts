import type { TokenBucket as TokenBucketProto } from "../../../proto/gen/envoy/type/v3/token_bucket_pb.ts";
import { durationMs } from "../../durations.ts";
import { InvalidResource } from "../../types.ts";

/** Tokens that come back by time: so many an interval, one after the other. */
export class TokenBucket {
  readonly max: number;
  readonly #msPerToken: number;
  #tokens: number;
  #filledAt: number;

  /** Throws InvalidResource for intervals that Envoy refuses too. */
  constructor(
    proto: TokenBucketProto,
    private readonly now: () => number,
  ) {
    const fillMs = durationMs(proto.fillInterval) ?? 0;
    if (fillMs < 50) throw new InvalidResource("INVALID_RATELIMIT", "local rate limit token bucket fill timer must be >= 50ms");
    this.max = proto.maxTokens;
    this.#msPerToken = fillMs / (proto.tokensPerFill ?? 1);
    this.#tokens = proto.maxTokens;
    this.#filledAt = now();
  }

  take(): boolean {
    this.#fill();
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Whole tokens that are left. */
  remaining(): number {
    this.#fill();
    return Math.floor(this.#tokens);
  }

  /** Seconds until there is a token. */
  secondsToNext(): number {
    this.#fill();
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) * this.#msPerToken) / 1000);
  }

  #fill(): void {
    const now = this.now();
    this.#tokens = Math.min(this.max, this.#tokens + (now - this.#filledAt) / this.#msPerToken);
    this.#filledAt = now;
  }
}
