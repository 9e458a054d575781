import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import {
  Cluster_CommonLbConfig_LocalityWeightedLbConfigSchema,
  Cluster_CommonLbConfig_ZoneAwareLbConfigSchema,
  Cluster_CommonLbConfigSchema,
  Cluster_LbPolicy,
  Cluster_LeastRequestLbConfigSchema,
  Cluster_MaglevLbConfigSchema,
  Cluster_RingHashLbConfigSchema,
  Cluster_RoundRobinLbConfigSchema,
  Cluster_SlowStartConfigSchema,
  type Cluster_SlowStartConfig,
} from "../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { PercentSchema } from "../../../proto/gen/envoy/type/v3/percent_pb.ts";
import type { LoadBalancerSettings } from "../../../resources/index.ts";
import { parseDuration } from "../../policy/index.ts";
import type { MeshConfig, MeshService } from "../../registry/index.ts";
import { localitySettings } from "../endpoint/locality.ts";
import type { ClusterDraft } from "./draft.ts";

/** Istio's size of a ring whose size is not given. */
const DEFAULT_RING_SIZE = 1024n;
/** Envoy demands a runtime key; this one nobody can set. */
const UNUSED_RUNTIME_KEY = "(";

/** How a client spreads its requests over the endpoints. */
export function applyLoadBalancer(draft: ClusterDraft, settings: LoadBalancerSettings | undefined, service: MeshService, mesh: MeshConfig): void {
  const { init } = draft;
  init.commonLbConfig ??= create(Cluster_CommonLbConfigSchema);
  // Unready endpoints are sent so that Envoy can tell how much of a cluster is well; it must not call them in a panic.
  init.commonLbConfig.healthyPanicThreshold ??= create(PercentSchema, { value: 0 });
  applyLocality(draft, settings, service, mesh);
  if (draft.type === "ORIGINAL_DST") {
    init.lbPolicy = Cluster_LbPolicy.CLUSTER_PROVIDED;
    return;
  }
  switch (settings?.simple) {
    case "RANDOM":
      init.lbPolicy = Cluster_LbPolicy.RANDOM;
      break;
    case "ROUND_ROBIN": {
      init.lbPolicy = Cluster_LbPolicy.ROUND_ROBIN;
      const slowStartConfig = warmUp(settings);
      if (slowStartConfig) init.lbConfig = { case: "roundRobinLbConfig", value: create(Cluster_RoundRobinLbConfigSchema, { slowStartConfig }) };
      break;
    }
    case "PASSTHROUGH":
      init.lbPolicy = Cluster_LbPolicy.CLUSTER_PROVIDED;
      draft.type = "ORIGINAL_DST";
      delete init.loadAssignment;
      break;
    default: {
      init.lbPolicy = Cluster_LbPolicy.LEAST_REQUEST;
      const slowStartConfig = warmUp(settings);
      if (slowStartConfig) init.lbConfig = { case: "leastRequestLbConfig", value: create(Cluster_LeastRequestLbConfigSchema, { slowStartConfig }) };
    }
  }
  applyConsistentHash(draft, settings?.consistentHash);
}

function applyLocality({ init }: ClusterDraft, settings: LoadBalancerSettings | undefined, service: MeshService, mesh: MeshConfig): void {
  const locality = localitySettings(settings, service, mesh);
  const common = init.commonLbConfig;
  if (!locality || !common) return;
  const { setting, force, zoneAware } = locality;
  if (zoneAware) {
    common.localityConfigSpecifier = {
      case: "zoneAwareLbConfig",
      value: create(Cluster_CommonLbConfig_ZoneAwareLbConfigSchema, {
        ...(!zoneAware.enabled && { routingEnabled: { value: 0 } }),
        ...(zoneAware.minClusterSize !== undefined && { minClusterSize: BigInt(zoneAware.minClusterSize) }),
      }),
    };
    return;
  }
  // With locality weights Envoy picks the locality before it asks the policy, so they are on only where they are meant.
  const failsOver = force || init.outlierDetection !== undefined;
  if ((failsOver && (setting.failover || setting.failoverPriority)) || setting.distribute) {
    common.localityConfigSpecifier = { case: "localityWeightedLbConfig", value: create(Cluster_CommonLbConfig_LocalityWeightedLbConfigSchema) };
  }
}

function applyConsistentHash({ init }: ClusterDraft, hash: LoadBalancerSettings["consistentHash"]): void {
  if (!hash) return;
  if (hash.maglev) {
    init.lbPolicy = Cluster_LbPolicy.MAGLEV;
    if (hash.maglev.tableSize)
      init.lbConfig = { case: "maglevLbConfig", value: create(Cluster_MaglevLbConfigSchema, { tableSize: BigInt(hash.maglev.tableSize) }) };
    return;
  }
  init.lbPolicy = Cluster_LbPolicy.RING_HASH;
  const size = hash.ringHash ? hash.ringHash.minimumRingSize : hash.minimumRingSize;
  const minimumRingSize = size ? BigInt(size) : hash.ringHash ? undefined : DEFAULT_RING_SIZE;
  if (minimumRingSize !== undefined) init.lbConfig = { case: "ringHashLbConfig", value: create(Cluster_RingHashLbConfigSchema, { minimumRingSize }) };
}

/** New endpoints get their share bit by bit. */
function warmUp(settings: LoadBalancerSettings | undefined): Cluster_SlowStartConfig | undefined {
  const { warmup, warmupDurationSecs } = settings ?? {};
  const window = parseDuration(warmup ? warmup.duration : warmupDurationSecs);
  if (!window) return undefined;
  return create(Cluster_SlowStartConfigSchema, {
    slowStartWindow: create(DurationSchema, window),
    ...(warmup && {
      aggression: { defaultValue: warmup.aggression ?? 1, runtimeKey: UNUSED_RUNTIME_KEY },
      minWeightPercent: { value: warmup.minimumPercent ?? 10 },
    }),
  });
}
