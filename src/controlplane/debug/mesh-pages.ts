import type { KubeObject } from "../../resources/index.ts";
import type { ConfigIndex, MeshConfig, MeshSnapshot } from "../registry/index.ts";

/* More pages in Istio's shapes: what policies and networks there are, and the mesh config as it is in force. */

/** `/debug/authorizationz`. */
export function authorizationPage({ configs, mesh }: MeshSnapshot): unknown {
  return { authorization_policies: { namespace_to_policies: byNamespace(configs.AuthorizationPolicy), root_namespace: mesh.rootNamespace } };
}

/** `/debug/telemetryz`. */
export function telemetryPage({ configs, mesh }: MeshSnapshot): unknown {
  return { telemetries: { namespace_to_telemetries: byNamespace(configs.Telemetry), root_namespace: mesh.rootNamespace } };
}

/** `/debug/networkz`; null where there is but one network. */
export function networkPage({ networks }: MeshSnapshot): unknown {
  if (networks.gateways.length === 0) return null;
  return networks.gateways.map(({ network, cluster, address, port }) => ({
    Network: network,
    Cluster: cluster,
    Addr: address,
    Port: port,
    HBONEPort: 0,
    ServiceAccount: { Namespace: "", Name: "" },
  }));
}

/** `/debug/pushcontext`. */
export function pushContextPage(snapshot: MeshSnapshot): unknown {
  const { authorization_policies } = authorizationPage(snapshot) as { authorization_policies: unknown };
  return { AuthorizationPolicies: authorization_policies, NetworkGateways: networkPage(snapshot), UnresolvedGateways: networkPage(snapshot) };
}

/** `/debug/resourcesz`: the kinds of configuration that are followed. */
export function resourcePage(configs: ConfigIndex): unknown {
  const kinds = [...Object.keys(configs), "WorkloadEntry", "WorkloadGroup"].map((kind) => ({ ...groupOf(kind), kind }));
  return [...kinds.sort((a, b) => (a.kind < b.kind ? -1 : 1)), { group: "networking.k8s.io", version: "v1", kind: "Ingress" }];
}

/** `/debug/mesh`: as protojson has it, without fields that say nothing. */
export function meshPage(mesh: MeshConfig): unknown {
  return Object.fromEntries(
    Object.entries(mesh).filter(([field, value]) => !saysNothing(value) && (!(field in UNSET) || JSON.stringify(value) !== JSON.stringify(UNSET[field]))),
  );
}

/** What fields are that nobody set, and that protojson leaves out. */
const UNSET: Record<string, unknown> = {
  accessLogEncoding: "TEXT",
  h2UpgradePolicy: "DO_NOT_UPGRADE",
  verifyCertificateAtClient: true,
  meshMTLS: {},
  pathNormalization: {},
  tlsDefaults: {},
};
const GROUPS: readonly { group: string; kinds: readonly string[]; version: string }[] = [
  { group: "security.istio.io", version: "v1", kinds: ["AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"] },
  { group: "telemetry.istio.io", version: "v1", kinds: ["Telemetry"] },
  { group: "extensions.istio.io", version: "v1alpha1", kinds: ["TrafficExtension", "WasmPlugin"] },
  { group: "networking.istio.io", version: "v1alpha3", kinds: ["EnvoyFilter"] },
  { group: "networking.istio.io", version: "v1beta1", kinds: ["ProxyConfig"] },
];

function groupOf(kind: string): { group: string; version: string } {
  const { group, version } = GROUPS.find(({ kinds }) => kinds.includes(kind)) ?? { group: "networking.istio.io", version: "v1" };
  return { group, version };
}

function byNamespace(objects: readonly KubeObject[]): Record<string, unknown[]> {
  const found: Record<string, unknown[]> = {};
  for (const { metadata, spec } of objects) {
    const { name, namespace = "", annotations } = metadata;
    (found[namespace] ??= []).push({ name, namespace, ...(annotations && Object.keys(annotations).length > 0 && { annotations }), spec });
  }
  return found;
}

function saysNothing(value: unknown): boolean {
  return value === "" || value === false || (Array.isArray(value) && value.length === 0);
}
