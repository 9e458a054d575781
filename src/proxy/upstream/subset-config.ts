import {
  Cluster_LbPolicy,
  Cluster_LbSubsetConfig_LbSubsetFallbackPolicy as Fallback,
  Cluster_LbSubsetConfig_LbSubsetMetadataFallbackPolicy as MetadataFallback,
  Cluster_LbSubsetConfig_LbSubsetSelector_LbSubsetSelectorFallbackPolicy as SelectorFallback,
  type Cluster_LbSubsetConfig,
  type Cluster_LbSubsetConfig_LbSubsetSelector,
} from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { InvalidResource } from "../types.ts";

/** What is done for a request whose subset has no endpoint. */
export type SubsetFallback = "none" | "any" | "default" | { readonly keys: ReadonlySet<string> };

export interface SubsetSelector {
  /** In the order of their names. */
  readonly keys: readonly string[];
  readonly singleHost: boolean;
  /** Undefined: as the cluster says. */
  readonly fallback: SubsetFallback | undefined;
}

/** A cluster's subsets: by which keys of the endpoints' metadata they are made. */
export interface SubsetConfig {
  readonly selectors: readonly SubsetSelector[];
  readonly fallback: SubsetFallback;
  readonly defaultSubset: { readonly [key: string]: unknown };
  readonly listAsAny: boolean;
  readonly localityAware: boolean;
  readonly scaleLocalityWeight: boolean;
  readonly panicAny: boolean;
  /** The request's criteria may hold a list of which one after the other is tried. */
  readonly fallbackList: boolean;
}

/** Undefined for clusters without subsets. Throws InvalidResource. */
export function compileSubsets(proto: Cluster_LbSubsetConfig | undefined, policy: Cluster_LbPolicy, cluster: string): SubsetConfig | undefined {
  // Envoy sees no subsets without a selector, whatever the fallback is.
  if (!proto || proto.subsetSelectors.length === 0) return undefined;
  if (policy === Cluster_LbPolicy.CLUSTER_PROVIDED) {
    throw new InvalidResource("INVALID_CLUSTER", `cluster: LB policy CLUSTER_PROVIDED cannot be combined with lb_subset_config: ${cluster}`);
  }
  return {
    selectors: proto.subsetSelectors.map(compileSelector),
    fallback: CLUSTER_FALLBACK[proto.fallbackPolicy],
    defaultSubset: proto.defaultSubset ?? {},
    listAsAny: proto.listAsAny,
    localityAware: proto.localityWeightAware,
    scaleLocalityWeight: proto.scaleLocalityWeight,
    panicAny: proto.panicModeAny,
    fallbackList: proto.metadataFallbackPolicy === MetadataFallback.FALLBACK_LIST,
  };
}

const CLUSTER_FALLBACK: Record<Fallback, SubsetFallback> = {
  [Fallback.NO_FALLBACK]: "none",
  [Fallback.ANY_ENDPOINT]: "any",
  [Fallback.DEFAULT_SUBSET]: "default",
};

function compileSelector(proto: Cluster_LbSubsetConfig_LbSubsetSelector): SubsetSelector {
  const keys = [...new Set(proto.keys)].sort();
  return { keys, singleHost: proto.singleHostPerSubset, fallback: selectorFallback(proto, keys) };
}

function selectorFallback(
  { fallbackPolicy, fallbackKeysSubset }: Cluster_LbSubsetConfig_LbSubsetSelector,
  keys: readonly string[],
): SubsetFallback | undefined {
  switch (fallbackPolicy) {
    case SelectorFallback.NO_FALLBACK:
      return "none";
    case SelectorFallback.ANY_ENDPOINT:
      return "any";
    case SelectorFallback.DEFAULT_SUBSET:
      return "default";
    case SelectorFallback.KEYS_SUBSET: {
      const fewer = new Set(fallbackKeysSubset);
      if (fewer.size === 0) throw new InvalidResource("INVALID_CLUSTER", "fallback_keys_subset cannot be empty");
      if (![...fewer].every((key) => keys.includes(key)))
        throw new InvalidResource("INVALID_CLUSTER", "fallback_keys_subset must be a subset of selector keys");
      if (fewer.size === keys.length) throw new InvalidResource("INVALID_CLUSTER", "fallback_keys_subset cannot be equal to keys");
      return { keys: fewer };
    }
  }
  return undefined;
}
