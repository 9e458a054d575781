import { Cluster_LbPolicy, type Cluster as ClusterProto } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type * as LbExtension from "./lb-extension.ts";
import { compileSlowStart, type SlowStartConfig } from "./slow-start.ts";

/** How a host is chosen, whichever of Envoy's two ways says so. */
export interface LbConfig {
  readonly policy: Cluster_LbPolicy;
  /** LEAST_REQUEST compares so many; Infinity looks at all. */
  readonly choices: number;
  readonly minRingSize: number;
  readonly maglevTableSize: number;
  readonly slowStart: SlowStartConfig | undefined;
  readonly localityWeighted: boolean;
  /** Original-destination clusters. */
  readonly original: { readonly headerName: string | undefined; readonly portOverride: number | undefined };
}

/** Envoy's defaults. */
export const CHOICES = 2;
export const MIN_RING = 1024;
export const MAGLEV_TABLE = 65_537;

export const DEFAULT_LB: LbConfig = {
  policy: Cluster_LbPolicy.ROUND_ROBIN,
  choices: CHOICES,
  minRingSize: MIN_RING,
  maglevTableSize: MAGLEV_TABLE,
  slowStart: undefined,
  localityWeighted: false,
  original: { headerName: undefined, portOverride: undefined },
};

/** Throws InvalidResource. */
export function compileLb(proto: ClusterProto): LbConfig {
  // Istio says it in the other way: the types for this one are loaded with the first that does not.
  if (proto.loadBalancingPolicy) return (require("./lb-extension.ts") as typeof LbExtension).compilePolicy(proto.loadBalancingPolicy, proto.name);
  const { lbConfig } = proto;
  const ring = lbConfig.case === "ringHashLbConfig" ? lbConfig.value : undefined;
  const maglev = lbConfig.case === "maglevLbConfig" ? lbConfig.value : undefined;
  const least = lbConfig.case === "leastRequestLbConfig" ? lbConfig.value : undefined;
  const round = lbConfig.case === "roundRobinLbConfig" ? lbConfig.value : undefined;
  const original = lbConfig.case === "originalDstLbConfig" ? lbConfig.value : undefined;
  return {
    policy: proto.lbPolicy,
    choices: least?.choiceCount ?? CHOICES,
    minRingSize: Number(ring?.minimumRingSize ?? MIN_RING),
    maglevTableSize: Number(maglev?.tableSize ?? MAGLEV_TABLE),
    slowStart: compileSlowStart(least?.slowStartConfig ?? round?.slowStartConfig),
    localityWeighted: proto.commonLbConfig?.localityConfigSpecifier.case === "localityWeightedLbConfig",
    original: {
      headerName: original?.useHttpHeader ? original.httpHeaderName.toLowerCase() || "x-envoy-original-dst-host" : undefined,
      portOverride: original?.upstreamPortOverride,
    },
  };
}
