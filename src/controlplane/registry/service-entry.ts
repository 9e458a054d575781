import { isIP } from "node:net";
import type { Namespace, Pod, ServiceEntry, WorkloadEntry, WorkloadEntrySpec } from "../../resources/index.ts";
import { describePod, localityFromLabel, spiffeId, withTopologyLabels, type EndpointContext, type MeshEndpoint } from "./endpoint.ts";
import { parseProtocol } from "./protocol.ts";
import { trafficDistribution, UNSPECIFIED, type MeshService, type Resolution } from "./service.ts";

const RESOLUTIONS: Readonly<Record<string, Resolution>> = {
  NONE: "Passthrough",
  STATIC: "ClientSideLB",
  DNS: "DNSLB",
  DNS_ROUND_ROBIN: "DNSRoundRobinLB",
  DYNAMIC_DNS: "DynamicDNS",
};
const UNIX_PREFIX = "unix://";
const TLS_MODE = "security.istio.io/tlsMode";

/** The services of a ServiceEntry: one for each host and address. */
export function servicesOfEntry(entry: ServiceEntry, namespace: Namespace | undefined): MeshService[] {
  const spec = entry.spec;
  if (!spec) return [];
  const resolution = RESOLUTIONS[spec.resolution ?? "NONE"] ?? "Passthrough";
  const ports = spec.ports ?? [];
  const targets: Record<number, number> = {};
  if (resolution === "Passthrough") for (const port of ports) if (port.targetPort) targets[port.number] = port.targetPort;
  const common = {
    namespace: entry.metadata.namespace ?? "",
    ports: ports.map((port) => ({ name: port.name, port: port.number, protocol: parseProtocol(port.protocol) })),
    resolution,
    meshExternal: (spec.location ?? "MESH_EXTERNAL") === "MESH_EXTERNAL",
    registry: "External" as const,
    created: Date.parse(entry.metadata.creationTimestamp ?? "") || 0,
    labels: entry.metadata.labels ?? {},
    selector: spec.workloadSelector?.labels,
    exportTo: spec.exportTo?.length ? spec.exportTo : undefined,
    subjectAltNames: spec.subjectAltNames ?? [],
    externalName: "",
    aliases: [],
    nodeLocal: false,
    publishNotReadyAddresses: false,
    trafficDistribution: trafficDistribution(undefined, entry.metadata.annotations, namespace?.metadata.annotations),
    passthroughTargetPorts: targets,
  };
  return (spec.hosts ?? []).flatMap((hostname): MeshService[] => {
    const of = (address: string, autoAddresses: string[]): MeshService => ({
      ...common,
      hostname,
      name: hostname,
      address,
      addresses: address === UNSPECIFIED ? [] : [address],
      autoAddresses,
    });
    if (!spec.addresses?.length) {
      const assigned = (entry.status?.addresses ?? []).filter((address) => !address.host || address.host === hostname);
      return [of(UNSPECIFIED, assigned.map((address) => address.value))];
    }
    return spec.addresses.flatMap((address) => {
      const usable = normaliseAddress(address);
      return usable ? [of(usable, [])] : [];
    });
  });
}

/** The endpoints that a ServiceEntry names itself, or selects among workload entries and pods. */
export function endpointsOfEntry(
  entry: ServiceEntry,
  hostname: string,
  selected: { workloadEntries: readonly WorkloadEntry[]; pods: readonly Pod[] },
  context: EndpointContext,
): MeshEndpoint[] {
  const spec = entry.spec;
  if (!spec) return [];
  const namespace = entry.metadata.namespace ?? "";
  const isDns = spec.resolution === "DNS" || spec.resolution === "DNS_ROUND_ROBIN" || spec.resolution === "DYNAMIC_DNS";
  if (spec.workloadSelector) {
    return [
      ...selected.pods.flatMap((pod) => ofPod(pod, entry, context)),
      ...selected.workloadEntries.flatMap((workload) => {
        const merged = { ...workload.spec, labels: { ...workload.spec?.labels, ...workload.metadata.labels } };
        if (!isDns && !isUsableByAddress(merged.address)) return [];
        return ofWorkload(merged, workload.metadata.name, workload.metadata.namespace ?? namespace, entry, context);
      }),
    ];
  }
  if (spec.endpoints?.length) {
    return spec.endpoints.flatMap((endpoint, index) => ofWorkload(endpoint, `${entry.metadata.name}-${index}`, namespace, entry, context));
  }
  if (!isDns) return [];
  return (spec.ports ?? []).map((port) => ({
    address: hostname,
    port: port.targetPort || port.number,
    portName: port.name,
    labels: {},
    identity: "",
    tlsMode: "disabled",
    locality: "",
    network: "",
    clusterId: context.clusterId,
    weight: 0,
    workload: entry.metadata.name,
    namespace,
    nodeName: "",
    podHostname: "",
    podSubdomain: "",
    health: "UNKNOWN",
  }));
}

/** Whether the labels have all that the selector asks for. */
export function selects(selector: Readonly<Record<string, string>> | undefined, labels: Readonly<Record<string, string>> | undefined): boolean {
  for (const key in selector) if (labels?.[key] !== selector[key]) return false;
  return true;
}

function ofWorkload(workload: WorkloadEntrySpec, name: string, namespace: string, entry: ServiceEntry, context: EndpointContext): MeshEndpoint[] {
  const labels = workload.labels ?? {};
  const address = workload.address ?? "";
  const unix = address.startsWith(UNIX_PREFIX);
  const locality = workload.locality || localityFromLabel(labels["istio-locality"]);
  const network = workload.network || labels["topology.istio.io/network"] || context.network;
  return (entry.spec?.ports ?? []).map((port) => ({
    address: unix ? address.slice(UNIX_PREFIX.length) : address,
    port: unix ? 0 : workload.ports?.[port.name] || port.targetPort || port.number,
    portName: port.name,
    labels: withTopologyLabels(labels, { clusterId: context.clusterId, locality, nodeName: "", network }),
    identity: workload.serviceAccount ? spiffeId(context.trustDomain, entry.metadata.namespace ?? "", workload.serviceAccount) : "",
    tlsMode: labels[TLS_MODE] ?? (workload.serviceAccount ? "istio" : "disabled"),
    locality,
    network: workload.network ?? "",
    clusterId: context.clusterId,
    weight: workload.weight ?? 0,
    workload: name,
    namespace,
    nodeName: "",
    podHostname: "",
    podSubdomain: "",
    health: "UNKNOWN",
  }));
}

function ofPod(pod: Pod, entry: ServiceEntry, context: EndpointContext): MeshEndpoint[] {
  const address = pod.status?.podIP;
  if (!address) return [];
  const workload = describePod(pod, context, address);
  return (entry.spec?.ports ?? []).map((port) => ({ ...workload, address, port: port.targetPort || port.number, portName: port.name, podHostname: "", podSubdomain: "", health: "HEALTHY" }));
}

/** A whole-address prefix is an address; what is neither an address nor a prefix is undefined. */
function normaliseAddress(address: string): string | undefined {
  if (isIP(address)) return address;
  const [ip = "", bits = "", ...rest] = address.split("/");
  const family = isIP(ip);
  if (!family || rest.length > 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) return undefined;
  return Number(bits) === (family === 4 ? 32 : 128) ? ip : address;
}

function isUsableByAddress(address: string | undefined): boolean {
  return address === undefined || address === "" || isIP(address) !== 0;
}
