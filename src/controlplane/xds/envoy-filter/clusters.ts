import { clone, type Registry } from "@bufbuild/protobuf";
import { ClusterSchema, type Cluster } from "../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { TransportSocket } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { parseClusterName } from "../names.ts";
import { mergeAny, mergeInto } from "./merge.ts";
import { inContext, type Patch, type PatchContext, type Patches } from "./patches.ts";

export interface ClusterPatching {
  readonly context: PatchContext;
  readonly patches: Patches;
  readonly registry: Registry;
  /** Of inbound clusters, whose names do not say: the hostnames of the services that lead to them. */
  readonly hosts: readonly string[];
  /** Told of a patch that cannot be applied: it is left out, and the others are applied. */
  readonly failed: (thrown: unknown) => void;
}

/** Changes a cluster; undefined when a patch takes it away. */
export function patchCluster(cluster: Cluster, patching: ClusterPatching): Cluster | undefined {
  for (const patch of patching.patches.CLUSTER) {
    if (!inContext(patch, patching.context) || !fits(patch, cluster, patching.hosts)) continue;
    if (patch.operation === "REMOVE") return undefined;
    const value = patch.value as Cluster | undefined;
    if (!value || (patch.operation !== "MERGE" && patch.operation !== "MERGE_AND_REPLACE_LIST")) continue;
    if (value.transportSocket) mergeTransport(cluster, value.transportSocket, patching);
    else mergeInto(ClusterSchema, cluster, value, patch.operation === "MERGE_AND_REPLACE_LIST");
  }
  return cluster;
}

/** Whole clusters that patches add. Those for any context go with the outbound side. */
export function addedClusters({ context, patches }: Pick<ClusterPatching, "context" | "patches">): Cluster[] {
  const added = patches.CLUSTER.filter(
    (patch) => patch.operation === "ADD" && inContext(patch, context) && !(patch.context === "ANY" && context === "SIDECAR_INBOUND"),
  );
  return added.flatMap(({ value }) => (value ? [clone(ClusterSchema, value as Cluster)] : []));
}

/** A patch with a transport changes that alone: the one of its kind, or a cluster that has none. */
function mergeTransport(cluster: Cluster, patch: TransportSocket, { registry, failed }: ClusterPatching): void {
  const matches = cluster.transportSocketMatches.map(({ transportSocket }) => transportSocket);
  const target =
    matches.length > 0
      ? matches.find((socket) => socket?.name === patch.name)
      : cluster.transportSocket?.name === patch.name
        ? cluster.transportSocket
        : undefined;
  if (!target) {
    if (matches.length === 0) cluster.transportSocket = patch;
    return;
  }
  if (target.configType.case !== "typedConfig" || patch.configType.case !== "typedConfig") return;
  try {
    target.configType = { case: "typedConfig", value: mergeAny(target.configType.value, patch.configType.value, registry) };
  } catch (thrown) {
    failed(thrown);
  }
}

function fits({ cluster: match }: Patch, { name }: Cluster, hosts: readonly string[]): boolean {
  if (!match) return true;
  if (match.name) return match.name === name;
  const parsed = parseClusterName(name);
  if (match.subset && match.subset !== parsed?.subset) return false;
  const own = parsed?.direction === "inbound" && hosts.length > 0 ? hosts : [parsed?.hostname ?? ""];
  if (match.service && !own.includes(match.service)) return false;
  return !match.portNumber || match.portNumber === parsed?.port;
}
