import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { WorkloadSchema } from "../../proto/gen/istio/workload/workload_pb.ts";
import { WORKLOAD_TYPE } from "../../proto/index.ts";
import type { Pod } from "../../resources/index.ts";
import { workloadName } from "../registry/endpoint.ts";
import type { MeshSnapshot } from "../registry/snapshot.ts";
import type { RegistryChange } from "../registry/types.ts";
import type { XdsResource } from "../xds/types.ts";

/** Canonical names as injection writes them, with what stands in for them where it has not. */
const CANONICAL_NAME = "service.istio.io/canonical-name";
const CANONICAL_REVISION = "service.istio.io/canonical-revision";

/**
 * The workloads behind addresses, by name `<network>/<address>`: telemetry of proxies that cannot exchange names with
 * their peers asks for them. An address that is nobody's is left out.
 */
export function workloadResources(snapshot: MeshSnapshot, names: readonly string[]): XdsResource[] {
  return names.flatMap((name) => {
    const address = name.slice(name.indexOf("/") + 1);
    const pod = snapshot.objects.podByAddress(address);
    return pod ? [resourceOf(name, address, pod, snapshot)] : [];
  });
}

/** Only pods carry these addresses. */
export function changesWorkloads(change: RegistryChange): boolean {
  return change.kinds.has("Pod");
}

function resourceOf(name: string, address: string, pod: Pod, { clusterId, mesh }: MeshSnapshot): XdsResource {
  const { metadata, spec } = pod;
  const labels = metadata.labels ?? {};
  const namespace = metadata.namespace ?? "";
  const workload = workloadName(pod);
  const value = toBinary(
    WorkloadSchema,
    create(WorkloadSchema, {
      uid: `${clusterId}//Pod/${namespace}/${metadata.name}`,
      name: metadata.name,
      namespace,
      addresses: [bytesOf(address)],
      trustDomain: mesh.trustDomain === "cluster.local" ? "" : mesh.trustDomain,
      serviceAccount: spec?.serviceAccountName || "default",
      node: spec?.nodeName ?? "",
      canonicalName: labels[CANONICAL_NAME] ?? labels["app.kubernetes.io/name"] ?? labels["app"] ?? workload,
      canonicalRevision: labels[CANONICAL_REVISION] ?? labels["app.kubernetes.io/version"] ?? labels["version"] ?? "latest",
      workloadName: workload,
      clusterId,
    }),
  );
  return { name, typeUrl: WORKLOAD_TYPE, version: createHash("sha256").update(value).digest("hex").slice(0, 16), value };
}

/** IPv4 only: pods have no other addresses in this API's answers yet. */
function bytesOf(address: string): Uint8Array {
  const parts = address.split(".").map(Number);
  return parts.length === 4 ? Uint8Array.from(parts) : new Uint8Array(0);
}
