import type { Service as KubeService } from "../../resources/index.ts";
import { isIPv4 } from "node:net";
import { protocolOfPort, type Protocol } from "./protocol.ts";

/** How a proxy finds the endpoints of a service. */
export type Resolution = "ClientSideLB" | "DNSLB" | "DNSRoundRobinLB" | "Passthrough" | "Alias" | "DynamicDNS";

export interface MeshPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: Protocol;
}

/** One service of the mesh, from a Kubernetes Service or a host of a ServiceEntry. */
export interface MeshService {
  readonly hostname: string;
  readonly name: string;
  readonly namespace: string;
  readonly ports: readonly MeshPort[];
  /** "0.0.0.0" when it has none; may be a CIDR for a ServiceEntry. */
  readonly address: string;
  /** All addresses, the first one included; empty when `address` is "0.0.0.0". */
  readonly addresses: readonly string[];
  /** Handed out for a ServiceEntry without addresses; only proxies that resolve names themselves use it. */
  readonly autoAddresses: readonly string[];
  readonly resolution: Resolution;
  readonly meshExternal: boolean;
  readonly registry: "Kubernetes" | "External";
  /** Milliseconds since the epoch; 0 when unknown. */
  readonly created: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the workloads it selects; undefined when it selects none. */
  readonly selector: Readonly<Record<string, string>> | undefined;
  /** Undefined means the mesh's default; values as in exportTo: ".", "*", "~" or a namespace. */
  readonly exportTo: readonly string[] | undefined;
  /** SPIFFE ids (or DNS names for external services) that its servers may show besides those of their pods. */
  readonly subjectAltNames: readonly string[];
  /** Target of an ExternalName service. */
  readonly externalName: string;
  /** Hostnames of ExternalName services that point here. */
  readonly aliases: readonly { readonly hostname: string; readonly namespace: string }[];
  /** internalTrafficPolicy Local. */
  readonly nodeLocal: boolean;
  readonly publishNotReadyAddresses: boolean;
  readonly trafficDistribution: "Any" | "PreferSameZone" | "PreferSameNode";
  /** Of ports whose target differs under NONE resolution: service port to port dialled. */
  readonly passthroughTargetPorts: Readonly<Record<number, number>>;
  /** Whether connections race to all addresses of its name, of both families. */
  readonly racesAddresses: boolean;
}

export const UNSPECIFIED = "0.0.0.0";

const CANONICAL_ACCOUNTS = "alpha.istio.io/canonical-serviceaccounts";
const KUBERNETES_ACCOUNTS = "alpha.istio.io/kubernetes-serviceaccounts";
const EXPORT_TO = "networking.istio.io/exportTo";
const TRAFFIC_DISTRIBUTION = "networking.istio.io/traffic-distribution";

/** `name.namespace.svc.<domain>`. */
export function serviceHostname(name: string, namespace: string, domain: string): string {
  return `${name}.${namespace}.svc.${domain}`;
}

/** A Kubernetes Service as the mesh sees it. `domain` is the cluster's DNS domain. */
export function convertService(
  service: KubeService,
  options: { domain: string; trustDomain: string; namespaceAnnotations?: Record<string, string> },
): MeshService {
  const { metadata, spec = {} } = service;
  const namespace = metadata.namespace ?? "";
  const annotations = metadata.annotations ?? {};
  const externalName = spec.type === "ExternalName" ? (spec.externalName ?? "") : "";
  const headless = spec.clusterIP === "None";
  const addresses = headless || !spec.clusterIP ? [] : (spec.clusterIPs?.length ?? 0) > 1 ? (spec.clusterIPs ?? []) : [spec.clusterIP];
  return {
    hostname: serviceHostname(metadata.name, namespace, options.domain),
    name: metadata.name,
    namespace,
    ports: (spec.ports ?? []).map((port) => ({ name: port.name ?? "", port: port.port, protocol: protocolOfPort(port) })),
    address: addresses[0] ?? UNSPECIFIED,
    addresses,
    autoAddresses: [],
    resolution: headless ? "Passthrough" : externalName ? "Alias" : "ClientSideLB",
    meshExternal: externalName !== "",
    registry: "Kubernetes",
    created: Date.parse(metadata.creationTimestamp ?? "") || 0,
    labels: metadata.labels ?? {},
    selector: spec.selector && Object.keys(spec.selector).length > 0 ? spec.selector : undefined,
    exportTo: annotations[EXPORT_TO] ? splitList(annotations[EXPORT_TO]) : undefined,
    subjectAltNames: [
      ...splitList(annotations[CANONICAL_ACCOUNTS]),
      ...splitList(annotations[KUBERNETES_ACCOUNTS]).map((account) => `spiffe://${options.trustDomain}/ns/${namespace}/sa/${account}`),
    ].sort(),
    externalName,
    aliases: [],
    nodeLocal: spec.internalTrafficPolicy === "Local",
    publishNotReadyAddresses: spec.publishNotReadyAddresses ?? false,
    trafficDistribution: trafficDistribution(spec.trafficDistribution, annotations, options.namespaceAnnotations),
    passthroughTargetPorts: {},
    racesAddresses: false,
  };
}

/**
 * The addresses of a service that fit the families a proxy has. What a ServiceEntry names stays, since only the proxy
 * itself looks at it; a cluster's address of another family cannot be reached.
 */
export function addressesForProxy(service: MeshService, families: { ipv4: boolean; ipv6: boolean }): readonly string[] {
  const isV4 = (address: string): boolean => isIPv4(address.split("/")[0] ?? "");
  const [first = ""] = service.addresses;
  // A proxy of both families keeps to the one that the service prefers.
  const fitting = service.addresses.filter((address) =>
    families.ipv4 && families.ipv6 ? isV4(address) === isV4(first) : isV4(address) ? families.ipv4 : families.ipv6,
  );
  return fitting.length > 0 || service.registry === "Kubernetes" ? fitting : service.addresses;
}

/** Whether unready endpoints are always sent, so that traffic shifts zones before all of one zone has gone. */
export function forcesUnhealthyEndpoints(service: MeshService): boolean {
  return service.trafficDistribution !== "Any";
}

const DISTRIBUTIONS: Readonly<Record<string, MeshService["trafficDistribution"]>> = {
  preferclose: "PreferSameZone",
  prefersamezone: "PreferSameZone",
  prefersamenode: "PreferSameNode",
};

/** The Service's field wins over its annotation, that over its namespace's; an annotation with an unknown value means any. */
export function trafficDistribution(
  field: string | undefined,
  annotations: Record<string, string> | undefined,
  namespaceAnnotations: Record<string, string> | undefined,
): MeshService["trafficDistribution"] {
  const known = DISTRIBUTIONS[field?.toLowerCase() ?? ""];
  if (known) return known;
  const annotation = annotations?.[TRAFFIC_DISTRIBUTION] || namespaceAnnotations?.[TRAFFIC_DISTRIBUTION];
  return DISTRIBUTIONS[annotation?.toLowerCase() ?? ""] ?? "Any";
}

function splitList(value: string | undefined): string[] {
  return (value ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
