import type { TcpProxy } from "../../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts";
import { timeoutMs } from "../durations.ts";
import type { Services } from "../services.ts";
import { compileAccessLogs, type AccessLogger } from "../telemetry/access-log.ts";
import type { TcpStats } from "../telemetry/stat-scope.ts";
import { InvalidResource } from "../types.ts";
import { LB_METADATA, MetadataCriteria } from "../upstream/metadata-criteria.ts";
import { compileTunnel, type TunnelHead } from "./tunnel.ts";

/** Where connections go: a cluster, and which subset of its endpoints. */
export interface TcpTarget {
  readonly cluster: string;
  readonly criteria: MetadataCriteria | undefined;
}

/** A TcpProxy read once. */
export interface TcpConfig {
  readonly core: TcpStats;
  /** Chooses by a draw in [0, 1). */
  readonly target: (draw: number) => TcpTarget;
  readonly idleTimeoutMs: number | undefined;
  /** For a connection as a whole. */
  readonly maxDurationMs: number | undefined;
  readonly maxConnectAttempts: number;
  readonly hashBySource: boolean;
  /** Connections go through an HTTP tunnel of the cluster. */
  readonly tunnel: TunnelHead | undefined;
  readonly accessLog: AccessLogger | undefined;
}

/** Throws InvalidResource. */
export function compileTcpProxy(proto: TcpProxy, services: Services): TcpConfig {
  const specifier = proto.clusterSpecifier;
  const criteria = MetadataCriteria.of(proto.metadataMatch?.filterMetadata);
  let target: TcpConfig["target"];
  if (specifier.case === "cluster") {
    const only = { cluster: specifier.value, criteria };
    target = () => only;
  } else if (specifier.case === "weightedClusters") {
    const { clusters } = specifier.value;
    const total = clusters.reduce((sum, each) => sum + each.weight, 0);
    if (total === 0) throw new InvalidResource("INVALID_TCP_PROXY", "TcpProxy weighted clusters have no weight");
    const targets = clusters.map((each) => ({
      cluster: each.name,
      criteria: MetadataCriteria.merged(criteria, each.metadataMatch?.filterMetadata[LB_METADATA]),
    }));
    target = (draw) => {
      let left = draw * total;
      for (let i = 0; i < clusters.length; i++) {
        left -= clusters[i]?.weight ?? 0;
        if (left < 0) return targets[i] as TcpTarget;
      }
      return targets[targets.length - 1] as TcpTarget;
    };
  } else throw new InvalidResource("INVALID_TCP_PROXY", "TcpProxyValidationError.ClusterSpecifier: value is required");
  return {
    core: services.core.tcp(proto.statPrefix),
    target,
    // Envoy's default for TCP: one hour.
    idleTimeoutMs: timeoutMs(proto.idleTimeout, 3_600_000),
    maxDurationMs: timeoutMs(proto.maxDownstreamConnectionDuration),
    maxConnectAttempts: proto.maxConnectAttempts ?? 1,
    hashBySource: proto.hashPolicy.some((policy) => policy.policySpecifier.case === "sourceIp"),
    tunnel: proto.tunnelingConfig && compileTunnel(proto.tunnelingConfig, services.hostname),
    accessLog: compileAccessLogs(proto.accessLog, services),
  };
}
