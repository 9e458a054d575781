import type { LocalRateLimit } from "../../proto/gen/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb.ts";
import { TokenBucket } from "../filters/ratelimit/token-bucket.ts";
import type { Services } from "../services.ts";
import { InvalidResource } from "../types.ts";
import type { Admission } from "./connection-limit.ts";

/** `envoy.filters.network.local_ratelimit`: so many new connections of one filter chain in a time. */
export class ConnectionRate implements Admission {
  readonly delayMs = 0;
  readonly flag = "URX";
  readonly #bucket: TokenBucket;
  readonly #limited;
  readonly #enabled: boolean;

  /** Throws InvalidResource. */
  constructor(proto: LocalRateLimit, { core, monotonic }: Services) {
    if (!proto.tokenBucket) throw new InvalidResource("INVALID_RATELIMIT", "LocalRateLimitValidationError.TokenBucket: value is required");
    this.#bucket = new TokenBucket(proto.tokenBucket, monotonic);
    this.#limited = core.scope(`local_rate_limit.${proto.statPrefix}`).counter("rate_limited");
    this.#enabled = proto.runtimeEnabled?.defaultValue ?? true;
  }

  enter(): boolean {
    if (!this.#enabled || this.#bucket.take()) return true;
    this.#limited.inc();
    return false;
  }

  leave(): void {}
}
