import { create } from "@bufbuild/protobuf";
import type { Init } from "../../../proto/index.ts";
import { CircuitBreakersSchema, type CircuitBreakers_ThresholdsSchema } from "../../../proto/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts";
import { OutlierDetectionSchema } from "../../../proto/gen/envoy/config/cluster/v3/outlier_detection_pb.ts";
import { Cluster_CommonLbConfigSchema, UpstreamConnectionOptionsSchema } from "../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { TcpKeepaliveSchema } from "../../../proto/gen/envoy/config/core/v3/address_pb.ts";
import { HttpProtocolOptionsSchema, KeepaliveSettingsSchema } from "../../../proto/gen/envoy/config/core/v3/protocol_pb.ts";
import { PercentSchema } from "../../../proto/gen/envoy/type/v3/percent_pb.ts";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import type { ConnectionPoolSettings, OutlierDetection, TrafficPolicy } from "../../../resources/index.ts";
import { parseDuration } from "../../policy/index.ts";
import type { MeshConfig, MeshPort } from "../../registry/index.ts";
import { isHttp } from "../../registry/index.ts";
import type { ClusterDraft } from "./draft.ts";

type Thresholds = Init<typeof CircuitBreakers_ThresholdsSchema>;
type Keepalive = NonNullable<NonNullable<ConnectionPoolSettings["tcp"]>["tcpKeepalive"]>;

/** Istio lifts Envoy's limits (1024 connections, 3 retries at once), which roll-outs run into. */
const UNLIMITED = 4294967295;

const duration = (text: string | undefined) => {
  const parsed = parseDuration(text);
  return parsed && create(DurationSchema, parsed);
};

/** Limits, time-outs and protocol of the connections to a cluster. */
export function applyConnectionPool(
  draft: ClusterDraft,
  settings: ConnectionPoolSettings | undefined,
  retryBudget: TrafficPolicy["retryBudget"],
  mesh: MeshConfig,
): void {
  const { tcp, http } = settings ?? {};
  const limits: Thresholds = { maxRetries: UNLIMITED, maxRequests: UNLIMITED, maxConnections: UNLIMITED, maxPendingRequests: UNLIMITED };
  if (retryBudget) {
    const { percent, minRetryConcurrency, ...rest } = retryBudget as typeof retryBudget & { budgetInterval?: string };
    const budgetInterval = duration(rest.budgetInterval);
    limits.retryBudget = { budgetPercent: { value: percent ?? 20 }, minRetryConcurrency: minRetryConcurrency || 3, ...(budgetInterval && { budgetInterval }) };
  }
  if (http?.http2MaxRequests) limits.maxRequests = http.http2MaxRequests;
  if (http?.http1MaxPendingRequests) limits.maxPendingRequests = http.http1MaxPendingRequests;
  if (http?.maxRetries) limits.maxRetries = http.maxRetries;
  if (tcp?.maxConnections) limits.maxConnections = tcp.maxConnections;
  const connectTimeout = duration(tcp?.connectTimeout) ?? duration(mesh.connectTimeout);
  if (connectTimeout) draft.init.connectTimeout = connectTimeout;
  applyKeepalive(draft, mesh.tcpKeepalive);
  applyKeepalive(draft, tcp?.tcpKeepalive);
  draft.init.circuitBreakers = create(CircuitBreakersSchema, { thresholds: [limits] });

  const idleTimeout = duration(http?.idleTimeout) ?? duration(tcp?.idleTimeout);
  const maxConnectionDuration = duration(tcp?.maxConnectionDuration);
  const maxRequestsPerConnection = http?.maxRequestsPerConnection || undefined;
  if (idleTimeout || maxConnectionDuration || maxRequestsPerConnection || http?.maxConcurrentStreams || http?.http2KeepAlive) {
    draft.httpOptions.commonHttpProtocolOptions ??= create(HttpProtocolOptionsSchema);
    const common = draft.httpOptions.commonHttpProtocolOptions;
    if (idleTimeout) common.idleTimeout = idleTimeout;
    if (maxConnectionDuration) common.maxConnectionDuration = maxConnectionDuration;
    if (maxRequestsPerConnection) common.maxRequestsPerConnection = maxRequestsPerConnection;
    const protocol = draft.httpOptions.upstreamProtocolOptions;
    if (protocol.case === "explicitHttpConfig" && protocol.value.protocolConfig.case === "http2ProtocolOptions") {
      const http2 = protocol.value.protocolConfig.value;
      if (http?.maxConcurrentStreams) http2.maxConcurrentStreams = http.maxConcurrentStreams;
      if (http?.http2KeepAlive) {
        const interval = duration(http.http2KeepAlive.interval);
        const timeout = duration(http.http2KeepAlive.timeout);
        http2.connectionKeepalive = create(KeepaliveSettingsSchema, { ...(interval && { interval }), ...(timeout && { timeout }) });
      }
    }
  }
  if (http?.useClientProtocol) draft.useDownstreamProtocol();
}

