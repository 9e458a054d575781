import { toBinary } from "@bufbuild/protobuf";
import {
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  Cluster_LbPolicy,
  ClusterSchema,
  type Cluster as ClusterProto,
} from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { CircuitBreakers } from "../../proto/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts";
import type { Address } from "../../proto/gen/envoy/config/core/v3/address_pb.ts";
import { RoutingPriority } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { HealthStatus } from "../../proto/gen/envoy/config/core/v3/health_check_pb.ts";
import type { HttpProtocolOptions as CommonHttpOptions } from "../../proto/gen/envoy/config/core/v3/protocol_pb.ts";
import type { ClusterLoadAssignment } from "../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { HttpProtocolOptionsSchema } from "../../proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts";
import { durationMs, timeoutMs } from "../durations.ts";
import { compileHeaderCase, type HeaderCase } from "../http/header-case.ts";
import { sessionOptions, type SessionOptions } from "../http2/options.ts";
import type { FilterMetadata } from "../telemetry/stream-info.ts";
import { readConfig } from "../constraints/index.ts";
import { InvalidResource, type CircuitBreakerThresholds } from "../types.ts";
import type * as HealthCheckModule from "./health-check/config.ts";
import { compileLb, type LbConfig } from "./lb-config.ts";
import type * as OutlierModule from "./outlier-detection.ts";
import type * as SubsetModule from "./subset-config.ts";

export type UpstreamHttp = "http1" | "http2" | "auto" | "downstream";

/** A Cluster resource read once into plain values. */
export interface ClusterConfig {
  readonly name: string;
  readonly observabilityName: string;
  readonly type: Cluster_DiscoveryType;
  readonly edsServiceName: string;
  readonly metadata: FilterMetadata;
  readonly connectTimeoutMs: number;
  readonly bindAddress: string | undefined;
  readonly limits: { readonly default: CircuitBreakerThresholds; readonly high: CircuitBreakerThresholds };
  readonly tracksRemaining: boolean;
  readonly retryBudget: { readonly percent: number; readonly minimum: number } | undefined;
  readonly http: UpstreamHttp;
  readonly http2: SessionOptions;
  readonly headerCase: HeaderCase | undefined;
  readonly http1Trailers: boolean;
  /** The request's host is the server name that TLS asks for. */
  readonly autoSni: boolean;
  /** The server's certificate must be for the request's host. */
  readonly autoSanValidation: boolean;
  readonly idleTimeoutMs: number | undefined;
  readonly maxRequestsPerConnection: number;
  readonly lb: LbConfig;
  readonly subsets: SubsetModule.SubsetConfig | undefined;
  readonly panicThreshold: number;
  readonly outlier: OutlierModule.OutlierConfig | undefined;
  readonly cleanupIntervalMs: number;
  readonly healthChecks: readonly HealthCheckModule.HealthCheckConfig[];
  /** Hosts that are assigned no more go at once, however healthy. */
  readonly dropsHealthyHosts: boolean;
  readonly dns: { readonly refreshMs: number; readonly family: Cluster_DnsLookupFamily };
  /** Hosts with these may be asked for by their address. */
  readonly overrideStatus: ReadonlySet<HealthStatus>;
  readonly assignment: ClusterLoadAssignment | undefined;
  /** TCP metadata exchange is configured upstream. */
  readonly metadataExchange: boolean;
  readonly proto: ClusterProto;
  /** Of the resource's bytes: equal ones need no change. */
  readonly fingerprint: bigint;
}

/** Envoy's default for connections without a cluster's own idle time-out: one hour. */
const DEFAULT_IDLE_MS = 3_600_000;
/** Envoy's circuit breaker defaults. */
const DEFAULT_LIMITS: CircuitBreakerThresholds = { maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3 };

