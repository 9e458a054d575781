import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { gunzipSync } from "node:zlib";
import { readFileSync } from "node:fs";
import { ClusterSchema } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterLoadAssignmentSchema } from "../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { ListenerSchema, type Listener } from "../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { RouteConfigurationSchema } from "../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { loadRegistry } from "../../proto/index.ts";
import type { DataPlaneApi } from "../data-plane.ts";

/** One node's answers from istiod, as protojson. */
export interface GoldenNode {
  readonly cds: JsonValue[];
  readonly lds: JsonValue[];
  readonly rds: JsonValue[];
  readonly eds: JsonValue[];
  readonly metadata: { [key: string]: unknown };
}

export type GoldenCases = { readonly [name: string]: { readonly [node: string]: GoldenNode } };

export function readGolden(): GoldenCases {
  const path = new URL("../../../test/golden/proxy/istiod-xds.json.gz", import.meta.url);
  return JSON.parse(gunzipSync(readFileSync(path)).toString()) as GoldenCases;
}

/** `@type` belongs to the Any that carried a resource, not to the resource. */
function bare(json: JsonValue): JsonValue {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  const { "@type": _type, ...rest } = json;
  return rest;
}

export async function readListener(json: JsonValue): Promise<Listener> {
  return fromJson(ListenerSchema, bare(json), { registry: await loadRegistry() });
}

/** Hands all of a node's resources to a data plane, in the order of istiod's push. */
export async function applyGolden(dataPlane: DataPlaneApi, node: Partial<GoldenNode>): Promise<void> {
  const registry = await loadRegistry();
  for (const json of node.cds ?? []) dataPlane.setCluster(fromJson(ClusterSchema, bare(json), { registry }));
  for (const json of node.eds ?? []) dataPlane.setEndpoints(fromJson(ClusterLoadAssignmentSchema, bare(json), { registry }));
  for (const json of node.lds ?? []) dataPlane.setListener(await readListener(json));
  for (const json of node.rds ?? []) dataPlane.setRouteConfiguration(fromJson(RouteConfigurationSchema, bare(json), { registry }));
}