/** Whether connections to the cluster speak HTTP/2 though the port's name does not say so. */
export function upgradesToHttp2(settings: ConnectionPoolSettings | undefined, port: MeshPort, mesh: MeshConfig): boolean {
  const http = settings?.http;
  if (http?.useClientProtocol) return false;
  if (http?.h2UpgradePolicy === "UPGRADE") return true;
  if (http?.h2UpgradePolicy === "DO_NOT_UPGRADE") return false;
  return isHttp(port.protocol) && mesh.h2UpgradePolicy === "UPGRADE";
}

/** Ejection of endpoints that fail. `minHealthPercent` turns Envoy's panic mode on, which Istio leaves off. */
export function applyOutlierDetection(draft: ClusterDraft, outlier: OutlierDetection | undefined, alwaysSendsUnhealthy: boolean): void {
  if (!outlier) return;
  const detection = create(OutlierDetectionSchema, { enforcingSuccessRate: 0 });
  const enforced = (count: number): number => (count > 0 ? 100 : 0);
  const { consecutive5xxErrors: errors, consecutiveGatewayErrors: gatewayErrors } = outlier;
  if (errors !== undefined && errors !== null) {
    detection.consecutive5xx = errors;
    detection.enforcingConsecutive5xx = enforced(errors);
  }
  if (gatewayErrors !== undefined && gatewayErrors !== null) {
    detection.consecutiveGatewayFailure = gatewayErrors;
    detection.enforcingConsecutiveGatewayFailure = enforced(gatewayErrors);
  }
  const interval = duration(outlier.interval);
  if (interval) detection.interval = interval;
  const baseEjectionTime = duration(outlier.baseEjectionTime);
  if (baseEjectionTime) detection.baseEjectionTime = baseEjectionTime;
  if (outlier.maxEjectionPercent) detection.maxEjectionPercent = outlier.maxEjectionPercent;
  if (outlier.splitExternalLocalOriginErrors) {
    detection.splitExternalLocalOriginErrors = true;
    if (outlier.consecutiveLocalOriginFailures) {
      detection.consecutiveLocalOriginFailure = outlier.consecutiveLocalOriginFailures;
      detection.enforcingConsecutiveLocalOriginFailure = 100;
    }
    detection.enforcingLocalOriginSuccessRate = 0;
  }
  draft.init.outlierDetection = detection;
  const threshold = alwaysSendsUnhealthy ? 0 : (outlier.minHealthPercent ?? 0);
  draft.init.commonLbConfig ??= create(Cluster_CommonLbConfigSchema);
  if (threshold >= 0) draft.init.commonLbConfig.healthyPanicThreshold = create(PercentSchema, { value: threshold });
}

function applyKeepalive(draft: ClusterDraft, keepalive: Keepalive | undefined): void {
  if (!keepalive) return;
  draft.init.upstreamConnectionOptions ??= create(UpstreamConnectionOptionsSchema, { tcpKeepalive: create(TcpKeepaliveSchema) });
  const target = draft.init.upstreamConnectionOptions.tcpKeepalive;
  if (!target) return;
  if (keepalive.probes) target.keepaliveProbes = keepalive.probes;
  const time = parseDuration(keepalive.time);
  if (time) target.keepaliveTime = Number(time.seconds);
  const interval = parseDuration(keepalive.interval);
  if (interval) target.keepaliveInterval = Number(interval.seconds);
}
