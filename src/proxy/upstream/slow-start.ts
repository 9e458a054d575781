import type { Duration } from "@bufbuild/protobuf/wkt";
import { durationMs } from "../durations.ts";
import type { Host } from "./host.ts";

export interface SlowStartConfig {
  readonly windowMs: number;
  readonly aggression: number;
  /** In [0, 1]: the least share of its weight that a new host gets. */
  readonly minShare: number;
}

/** What Envoy's two messages for it have in common. */
interface SlowStartProto {
  readonly slowStartWindow?: Duration | undefined;
  readonly aggression?: { readonly defaultValue: number } | undefined;
  readonly minWeightPercent?: { readonly value: number } | undefined;
}

export function compileSlowStart(proto: SlowStartProto | undefined): SlowStartConfig | undefined {
  const windowMs = durationMs(proto?.slowStartWindow) ?? 0;
  if (windowMs <= 0) return undefined;
  return { windowMs, aggression: proto?.aggression?.defaultValue ?? 1, minShare: (proto?.minWeightPercent?.value ?? 10) / 100 };
}

/** New hosts, and hosts that have become healthy, get their weight over time, so that they can warm up. */
export class SlowStart {
  #until = 0;

  constructor(
    private readonly config: SlowStartConfig,
    /** Monotonic milliseconds. */
    private readonly now: () => number,
  ) {}

  /** The host is there (or healthy) from now on. */
  begins(host: Host): void {
    host.freshSince = this.now();
    this.#until = host.freshSince + this.config.windowMs;
  }

  /** While some host is new, weights change by the moment. */
  get active(): boolean {
    return this.now() < this.#until;
  }

  /** Envoy's formula: the weight grows with the time since the start to the power of 1/aggression. */
  weight(host: Host): number {
    const { windowMs, aggression, minShare } = this.config;
    const age = this.now() - host.freshSince;
    if (age >= windowMs) return host.weight;
    const time = Math.max(age / 1000, 1) / (windowMs / 1000);
    return host.weight * Math.max(minShare, Math.min(1, time ** (1 / aggression)));
  }
}
