import { isIPv4, isIPv6 } from "node:net";
import type { KubeObject, Node as KubeNode, Pod, Service as KubeService, ServicePort } from "../../resources/index.ts";
import { compareText, localityOfPod, selects, withTopologyLabels, type MeshPort, type MeshService, type MeshSnapshot, type ProxyConfigSpec } from "../registry/index.ts";
import type { MeshView } from "./mesh-view.ts";
import type { Scope } from "./scope/sidecar-scope.ts";
import type { Dialect, ProxyNode } from "./types.ts";

const NETWORK = "topology.istio.io/network";
const REGION = "topology.kubernetes.io/region";
const ZONE = "topology.kubernetes.io/zone";
const SUBZONE = "topology.istio.io/subzone";

/** A port of the proxy's own workload that a service leads to. */
export interface ServiceTarget {
  readonly service: MeshService;
  readonly port: MeshPort;
  readonly targetPort: number;
}

/** What of a node decides the outbound side of its configuration: equal views get the same encoded resources. */
export interface ProxyView {
  readonly type: ProxyNode["type"];
  readonly dialect: Dialect;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly clusterId: string;
  readonly network: string;
  readonly dnsCapture: boolean;
  /** Whether it can look up names as they are asked for; Chainmail's own proxy cannot. */
  readonly forwardProxy: boolean;
  readonly proxyConfig: ProxyConfigSpec | undefined;
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
  return { ipv4: node.addresses.some((address) => isIPv4(address)), ipv6: node.addresses.some((address) => isIPv6(address) && address !== "::1" && !address.startsWith("fe80")) };
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

/** The pod of a node, and the machine that it runs on. */
export function placeOf(node: ProxyNode, snapshot: MeshSnapshot): { pod: Pod | undefined; host: KubeNode | undefined } {
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

/**
 * The ports of services that lead to the node's workload, oldest service first. Services without a selector count by the
 * addresses of their endpoints, but only where no selector says more.
 */
export function serviceTargets(node: ProxyNode, snapshot: MeshSnapshot): ServiceTarget[] {
  const pod = snapshot.objects.get("Pod", node.podName, node.namespace) as Pod | undefined;
  const labels = pod?.metadata.labels ?? node.labels;
  const [address] = node.addresses;
  const targets: ServiceTarget[] = [];
  const own = (snapshot.objects.list("Service", node.namespace) as KubeService[]).flatMap((object) => {
    const service = modelOf(object, snapshot);
    return service ? [{ object, service }] : [];
  });
  const selecting = own.filter(({ service }) => service.selector && selects(service.selector, labels));
  for (const { object, service } of selecting) {
    for (const port of object.spec?.ports ?? []) {
      const targetPort = resolveTargetPort(port, pod, snapshot, service, node);
      const model = service.ports.find((candidate) => candidate.name === (port.name ?? "") && candidate.port === port.port);
      if (model && targetPort) targets.push({ service, port: model, targetPort });
    }
  }
  if (selecting.length === 0) for (const { service } of own) if (!service.selector) targets.push(...targetsByEndpoint(service, address, snapshot));
  for (const entry of snapshot.configs.ServiceEntry) {
    if (entry.metadata.namespace !== node.namespace) continue;
    for (const host of entry.spec?.hosts ?? []) {
      const service = snapshot.services.byHostname.get(host)?.get(node.namespace);
      if (service?.registry === "External") targets.push(...targetsByEndpoint(service, address, snapshot));
    }
  }
  return targets.sort((a, b) => a.service.created - b.service.created || compareText(a.service.hostname, b.service.hostname));
}

/** Whether addresses of endpoints say which services lead to workloads of a namespace, and not selectors alone. */
export function targetsUseEndpoints(namespace: string, snapshot: MeshSnapshot): boolean {
  if (snapshot.configs.ServiceEntry.some(({ metadata }) => metadata.namespace === namespace)) return true;
  const services = snapshot.objects.list("Service", namespace) as KubeService[];
  return services.some(({ spec }) => Object.keys(spec?.selector ?? {}).length === 0 || spec?.ports?.some(({ targetPort }) => typeof targetPort === "string"));
}

function targetsByEndpoint(service: MeshService, address: string | undefined, snapshot: MeshSnapshot): ServiceTarget[] {
  return snapshot.backends(service).endpoints.filter((endpoint) => endpoint.address === address).flatMap((endpoint) => {
    const port = service.ports.find(({ name }) => name === endpoint.portName);
    return port ? [{ service, port, targetPort: endpoint.port }] : [];
  });
}

function modelOf({ metadata }: KubeObject, snapshot: MeshSnapshot): MeshService | undefined {
  const service = snapshot.services.byHostname.get(`${metadata.name}.${metadata.namespace}.svc.${snapshot.domain}`)?.get(metadata.namespace ?? "");
  return service?.registry === "Kubernetes" ? service : undefined;
}

/** A named target port is a container's port of that name; without the pod, what the node or the endpoints say. */
function resolveTargetPort(port: ServicePort, pod: Pod | undefined, snapshot: MeshSnapshot, service: MeshService, node: ProxyNode): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === "number") return target || port.port;
  const containers = [...(pod?.spec?.initContainers ?? []), ...(pod?.spec?.containers ?? [])];
  const ports = pod ? containers.flatMap((container) => container.ports ?? []) : podPorts(node);
  const found = ports.find((candidate) => candidate.name === target && (candidate.protocol ?? "TCP") === (port.protocol ?? "TCP"));
  if (found) return found.containerPort;
  const endpoints = snapshot.backends(service).endpoints.filter(({ portName }) => portName === (port.name ?? ""));
  return (endpoints.find((endpoint) => endpoint.address === node.addresses[0]) ?? endpoints[0])?.port;
}

/** The agent writes the ports of its pod into the metadata, as JSON in a string. */
function podPorts(node: ProxyNode): { name?: string; containerPort: number; protocol?: string }[] {
  try {
    const parsed: unknown = JSON.parse(metadataText(node, "POD_PORTS") || "[]");
    return Array.isArray(parsed) ? parsed.filter((port) => typeof port === "object" && port !== null && typeof (port as { containerPort?: unknown }).containerPort === "number") : [];
  } catch {
    // A node that writes nonsense has no ports: they only say where a name leads.
    return [];
  }
}