/** Throws InvalidResource for what cannot be honoured. */
export function compileCluster(proto: ClusterProto): ClusterConfig {
  const { name } = proto;
  if (name === "") throw new InvalidResource("INVALID_CLUSTER", "ClusterValidationError.Name: value length must be at least 1 characters");
  const discovery = proto.clusterDiscoveryType;
  if (discovery.case === "clusterType") {
    throw new InvalidResource(
      "UNSUPPORTED_CLUSTER_TYPE",
      `cluster ${name}: Didn't find a registered cluster factory implementation for name: '${discovery.value.name}'`,
    );
  }
  const type = discovery.case === "type" ? discovery.value : Cluster_DiscoveryType.STATIC;
  if (type === Cluster_DiscoveryType.EDS && !proto.edsClusterConfig) {
    throw new InvalidResource("INVALID_CLUSTER", `cluster ${name}: cannot create an EDS cluster without an EDS config`);
  }
  const lb = compileLb(proto);
  if (type === Cluster_DiscoveryType.ORIGINAL_DST && !proto.loadBalancingPolicy && lb.policy !== Cluster_LbPolicy.CLUSTER_PROVIDED) {
    throw new InvalidResource(
      "INVALID_CLUSTER",
      `cluster: LB policy ${Cluster_LbPolicy[lb.policy]} is not valid for Cluster type ORIGINAL_DST. Only 'CLUSTER_PROVIDED' is allowed with cluster type 'ORIGINAL_DST'`,
    );
  }
  if (lb.policy === Cluster_LbPolicy.CLUSTER_PROVIDED && type !== Cluster_DiscoveryType.ORIGINAL_DST) {
    throw new InvalidResource("INVALID_CLUSTER", `cluster: LB policy CLUSTER_PROVIDED is not valid for the type of cluster ${name}`);
  }
  const http = readHttpOptions(proto);
  const thresholds = (priority: RoutingPriority) => readThresholds(proto.circuitBreakers, priority);
  const budget = proto.circuitBreakers?.thresholds.find((t) => t.priority === RoutingPriority.DEFAULT)?.retryBudget;
  return {
    name,
    observabilityName: proto.altStatName === "" ? name : proto.altStatName,
    type,
    edsServiceName: type === Cluster_DiscoveryType.EDS ? proto.edsClusterConfig?.serviceName || name : "",
    metadata: proto.metadata?.filterMetadata ?? {},
    connectTimeoutMs: durationMs(proto.connectTimeout) ?? 5000,
    bindAddress: proto.upstreamBindConfig?.sourceAddress?.address,
    limits: { default: thresholds(RoutingPriority.DEFAULT), high: thresholds(RoutingPriority.HIGH) },
    tracksRemaining: proto.circuitBreakers?.thresholds.some((t) => t.priority === RoutingPriority.DEFAULT && t.trackRemaining) ?? false,
    retryBudget: budget && { percent: budget.budgetPercent?.value ?? 20, minimum: budget.minRetryConcurrency ?? 3 },
    ...http,
    lb,
    subsets: proto.lbSubsetConfig && (require("./subset-config.ts") as typeof SubsetModule).compileSubsets(proto.lbSubsetConfig, lb.policy, name),
    panicThreshold: proto.commonLbConfig?.healthyPanicThreshold ? proto.commonLbConfig.healthyPanicThreshold.value : 50,
    outlier: proto.outlierDetection && (require("./outlier-detection.ts") as typeof OutlierModule).compileOutlierDetection(proto.outlierDetection),
    cleanupIntervalMs: durationMs(proto.cleanupInterval) ?? 5000,
    healthChecks: proto.healthChecks.map((check) => (require("./health-check/config.ts") as typeof HealthCheckModule).compileHealthCheck(check, name)),
    dropsHealthyHosts: proto.ignoreHealthOnHostRemoval,
    dns: { refreshMs: durationMs(proto.dnsRefreshRate) ?? 5000, family: proto.dnsLookupFamily },
    overrideStatus: new Set(proto.commonLbConfig?.overrideHostStatus?.statuses ?? [HealthStatus.UNKNOWN, HealthStatus.HEALTHY, HealthStatus.DEGRADED]),
    assignment: proto.loadAssignment,
    metadataExchange: proto.filters.some((filter) => filter.name === "istio.metadata_exchange"),
    proto,
    fingerprint: Bun.hash.xxHash64(toBinary(ClusterSchema, proto)),
  };
}

