import {
  AUTHORIZATION_POLICIES,
  DESTINATION_RULES,
  ENVOY_FILTERS,
  GATEWAYS,
  type GroupVersionResource,
  PEER_AUTHENTICATIONS,
  PROXY_CONFIGS,
  REQUEST_AUTHENTICATIONS,
  SERVICE_ENTRIES,
  SIDECARS,
  TELEMETRIES,
  VIRTUAL_SERVICES,
  WASM_PLUGINS,
  WORKLOAD_ENTRIES,
  WORKLOAD_GROUPS,
} from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import type { MeshView } from "../server/mesh-view.ts";

export interface IstioKind {
  kind: string;
  resource: GroupVersionResource;
}

/** Istio's kinds, in the order that lists show them. */
export const ISTIO_KINDS: readonly IstioKind[] = [
  { kind: "PeerAuthentication", resource: PEER_AUTHENTICATIONS },
  { kind: "AuthorizationPolicy", resource: AUTHORIZATION_POLICIES },
  { kind: "RequestAuthentication", resource: REQUEST_AUTHENTICATIONS },
  { kind: "Gateway", resource: GATEWAYS },
  { kind: "VirtualService", resource: VIRTUAL_SERVICES },
  { kind: "DestinationRule", resource: DESTINATION_RULES },
  { kind: "ServiceEntry", resource: SERVICE_ENTRIES },
  { kind: "Sidecar", resource: SIDECARS },
  { kind: "WorkloadEntry", resource: WORKLOAD_ENTRIES },
  { kind: "WorkloadGroup", resource: WORKLOAD_GROUPS },
  { kind: "EnvoyFilter", resource: ENVOY_FILTERS },
  { kind: "Telemetry", resource: TELEMETRIES },
  { kind: "WasmPlugin", resource: WASM_PLUGINS },
  { kind: "ProxyConfig", resource: PROXY_CONFIGS },
];

/** As Kiali names a kind in its answers: `security.istio.io/v1, Kind=PeerAuthentication`. */
export function gvkText({ kind, resource }: IstioKind): string {
  return `${resource.group}/${resource.version}, Kind=${kind}`;
}

/** All of Istio's objects, by kind. */
export async function istioObjects(mesh: MeshView): Promise<Map<string, KubeObject[]>> {
  const lists = await Promise.all(ISTIO_KINDS.map(async ({ kind, resource }) => [kind, (await mesh.objects(resource)).toSorted(byName)] as const));
  return new Map(lists);
}

/** How an object is named across all kinds: Kiali's key too. */
export function objectKey(object: KubeObject): string {
  return `${object.kind}/${object.metadata.namespace ?? ""}/${object.metadata.name}`;
}

function byName(a: KubeObject, b: KubeObject): number {
  const key = ({ metadata }: KubeObject) => `${metadata.namespace}/${metadata.name}`;
  return key(a) < key(b) ? -1 : 1;
}
