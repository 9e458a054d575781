import type { Clock } from "../../base/index.ts";
import type { OutlierDetection as OutlierProto } from "../../proto/gen/envoy/config/cluster/v3/outlier_detection_pb.ts";
import { durationMs } from "../durations.ts";
import type { StatScope } from "../telemetry/stat-scope.ts";
import type { Host } from "./host.ts";

/** Outlier detection with Envoy's defaults filled in. Rates and enforcement in percent. */
export interface OutlierConfig {
  readonly consecutive5xx: number;
  readonly enforcing5xx: number;
  readonly consecutiveGateway: number;
  readonly enforcingGateway: number;
  readonly splitLocalOrigin: boolean;
  readonly consecutiveLocal: number;
  readonly enforcingLocal: number;
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  readonly maxEjectionPercent: number;
  readonly alwaysEjectOne: boolean;
  readonly failurePercentage: number;
  readonly enforcingFailurePercentage: number;
  readonly failurePercentageHosts: number;
  readonly failurePercentageVolume: number;
}

export function compileOutlierDetection(proto: OutlierProto | undefined): OutlierConfig | undefined {
  if (!proto) return undefined;
  const base = durationMs(proto.baseEjectionTime) ?? 30_000;
  return {
    consecutive5xx: proto.consecutive5xx ?? 5,
    enforcing5xx: proto.enforcingConsecutive5xx ?? 100,
    consecutiveGateway: proto.consecutiveGatewayFailure ?? 5,
    enforcingGateway: proto.enforcingConsecutiveGatewayFailure ?? 0,
    splitLocalOrigin: proto.splitExternalLocalOriginErrors,
    consecutiveLocal: proto.consecutiveLocalOriginFailure ?? 5,
    enforcingLocal: proto.enforcingConsecutiveLocalOriginFailure ?? 100,
    intervalMs: durationMs(proto.interval) ?? 10_000,
    baseEjectionMs: base,
    maxEjectionMs: durationMs(proto.maxEjectionTime) ?? Math.max(300_000, base),
    maxEjectionPercent: proto.maxEjectionPercent ?? 10,
    alwaysEjectOne: proto.alwaysEjectOneHost ?? false,
    failurePercentage: proto.failurePercentageThreshold ?? 85,
    enforcingFailurePercentage: proto.enforcingFailurePercentage ?? 0,
    failurePercentageHosts: proto.failurePercentageMinimumHosts ?? 5,
    failurePercentageVolume: proto.failurePercentageRequestVolume ?? 50,
  };
}

interface Record5xx {
  serverErrors: number;
  gatewayErrors: number;
  localErrors: number;
  ejections: number;
  ejectedAt: number;
  requests: number;
  successes: number;
}

/** Ejects hosts that fail in a row or too often, and brings them back after a time that grows with each ejection. */
export class OutlierDetector {
  readonly #records = new Map<Host, Record5xx>();
  #cancel: (() => void) | undefined;

  constructor(
    private readonly config: OutlierConfig,
    private readonly hosts: () => readonly Host[],
    private readonly onChange: () => void,
    private readonly clock: Clock,
    private readonly random: () => number,
    private readonly stats: StatScope,
  ) {
    this.#schedule();
  }

  /** A response came from the host. */
  onResponse(host: Host, status: number): void {
    const record = this.#record(host);
    record.requests++;
    record.localErrors = 0;
    if (status < 500) {
      record.successes++;
      record.serverErrors = 0;
      record.gatewayErrors = 0;
      return;
    }
    record.serverErrors++;
    if (status === 502 || status === 503 || status === 504) record.gatewayErrors++;
    else record.gatewayErrors = 0;
    this.#judge(host, record);
  }

  /** No response: a failed connect, a reset, a time-out. Counts as a gateway error unless they are split. */
  onLocalFailure(host: Host): void {
    const record = this.#record(host);
    record.requests++;
    if (this.config.splitLocalOrigin) record.localErrors++;
    else {
      record.serverErrors++;
      record.gatewayErrors++;
    }
    this.#judge(host, record);
  }

