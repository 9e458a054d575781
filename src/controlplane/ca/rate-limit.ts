import type { Clock } from "../../base/index.ts";

export interface RateLimitOptions {
  /** How many may come at once. */
  readonly burst: number;
  readonly perSecond: number;
  readonly clock: Clock;
}

/** Beyond so many keys the longest unused is forgotten: who floods with new addresses gains a full bucket, no memory. */
const MAX_KEYS = 10_000;

/** A token bucket for each key, such as a client's address. */
export class RateLimit {
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(private readonly options: RateLimitOptions) {}

  /** Whether one more is allowed now; if so, it is counted. */
  take(key: string): boolean {
    const bucket = this.#refilled(key);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  /** Whether `take` would be refused, without counting. */
  exhausted(key: string): boolean {
    return this.#refilled(key).tokens < 1;
  }

  #refilled(key: string): { tokens: number; at: number } {
    const { burst, perSecond, clock } = this.options;
    const now = clock.now();
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now };
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    // Put last again: the first of the map is then the longest unused.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > MAX_KEYS) this.#buckets.delete(this.#buckets.keys().next().value ?? "");
    return bucket;
  }
}
