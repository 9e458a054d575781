import type { Clock, Logger } from "../base/index.ts";
import type { OverloadConfig } from "./overload/index.ts";
import type { StatsConfig } from "../proto/gen/envoy/config/metrics/v3/stats_pb.ts";
import { ChainmailError } from "../base/index.ts";

/** What the control plane must learn as a NACK: the resource is not taken, the last good one stays in force. */
export class InvalidResource extends ChainmailError {
  constructor(code: string, message: string, options: { cause?: unknown } = {}) {
    super(code, message, options);
  }
}

/** A TLS secret as SDS delivers it: a certificate with its key, or what peers are verified with. All PEM text. */
export type Secret = CertificateSecret | ValidationSecret;

export interface CertificateSecret {
  /** Leaf first, then intermediates. */
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
}

export interface ValidationSecret {
  readonly trustedCaPem: string;
  readonly crlPem?: string;
}

/** Where TLS contexts find secrets by SDS name (`default`, `ROOTCA`, `kubernetes://name`). */
export interface SecretProvider {
  get(name: string): Secret | undefined;
  /** Calls back on every change, not at once; the returned function stops the watch. */
  watch(name: string, onChange: (secret: Secret | undefined) => void): () => void;
}

export interface SocketAddress {
  /** An IP address, never a name. */
  readonly address: string;
  readonly port: number;
}

export interface ListenOptions {
  readonly address: string;
  readonly port: number;
  /** Several processes share the port. */
  readonly reusePort?: boolean;
}

export interface ConnectOptions {
  /** Source address to bind to, without reserving a port. */
  readonly bindAddress?: string;
}

/** The edge to the kernel: tests give original destinations and loopback ports of their own. */
export interface SocketFactory {
  /**
   * Where to listen for a listener's address: a host and port that Bun binds, or a bound and listening descriptor.
   * Throws when it cannot be bound.
   */
  listen(options: ListenOptions): { hostname: string; port: number } | { fd: number };
  /**
   * Starts a non-blocking TCP connect whose packets carry the proxy's mark, and returns its descriptor. A refusal that
   * is known at once is thrown as an error with an errno `code` (ECONNREFUSED, ENETUNREACH, …).
   */
  connect(target: SocketAddress, options: ConnectOptions): number;
  /** Where the client of a redirected connection was going; undefined when it was not redirected. */
  originalDestination(fd: number): SocketAddress | undefined;
}

/** Takes finished access-log lines, each with its newline. */
export interface AccessLogSink {
  write(line: string): void;
}

/** The node as xDS knows it. Metadata is the plain object behind its Struct. */
export interface NodeIdentity {
  readonly id: string;
  readonly cluster: string;
  readonly metadata: { readonly [key: string]: unknown };
  readonly locality?: { readonly region: string; readonly zone: string; readonly subZone: string };
}

export interface DataPlaneDeps {
  readonly node: NodeIdentity;
  readonly secrets: SecretProvider;
  readonly sockets: SocketFactory;
  readonly clock: Clock;
  readonly log: Logger;
  /** The sink for a file path of an access-log configuration, such as `/dev/stdout`. Called once per path. */
  readonly accessLog: (path: string) => AccessLogSink;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** The bootstrap's `stats_config`: which of Envoy's statistics are shown, and how they are named. All, without. */
  readonly statsConfig?: StatsConfig | undefined;
  /** Several processes listen at the same ports. */
  readonly reusePort?: boolean;
  /** What is watched, and what is shed under pressure. Nothing, without. */
  readonly overload?: OverloadConfig | undefined;
}

/** Which listeners drain, and for how long they still accept: not at all when undefined, for ever when infinite. */
export interface DrainOptions {
  readonly inboundOnly: boolean;
  readonly acceptForMs: number | undefined;
}

/** What configured resources still point at, for subscriptions and for warming. */
export interface ReferencedNames {
  readonly eds: string[];
  readonly rds: string[];
  readonly secrets: string[];
  /** Filters whose configuration is discovered. */
  readonly extensions: string[];
}

export interface CircuitBreakerThresholds {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
}

export interface HostSnapshot {
  readonly address: SocketAddress;
  readonly hostname: string;
  readonly weight: number;
  readonly priority: number;
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string };
  /** Empty means healthy. */
  readonly healthFlags: readonly (
    | "failed_active_hc"
    | "pending_dynamic_removal"
    | "failed_outlier_check"
    | "degraded_active_hc"
    | "failed_eds_health"
    | "degraded_eds_health"
  )[];
  /** UNKNOWN, HEALTHY, UNHEALTHY, DRAINING, TIMEOUT or DEGRADED, as EDS said. */
  readonly edsHealthStatus: string;
  /** Success rates in percent, or -1 when outlier detection has none. */
  readonly successRate: number;
  readonly localOriginSuccessRate: number;
  readonly stats: {
    readonly cxActive: number;
    readonly cxConnectFail: number;
    readonly cxTotal: number;
    readonly rqActive: number;
    readonly rqError: number;
    readonly rqPendingActive: number;
    readonly rqSuccess: number;
    readonly rqTimeout: number;
    readonly rqTotal: number;
  };
}

export interface ClusterSnapshot {
  readonly name: string;
  /** `alt_stat_name` where given, else the name. */
  readonly observabilityName: string;
  readonly edsServiceName: string;
  readonly addedViaApi: boolean;
  readonly circuitBreakers: { readonly default: CircuitBreakerThresholds; readonly high: CircuitBreakerThresholds };
  readonly hosts: readonly HostSnapshot[];
}

export interface ListenerSnapshot {
  readonly name: string;
  /** Where it is configured to listen; additional addresses follow. */
  readonly addresses: readonly SocketAddress[];
  /** Where it really is bound, when it binds at all. */
  readonly bound?: SocketAddress;
  readonly state: "active" | "warming";
  readonly openConnections: number;
}