  forget(host: Host): void {
    if (host.ejected) this.#count("ejections_active", -1);
    this.#records.delete(host);
  }

  stop(): void {
    for (const host of this.#records.keys()) if (host.ejected) this.#count("ejections_active", -1);
    this.#records.clear();
    this.#cancel?.();
  }

  #judge(host: Host, record: Record5xx): void {
    const { config } = this;
    if (record.serverErrors >= config.consecutive5xx) {
      record.serverErrors = 0;
      this.#detected("consecutive_5xx", config.enforcing5xx, host, record);
    }
    if (record.gatewayErrors >= config.consecutiveGateway) {
      record.gatewayErrors = 0;
      this.#detected("consecutive_gateway_failure", config.enforcingGateway, host, record);
    }
    if (config.splitLocalOrigin && record.localErrors >= config.consecutiveLocal) {
      record.localErrors = 0;
      this.#detected("consecutive_local_origin_failure", config.enforcingLocal, host, record);
    }
  }

  #detected(kind: string, enforcing: number, host: Host, record: Record5xx): void {
    if (host.ejected) return;
    this.#count(`ejections_detected_${kind}`);
    if (this.#enforced(enforcing) && this.#eject(host, record)) this.#count(`ejections_enforced_${kind}`);
  }

  #count(stat: string, by = 1): void {
    this.stats.counter(`outlier_detection.${stat}`).inc(by);
  }

  #enforced(percent: number): boolean {
    return percent >= 100 || this.random() * 100 < percent;
  }

  /** False: too many are out already. */
  #eject(host: Host, record: Record5xx): boolean {
    const hosts = this.hosts();
    const ejected = hosts.reduce((count, each) => count + (each.ejected ? 1 : 0), 0);
    const allowed = ((ejected + 1) / hosts.length) * 100 <= this.config.maxEjectionPercent;
    // Envoy lets at least one go when max_ejection_percent is small, if so told; by default only below the share.
    if (!allowed && !(ejected === 0 && (this.config.alwaysEjectOne || (ejected / hosts.length) * 100 < this.config.maxEjectionPercent))) {
      this.#count("ejections_overflow");
      return false;
    }
    this.#count("ejections_active");
    this.#count("ejections_enforced_total");
    host.ejected = true;
    record.ejections++;
    record.ejectedAt = this.clock.now();
    this.onChange();
    return true;
  }

  #schedule(): void {
    this.#cancel = this.clock.after(this.config.intervalMs, () => {
      this.#interval();
      this.#schedule();
    });
  }

  #interval(): void {
    const now = this.clock.now();
    let changed = false;
    for (const [host, record] of this.#records) {
      if (host.ejected) {
        if (now - record.ejectedAt < Math.min(this.config.baseEjectionMs * record.ejections, this.config.maxEjectionMs)) continue;
        host.ejected = false;
        this.#count("ejections_active", -1);
        record.serverErrors = record.gatewayErrors = record.localErrors = 0;
        changed = true;
      } else if (record.ejections > 0) record.ejections--;
    }
    this.#judgePercentage();
    if (changed) this.onChange();
  }

  #judgePercentage(): void {
    const { config } = this;
    const counted = [...this.#records].filter(([, record]) => record.requests >= config.failurePercentageVolume);
    if (config.enforcingFailurePercentage > 0 && counted.length >= config.failurePercentageHosts) {
      for (const [host, record] of counted) {
        const failed = 100 - (record.successes / record.requests) * 100;
        if (failed >= config.failurePercentage) this.#detected("failure_percentage", config.enforcingFailurePercentage, host, record);
      }
    }
    for (const record of this.#records.values()) record.requests = record.successes = 0;
  }

  #record(host: Host): Record5xx {
    let record = this.#records.get(host);
    if (!record) {
      record = { serverErrors: 0, gatewayErrors: 0, localErrors: 0, ejections: 0, ejectedAt: 0, requests: 0, successes: 0 };
      this.#records.set(host, record);
    }
    return record;
  }
}
