import type { TokenBucket as TokenBucketProto } from "../../../proto/gen/envoy/type/v3/token_bucket_pb.ts";
import { durationMs } from "../../durations.ts";
import { InvalidResource } from "../../types.ts";

/** Tokens that come back by time, so many an interval. */
export class TokenBucket {
  readonly #max: number;
  readonly #perFill: number;
  readonly #fillMs: number;
  #tokens: number;
  #filledAt: number;

  /** Throws InvalidResource for intervals that Envoy refuses too. */
  constructor(
    proto: TokenBucketProto,
    private readonly now: () => number,
  ) {
    this.#fillMs = durationMs(proto.fillInterval) ?? 0;
    if (this.#fillMs < 50) throw new InvalidResource("INVALID_RATELIMIT", "local rate limit token bucket fill timer must be >= 50ms");
    this.#max = proto.maxTokens;
    this.#perFill = proto.tokensPerFill ?? 1;
    this.#tokens = proto.maxTokens;
    this.#filledAt = now();
  }

  take(): boolean {
    const fills = Math.floor((this.now() - this.#filledAt) / this.#fillMs);
    if (fills > 0) {
      this.#tokens = Math.min(this.#max, this.#tokens + fills * this.#perFill);
      this.#filledAt += fills * this.#fillMs;
    }
    if (this.#tokens === 0) return false;
    this.#tokens--;
    return true;
  }
}
