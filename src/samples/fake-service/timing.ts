import type { FakeServiceConfig } from "./config.ts";

/**
 * How long this request is to take, in milliseconds: nine in ten take the 50th percentile's time, nine in a hundred
 * the 90th's, one in a hundred the 99th's, each lengthened by up to the variance in percent.
 */
export function serviceTime(timing: FakeServiceConfig["timing"], random: () => number): number {
  const variance = timing.variancePercent > 0 ? Math.floor(random() * timing.variancePercent) : 0;
  const percentile = Math.floor(random() * 100);
  const base = percentile < 90 ? timing.p50Ms : percentile < 99 ? timing.p90Ms : timing.p99Ms;
  return base + (base * variance) / 100;
}
