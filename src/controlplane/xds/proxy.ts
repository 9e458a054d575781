import { isIPv4, isIPv6 } from "node:net";
import type { Node as KubeNode, Pod } from "../../resources/index.ts";
import { localityOfPod, withTopologyLabels, type MeshSnapshot, type ProxyConfigSpec } from "../registry/index.ts";
import type { MeshView } from "./mesh-view.ts";
import type { Scope } from "./scope/sidecar-scope.ts";
import type { SecretSockets } from "./sds.ts";
import type { ServiceTarget } from "./targets.ts";
import type { Dialect, ProxyNode } from "./types.ts";

const NETWORK = "topology.istio.io/network";
const REGION = "topology.kubernetes.io/region";
const ZONE = "topology.kubernetes.io/zone";
const SUBZONE = "topology.istio.io/subzone";

/** What of a node decides the outbound side of its configuration: equal views get the same encoded resources. */
export interface ProxyView {
  readonly type: ProxyNode["type"];
  readonly dialect: Dialect;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly clusterId: string;
  readonly network: string;
  readonly dnsCapture: boolean;
  /** Where the agent answers names, as `host:port`; empty where it does not say. */
  readonly dnsProxy: string;
  /** Whether it can look up names as they are asked for; Chainmail's own proxy cannot. */
  readonly forwardProxy: boolean;
  readonly proxyConfig: ProxyConfigSpec | undefined;
  readonly secretSockets: SecretSockets;
  /** Files with which the proxy is to show who it is, in place of its workload's certificate. */
  readonly clientFiles: { readonly certificate: string; readonly key: string; readonly root: string } | undefined;
}

/** Everything that is known of a proxy while something is generated for it. */
export interface ProxyContext {
  readonly node: ProxyNode;
  readonly view: ProxyView;
  readonly mesh: MeshView;
  readonly scope: Scope;
  readonly targets: readonly ServiceTarget[];
}

export function interceptionMode(node: ProxyNode): "REDIRECT" | "TPROXY" | "NONE" {
  const mode = node.metadata["INTERCEPTION_MODE"];
  return mode === "TPROXY" || mode === "NONE" ? mode : "REDIRECT";
}

/** The addresses that stand for all and for this host: the first, and those of every family that the proxy has. */
export function wildcards(view: { ipv4: boolean; ipv6: boolean }): { any: string; local: string; all: readonly string[]; locals: readonly string[] } {
  if (!view.ipv4 && view.ipv6) return { any: "::", local: "::1", all: ["::"], locals: ["::1"] };
  const both = view.ipv6;
  return { any: "0.0.0.0", local: "127.0.0.1", all: both ? ["0.0.0.0", "::"] : ["0.0.0.0"], locals: both ? ["127.0.0.1", "::1"] : ["127.0.0.1"] };
}

export function families(node: ProxyNode): { ipv4: boolean; ipv6: boolean } {
  return {
    ipv4: node.addresses.some((address) => isIPv4(address)),
    ipv6: node.addresses.some((address) => isIPv6(address) && address !== "::1" && !address.startsWith("fe80")),
  };
}

/**
 * The node as the registry knows it, which is more than it knows itself: its pod's labels as they are now, and where its
 * pod runs. Those labels count for selectors and failover as the pod's own do.
 */
export function placedNode(node: ProxyNode, pod: Pod | undefined, host: KubeNode | undefined): ProxyNode {
  const own = pod?.metadata.labels ?? node.labels;
  const { region, zone, subZone } = node.locality;
  const known = (pod ? localityOfPod(pod, host) : "") || [own[REGION], own[ZONE], own[SUBZONE]].map((part) => part ?? "").join("/");
  const locality = known !== "//" ? known : [region, zone, subZone].join("/");
  const parts = locality.split("/");
  return {
    ...node,
    labels: withTopologyLabels(own, { clusterId: node.clusterId, locality, nodeName: metadataText(node, "NODE_NAME"), network: own[NETWORK] || node.network }),
    locality: { region: parts[0] ?? "", zone: parts[1] ?? "", subZone: parts[2] ?? "" },
  };
}

/** Whether a node says that it runs where the objects of the snapshot are; of other clusters nothing is known here. */
export function isOfCluster(node: ProxyNode, { clusterId }: MeshSnapshot): boolean {
  const own = metadataText(node, "CLUSTER_ID");
  return own === "" || own === clusterId;
}

/** The pod of a node, and the machine that it runs on. */
export function placeOf(node: ProxyNode, snapshot: MeshSnapshot): { pod: Pod | undefined; host: KubeNode | undefined } {
  if (!isOfCluster(node, snapshot)) return { pod: undefined, host: undefined };
  const pod = snapshot.objects.get("Pod", node.podName, node.namespace) as Pod | undefined;
  return { pod, host: pod?.spec?.nodeName ? (snapshot.objects.get("Node", pod.spec.nodeName) as KubeNode | undefined) : undefined };
}

/** Istio's booleans in metadata are strings or booleans. */
export function metadataFlag(node: ProxyNode, name: string): boolean {
  const value = node.metadata[name];
  return value === true || value === "true" || value === "1";
}

export function metadataText(node: ProxyNode, name: string): string {
  const value = node.metadata[name];
  return typeof value === "string" ? value : "";
}

/** What the agent calls the node's cluster, under which tracers file its spans. */
export function nodeCluster(node: ProxyNode): string {
  return `${node.labels["app"] || metadataText(node, "WORKLOAD_NAME") || node.podName}.${node.namespace}`;
}

/** The node's own ProxyConfig, which the agent has merged over the mesh's already. */
export function proxyConfigOf(node: ProxyNode): ProxyConfigSpec | undefined {
  const config = node.metadata["PROXY_CONFIG"];
  return typeof config === "object" && config !== null && !Array.isArray(config) ? (config as ProxyConfigSpec) : undefined;
}

/** What of a ProxyConfig the agent starts its proxy by; it says nothing of what the proxy is sent. */
const FOR_THE_AGENT: ReadonlySet<string> = new Set([
  "binaryPath",
  "concurrency",
  "configPath",
  "controlPlaneAuthPolicy",
  "discoveryAddress",
  "drainDuration",
  "proxyAdminPort",
  "proxyMetadata",
  "serviceCluster",
  "statNameLength",
  "statusPort",
  "terminationDrainDuration",
]);

/** The node's own ProxyConfig as far as resources depend on it: equal for proxies that only start in different ways. */
export function sharedProxyConfig(node: ProxyNode): ProxyConfigSpec | undefined {
  const own = proxyConfigOf(node);
  return own && (Object.fromEntries(Object.entries(own).filter(([name]) => !FOR_THE_AGENT.has(name))) as ProxyConfigSpec);
}
