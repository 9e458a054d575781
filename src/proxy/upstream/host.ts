import type { Locality } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { HealthStatus } from "../../proto/gen/envoy/config/core/v3/health_check_pb.ts";
import { addressText } from "../net/connection-info.ts";
import type { FilterMetadata, UpstreamHostInfo } from "../telemetry/stream-info.ts";
import type { HostSnapshot, SocketAddress } from "../types.ts";
import type { UpstreamPool } from "./pool.ts";

export interface HostSpec {
  readonly address: SocketAddress;
  readonly hostname: string;
  readonly weight: number;
  readonly priority: number;
  readonly locality: Locality | undefined;
  readonly health: HealthStatus;
  readonly metadata: FilterMetadata;
  /** Where health checks go and what they ask for, where that is not as for requests. */
  readonly healthPort?: number | undefined;
  readonly healthHostname?: string;
  readonly unchecked?: boolean;
}

/** One endpoint of a cluster, with what is known of its health and load. It lives as long as its address is assigned. */
export class Host implements UpstreamHostInfo {
  readonly text: string;
  spec: HostSpec;
  ejected = false;
  failedHealthCheck = false;
  degradedByCheck = false;
  /** It is assigned no more, and stays only as long as its health checks succeed. */
  unassigned = false;
  /** Since when it takes load, in monotonic milliseconds: for its slow start. */
  freshSince = 0;
  /** Counters of Envoy's host stats; requests in flight also steer LEAST_REQUEST. */
  cxActive = 0;
  cxConnectFail = 0;
  cxTotal = 0;
  rqActive = 0;
  rqError = 0;
  rqPendingActive = 0;
  rqSuccess = 0;
  rqTimeout = 0;
  rqTotal = 0;
  readonly pools = new Map<string, UpstreamPool>();
  /** TLS sessions by transport, for resumption. */
  readonly sessions = new Map<string, Buffer>();
  /** When an original-destination host was last asked for. */
  lastUsed = 0;
  /** No cluster has it any more. */
  gone = false;

  constructor(spec: HostSpec) {
    this.spec = spec;
    this.text = addressText(spec.address);
  }

  get address(): SocketAddress {
    return this.spec.address;
  }
  get hostname(): string {
    return this.spec.hostname;
  }
  get metadata(): FilterMetadata {
    return this.spec.metadata;
  }
  get weight(): number {
    return this.spec.weight;
  }

  get healthy(): boolean {
    const { health } = this.spec;
    return (health === HealthStatus.UNKNOWN || health === HealthStatus.HEALTHY) && !this.ejected && !this.failedHealthCheck && !this.degradedByCheck;
  }

  /** All that is known of its health in one. */
  get status(): HealthStatus {
    if (this.ejected || this.failedHealthCheck) return HealthStatus.UNHEALTHY;
    const { health } = this.spec;
    return this.degradedByCheck && (health === HealthStatus.UNKNOWN || health === HealthStatus.HEALTHY) ? HealthStatus.DEGRADED : health;
  }

  /** Neither its health checks nor who assigned it say that it is gone. */
  get answers(): boolean {
    const { health } = this.spec;
    return !this.failedHealthCheck && (health === HealthStatus.UNKNOWN || health === HealthStatus.HEALTHY || health === HealthStatus.DEGRADED);
  }

  get degraded(): boolean {
    const { health } = this.spec;
    const able = health === HealthStatus.DEGRADED || (this.degradedByCheck && (health === HealthStatus.UNKNOWN || health === HealthStatus.HEALTHY));
    return able && !this.ejected && !this.failedHealthCheck;
  }

  /** It leaves its cluster: its connections end as they become idle, those too that are made for who has chosen it before. */
  leave(): void {
    this.gone = true;
    for (const pool of this.pools.values()) pool.drain();
  }

  snapshot(): HostSnapshot {
    const { spec } = this;
    const flags: HostSnapshot["healthFlags"][number][] = [];
    if (this.failedHealthCheck) flags.push("failed_active_hc");
    if (this.degradedByCheck) flags.push("degraded_active_hc");
    if (this.unassigned) flags.push("pending_dynamic_removal");
    if (this.ejected) flags.push("failed_outlier_check");
    if (spec.health === HealthStatus.DEGRADED) flags.push("degraded_eds_health");
    else if (spec.health !== HealthStatus.UNKNOWN && spec.health !== HealthStatus.HEALTHY) flags.push("failed_eds_health");
    return {
      address: spec.address,
      hostname: spec.hostname,
      weight: spec.weight,
      priority: spec.priority,
      locality: { region: spec.locality?.region ?? "", zone: spec.locality?.zone ?? "", subZone: spec.locality?.subZone ?? "" },
      healthFlags: flags,
      edsHealthStatus: HealthStatus[spec.health] ?? "UNKNOWN",
      successRate: -1,
      localOriginSuccessRate: -1,
      stats: {
        cxActive: this.cxActive,
        cxConnectFail: this.cxConnectFail,
        cxTotal: this.cxTotal,
        rqActive: this.rqActive,
        rqError: this.rqError,
        rqPendingActive: this.rqPendingActive,
        rqSuccess: this.rqSuccess,
        rqTimeout: this.rqTimeout,
        rqTotal: this.rqTotal,
      },
    };
  }
}
