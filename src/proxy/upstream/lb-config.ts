import { Cluster_LbPolicy, type Cluster as ClusterProto } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { LoadBalancingPolicy } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterProvidedSchema } from "../../proto/gen/envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided_pb.ts";
import type { LocalityLbConfig } from "../../proto/gen/envoy/extensions/load_balancing_policies/common/v3/common_pb.ts";
import { LeastRequest_SelectionMethod, LeastRequestSchema } from "../../proto/gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.ts";
import { MaglevSchema } from "../../proto/gen/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.ts";
import { RandomSchema } from "../../proto/gen/envoy/extensions/load_balancing_policies/random/v3/random_pb.ts";
import { RingHashSchema } from "../../proto/gen/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb.ts";
import { RoundRobinSchema } from "../../proto/gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.ts";
import { WrrLocalitySchema } from "../../proto/gen/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality_pb.ts";
import { TypedConfig } from "../filters/typed-config.ts";
import { InvalidResource } from "../types.ts";
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
const CHOICES = 2;
const MIN_RING = 1024;
const MAGLEV_TABLE = 65_537;

const DEFAULTS: LbConfig = {
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
  if (proto.loadBalancingPolicy) return compilePolicy(proto.loadBalancingPolicy, proto.name);
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

/** The first policy of the list that is known, as Envoy takes it. */
function compilePolicy({ policies }: LoadBalancingPolicy, cluster: string): LbConfig {
  const names: string[] = [];
  for (const { typedExtensionConfig } of policies) {
    const config = typedExtensionConfig?.typedConfig && TypedConfig.open(typedExtensionConfig.typedConfig);
    const compiled = config && compileExtension(config, cluster);
    if (compiled) return compiled;
    names.push(typedExtensionConfig?.name ?? "");
  }
  throw new InvalidResource("UNSUPPORTED_LB_POLICY", `cluster: didn't find a registered load balancer factory implementation for cluster: '${cluster}' with names from [${names.join(", ")}]`);
}

function compileExtension(config: TypedConfig, cluster: string): LbConfig | undefined {
  const weighted = (locality: LocalityLbConfig | undefined): boolean => locality?.localityConfigSpecifier.case === "localityWeightedLbConfig";
  switch (config.typeName) {
    case RoundRobinSchema.typeName: {
      const round = config.read(RoundRobinSchema);
      return { ...DEFAULTS, slowStart: compileSlowStart(round.slowStartConfig), localityWeighted: weighted(round.localityLbConfig) };
    }
    case LeastRequestSchema.typeName: {
      const least = config.read(LeastRequestSchema);
      const all = least.selectionMethod === LeastRequest_SelectionMethod.FULL_SCAN || least.enableFullScan === true;
      return { ...DEFAULTS, policy: Cluster_LbPolicy.LEAST_REQUEST, choices: all ? Infinity : (least.choiceCount ?? CHOICES), slowStart: compileSlowStart(least.slowStartConfig), localityWeighted: weighted(least.localityLbConfig) };
    }
    case RandomSchema.typeName:
      return { ...DEFAULTS, policy: Cluster_LbPolicy.RANDOM, localityWeighted: weighted(config.read(RandomSchema).localityLbConfig) };
    case RingHashSchema.typeName: {
      const ring = config.read(RingHashSchema);
      return { ...DEFAULTS, policy: Cluster_LbPolicy.RING_HASH, minRingSize: Number(ring.minimumRingSize ?? MIN_RING), localityWeighted: ring.localityWeightedLbConfig !== undefined };
    }
    case MaglevSchema.typeName: {
      const maglev = config.read(MaglevSchema);
      return { ...DEFAULTS, policy: Cluster_LbPolicy.MAGLEV, maglevTableSize: Number(maglev.tableSize ?? MAGLEV_TABLE), localityWeighted: maglev.localityWeightedLbConfig !== undefined };
    }
    case WrrLocalitySchema.typeName: {
      const inner = config.read(WrrLocalitySchema).endpointPickingPolicy;
      return inner && { ...compilePolicy(inner, cluster), localityWeighted: true };
    }
    case ClusterProvidedSchema.typeName:
      return { ...DEFAULTS, policy: Cluster_LbPolicy.CLUSTER_PROVIDED };
  }
  return undefined;
}
