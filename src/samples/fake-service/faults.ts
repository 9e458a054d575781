import type { FakeServiceConfig } from "./config.ts";

export interface Fault {
  code: number;
  error: string;
}

/**
 * Decides per request whether it fails, stalls or passes. Errors are deterministic: with ERROR_RATE r every
 * int(1/r)-th request fails, so that a demonstration shows the same pattern each time.
 */
export function createFaults(
  config: Pick<FakeServiceConfig, "errors" | "rateLimit">,
  deps: { now(): number; sleep(ms: number): Promise<void> },
): { next(): Promise<Fault | undefined> } {
  const every = config.errors.rate > 0 ? Math.trunc(1 / config.errors.rate) : 0;
  let count = 0;
  const allow = tokenBucket(config.rateLimit.perSecond, deps.now);
  return {
    async next() {
      if (!allow()) return { code: config.rateLimit.code, error: "Service exceeded rate limit" };
      if (every === 0) return undefined;
      count += 1;
      if (count < every) return undefined;
      count = 0;
      if (config.errors.type === "http_error") return { code: config.errors.code, error: "Service error automatically injected" };
      await deps.sleep(config.errors.delayMs);
      return undefined;
    },
  };
}

/** A tenth of a second's worth may come at once (at least one request), so that a steady client at the limit passes. */
function tokenBucket(perSecond: number, now: () => number): () => boolean {
  if (perSecond <= 0) return () => true;
  const burst = Math.max(1, Math.floor(perSecond / 10));
  let tokens = burst;
  let last = now();
  return () => {
    const time = now();
    tokens = Math.min(burst, tokens + ((time - last) / 1000) * perSecond);
    last = time;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}