/** `ip` or host name, and port. Throws InvalidResource for pipes, internal listeners and UDP. */
export function readAddress(address: Address | undefined): { host: string; port: number } {
  const socket = address?.address.case === "socketAddress" ? address.address.value : undefined;
  if (!socket || socket.portSpecifier.case === "namedPort") {
    throw new InvalidResource("UNSUPPORTED_ADDRESS", `only socket addresses with a port are supported, not ${address?.address.case ?? "none"}`);
  }
  return { host: socket.address, port: socket.portSpecifier.value ?? 0 };
}

function readThresholds(breakers: CircuitBreakers | undefined, priority: RoutingPriority): CircuitBreakerThresholds {
  const found = breakers?.thresholds.find((threshold) => threshold.priority === priority);
  return {
    maxConnections: found?.maxConnections ?? DEFAULT_LIMITS.maxConnections,
    maxPendingRequests: found?.maxPendingRequests ?? DEFAULT_LIMITS.maxPendingRequests,
    maxRequests: found?.maxRequests ?? DEFAULT_LIMITS.maxRequests,
    maxRetries: found?.maxRetries ?? DEFAULT_LIMITS.maxRetries,
  };
}

function readHttpOptions(
  proto: ClusterProto,
): Pick<ClusterConfig, "http" | "http2" | "headerCase" | "http1Trailers" | "autoSni" | "autoSanValidation" | "idleTimeoutMs" | "maxRequestsPerConnection"> {
  const typed = proto.typedExtensionProtocolOptions["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
  const options = typed && readConfig(HttpProtocolOptionsSchema, typed.value);
  const common: CommonHttpOptions | undefined = options?.commonHttpProtocolOptions ?? proto.commonHttpProtocolOptions;
  const names = options?.upstreamHttpProtocolOptions ?? proto.upstreamHttpProtocolOptions;
  if (names && names.overrideAutoSniHeader !== "")
    throw new InvalidResource("UNSUPPORTED_AUTO_SNI", `cluster ${proto.name}: override_auto_sni_header is not supported`);
  let http1 = proto.httpProtocolOptions;
  let http2 = proto.http2ProtocolOptions;
  let http: UpstreamHttp = proto.http2ProtocolOptions ? "http2" : "http1";
  const choice = options?.upstreamProtocolOptions;
  if (choice?.case === "explicitHttpConfig") {
    if (choice.value.protocolConfig.case === "http3ProtocolOptions") throw new InvalidResource("UNSUPPORTED_PROTOCOL", "HTTP/3 is not supported");
    http = choice.value.protocolConfig.case === "http2ProtocolOptions" ? "http2" : "http1";
    if (choice.value.protocolConfig.case === "http2ProtocolOptions") http2 = choice.value.protocolConfig.value;
    else if (choice.value.protocolConfig.case === "httpProtocolOptions") http1 = choice.value.protocolConfig.value;
  } else if (choice?.case !== undefined) {
    http = choice.case === "autoConfig" ? "auto" : "downstream";
    http1 = choice.value.httpProtocolOptions;
    http2 = choice.value.http2ProtocolOptions;
  }
  return {
    http,
    http2: sessionOptions(http2),
    headerCase: compileHeaderCase(http1),
    http1Trailers: http1?.enableTrailers ?? false,
    autoSni: names?.autoSni ?? false,
    autoSanValidation: names?.autoSanValidation ?? false,
    idleTimeoutMs: timeoutMs(common?.idleTimeout, DEFAULT_IDLE_MS),
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? proto.maxRequestsPerConnection ?? 0,
  };
}
