import { Cluster_LbPolicy } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { LoadBalancingPolicy } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterProvidedSchema } from "../../proto/gen/envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided_pb.ts";
import type { LocalityLbConfig } from "../../proto/gen/envoy/extensions/load_balancing_policies/common/v3/common_pb.ts";
import {
  LeastRequest_SelectionMethod,
  LeastRequestSchema,
} from "../../proto/gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.ts";
import { MaglevSchema } from "../../proto/gen/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.ts";
import { RandomSchema } from "../../proto/gen/envoy/extensions/load_balancing_policies/random/v3/random_pb.ts";
import { RingHashSchema } from "../../proto/gen/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb.ts";
import { RoundRobinSchema } from "../../proto/gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.ts";
import { WrrLocalitySchema } from "../../proto/gen/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality_pb.ts";
import { TypedConfig } from "../filters/typed-config.ts";
import { InvalidResource } from "../types.ts";
import { CHOICES, DEFAULT_LB, MAGLEV_TABLE, MIN_RING, type LbConfig } from "./lb-config.ts";
import { compileSlowStart } from "./slow-start.ts";

/** The first policy of the list that is known, as Envoy takes it. */
export function compilePolicy({ policies }: LoadBalancingPolicy, cluster: string): LbConfig {
  const names: string[] = [];
  for (const { typedExtensionConfig } of policies) {
    const config = typedExtensionConfig?.typedConfig && TypedConfig.open(typedExtensionConfig.typedConfig);
    const compiled = config && compileExtension(config, cluster);
    if (compiled) return compiled;
    names.push(typedExtensionConfig?.name ?? "");
  }
  throw new InvalidResource(
    "UNSUPPORTED_LB_POLICY",
    `cluster: didn't find a registered load balancer factory implementation for cluster: '${cluster}' with names from [${names.join(", ")}]`,
  );
}

function compileExtension(config: TypedConfig, cluster: string): LbConfig | undefined {
  const weighted = (locality: LocalityLbConfig | undefined): boolean => locality?.localityConfigSpecifier.case === "localityWeightedLbConfig";
  switch (config.typeName) {
    case RoundRobinSchema.typeName: {
      const round = config.read(RoundRobinSchema);
      return { ...DEFAULT_LB, slowStart: compileSlowStart(round.slowStartConfig), localityWeighted: weighted(round.localityLbConfig) };
    }
    case LeastRequestSchema.typeName: {
      const least = config.read(LeastRequestSchema);
      const all = least.selectionMethod === LeastRequest_SelectionMethod.FULL_SCAN || least.enableFullScan === true;
      return {
        ...DEFAULT_LB,
        policy: Cluster_LbPolicy.LEAST_REQUEST,
        choices: all ? Infinity : (least.choiceCount ?? CHOICES),
        slowStart: compileSlowStart(least.slowStartConfig),
        localityWeighted: weighted(least.localityLbConfig),
      };
    }
    case RandomSchema.typeName:
      return { ...DEFAULT_LB, policy: Cluster_LbPolicy.RANDOM, localityWeighted: weighted(config.read(RandomSchema).localityLbConfig) };
    case RingHashSchema.typeName: {
      const ring = config.read(RingHashSchema);
      return {
        ...DEFAULT_LB,
        policy: Cluster_LbPolicy.RING_HASH,
        minRingSize: Number(ring.minimumRingSize ?? MIN_RING),
        localityWeighted: ring.localityWeightedLbConfig !== undefined,
      };
    }
    case MaglevSchema.typeName: {
      const maglev = config.read(MaglevSchema);
      return {
        ...DEFAULT_LB,
        policy: Cluster_LbPolicy.MAGLEV,
        maglevTableSize: Number(maglev.tableSize ?? MAGLEV_TABLE),
        localityWeighted: maglev.localityWeightedLbConfig !== undefined,
      };
    }
    case WrrLocalitySchema.typeName: {
      const inner = config.read(WrrLocalitySchema).endpointPickingPolicy;
      return inner && { ...compilePolicy(inner, cluster), localityWeighted: true };
    }
    case ClusterProvidedSchema.typeName:
      return { ...DEFAULT_LB, policy: Cluster_LbPolicy.CLUSTER_PROVIDED };
  }
  return undefined;
}
