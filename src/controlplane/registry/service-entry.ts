import { isIP } from "node:net";
import type { Namespace, Pod, ServiceEntry, ServicePort, WorkloadEntry, WorkloadEntrySpec } from "../../resources/index.ts";
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
const CONNECT_STRATEGY = "istio.io/connect-strategy";
const HEALTH_CHECKS = "proxy.istio.io/health-checks-enabled";
const REGISTRATION_GROUP = "istio.io/autoRegistrationGroup";
const WORKLOAD_NAME = "service.istio.io/workload-name";
/** What Go reads as true. */
const TRUE: ReadonlySet<string> = new Set(["1", "t", "T", "true", "TRUE", "True"]);

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
    racesAddresses: entry.metadata.annotations?.[CONNECT_STRATEGY]?.toUpperCase() === "RACE_FIRST_TCP_CONNECT",
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
      return [
        of(
          UNSPECIFIED,
          assigned.map((address) => address.value),
        ),
      ];
    }
    return spec.addresses.flatMap((address) => {
      const usable = normaliseAddress(address);
      return usable ? [of(usable, [])] : [];
    });
  });
}

export interface SelectedWorkloads {
  readonly workloadEntries: readonly WorkloadEntry[];
  readonly pods: readonly Pod[];
}

/** The labels of a WorkloadEntry: those of the object win over those in it. */
export function labelsOfWorkload({ spec, metadata }: WorkloadEntry): Record<string, string> {
  return { ...spec?.labels, ...metadata.labels };
}

/** Whether a workload may be sent to: where its health is checked, only once that has gone well. */
export function isHealthyWorkload({ metadata, status }: WorkloadEntry): boolean {
  if (!TRUE.has(metadata.annotations?.[HEALTH_CHECKS] ?? "")) return true;
  return status?.conditions?.some(({ type, status: value }) => type === "Healthy" && value === "True") ?? false;
}

/** The endpoints that a ServiceEntry names itself, or selects among workload entries and pods. */
export function endpointsOfEntry(entry: ServiceEntry, hostname: string, selected: SelectedWorkloads, context: EndpointContext): MeshEndpoint[] {
  const spec = entry.spec;
  if (!spec) return [];
  const namespace = entry.metadata.namespace ?? "";
  const isDns = spec.resolution === "DNS" || spec.resolution === "DNS_ROUND_ROBIN" || spec.resolution === "DYNAMIC_DNS";
  if (spec.workloadSelector) {
    return [
      ...selected.pods.flatMap((pod) => ofPod(pod, entry, context)),
      ...selected.workloadEntries.flatMap((workload) => {
        if (!isDns && !isUsableByAddress(workload.spec?.address)) return [];
        return ofWorkload(mergedSpec(workload), nameOfWorkload(workload), workload.metadata.namespace ?? namespace, entry, context);
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
    entryPort: port.number,
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

/** The endpoints of workload entries that a Kubernetes Service selects; a named target port is one that the workload names. */
export function endpointsOfSelected(
  service: MeshService,
  ports: readonly ServicePort[],
  workloads: readonly WorkloadEntry[],
  context: EndpointContext,
): MeshEndpoint[] {
  return workloads
    .filter(({ spec }) => isUsableByAddress(spec?.address))
    .flatMap((workload) =>
      ports.flatMap((port): MeshEndpoint[] => {
        const number = workloadPort(workload, port);
        if (number === undefined) return [];
        const asEntry: ServiceEntry = {
          apiVersion: "networking.istio.io/v1",
          kind: "ServiceEntry",
          metadata: { name: service.name, namespace: service.namespace },
          spec: { hosts: [service.hostname], ports: [{ number: port.port, name: port.name ?? "", protocol: "TCP", targetPort: number }] },
        };
        const { ports: _, ...spec } = mergedSpec(workload);
        return ofWorkload(spec, nameOfWorkload(workload), workload.metadata.namespace ?? service.namespace, asEntry, context).map((endpoint) => ({
          ...endpoint,
          entryPort: 0,
        }));
      }),
    );
}

/** Where a workload serves a Service's port; undefined when the port has a name that the workload does not know. */
export function workloadPort({ spec }: WorkloadEntry, { name = "", port, targetPort = port }: ServicePort): number | undefined {
  const own = spec?.ports?.[typeof targetPort === "string" ? targetPort : name];
  return own || (typeof targetPort === "number" ? targetPort || port : undefined);
}

function mergedSpec(workload: WorkloadEntry): WorkloadEntrySpec {
  return { ...workload.spec, labels: labelsOfWorkload(workload) };
}

/** The group that a workload registered itself for names it, or its label. */
function nameOfWorkload({ metadata }: WorkloadEntry): string {
  return metadata.annotations?.[REGISTRATION_GROUP] ?? metadata.labels?.[WORKLOAD_NAME] ?? metadata.name;
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
    entryPort: port.number,
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
  return (entry.spec?.ports ?? []).map((port) => ({
    ...workload,
    address,
    port: port.targetPort || port.number,
    portName: port.name,
    entryPort: port.number,
    podHostname: "",
    podSubdomain: "",
    health: "HEALTHY",
  }));
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
