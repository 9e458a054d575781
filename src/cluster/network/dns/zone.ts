import type { EndpointSlice, Service } from "../../../resources/index.ts";
import { isReady, SERVICE_NAME_LABEL } from "../service-entry.ts";

/** One service as names see it. */
export interface ZoneService {
  /** undefined for headless and ExternalName. */
  clusterIP?: string;
  externalName?: string;
  ports: ZonePort[];
  /** Ready endpoints, for headless services and for names of single endpoints. */
  endpoints: ZoneEndpoint[];
}

export interface ZonePort {
  name: string;
  protocol: string;
  port: number;
}

export interface ZoneEndpoint {
  ip: string;
  /** The pod's hostname where it has one, else its address with dashes. */
  label: string;
  ports: ZonePort[];
}

/** Everything the cluster's DNS knows, as plain maps. */
export interface Zone {
  /** `cluster.local`, lower case. */
  domain: string;
  /** Namespace to service name to service. */
  namespaces: Map<string, Map<string, ZoneService>>;
  /** An address to the name that PTR gives for it. */
  reverse: Map<string, string>;
}

/** undefined for a service that has no name in DNS. */
export function zoneService(service: Service, slices: EndpointSlice[]): ZoneService {
  const spec = service.spec ?? {};
  if (spec.type === "ExternalName") return { externalName: spec.externalName ?? "", ports: [], endpoints: [] };
  const headless = !spec.clusterIP || spec.clusterIP === "None";
  return {
    ...(headless ? {} : { clusterIP: spec.clusterIP }),
    ports: (spec.ports ?? []).map((port) => ({ name: port.name ?? "", protocol: (port.protocol ?? "TCP").toLowerCase(), port: port.port })),
    endpoints: endpointsOf(slices),
  };
}

export function emptyZone(domain: string): Zone {
  return { domain: domain.toLowerCase(), namespaces: new Map(), reverse: new Map() };
}

/** Replaces one service in the zone, or with undefined removes it; the zone is changed in place. */
export function setService(zone: Zone, namespace: string, name: string, service: ZoneService | undefined): void {
  let services = zone.namespaces.get(namespace);
  const old = services?.get(name);
  if (old) for (const [ip, host] of namesOf(zone, namespace, name, old)) if (zone.reverse.get(ip) === host) zone.reverse.delete(ip);
  if (!service) {
    services?.delete(name);
    if (services?.size === 0) zone.namespaces.delete(namespace);
    return;
  }
  if (!services) zone.namespaces.set(namespace, (services = new Map()));
  services.set(name, service);
  for (const [ip, host] of namesOf(zone, namespace, name, service)) zone.reverse.set(ip, host);
}

/** `<namespace>/<name>` of the service a slice belongs to. */
export function serviceOfSlice(slice: EndpointSlice): string | undefined {
  const name = slice.metadata.labels?.[SERVICE_NAME_LABEL];
  return name === undefined ? undefined : `${slice.metadata.namespace}/${name}`;
}

function endpointsOf(slices: EndpointSlice[]): ZoneEndpoint[] {
  const found = new Map<string, ZoneEndpoint>();
  for (const slice of slices) {
    if (slice.addressType !== "IPv4") continue;
    const ports = (slice.ports ?? []).flatMap((port) =>
      port.port === undefined ? [] : [{ name: port.name ?? "", protocol: (port.protocol ?? "TCP").toLowerCase(), port: port.port }],
    );
    for (const endpoint of slice.endpoints ?? []) {
      const ip = endpoint.addresses[0];
      if (ip === undefined || !isReady(endpoint)) continue;
      const label = (endpoint.hostname ?? ip.replaceAll(".", "-")).toLowerCase();
      const known = found.get(`${label} ${ip}`);
      if (known) known.ports.push(...ports);
      else found.set(`${label} ${ip}`, { ip, label, ports: [...ports] });
    }
  }
  return [...found.values()];
}

function namesOf(zone: Zone, namespace: string, name: string, service: ZoneService): [ip: string, host: string][] {
  const host = `${name}.${namespace}.svc.${zone.domain}`;
  if (service.clusterIP !== undefined) return [[service.clusterIP, host]];
  return service.endpoints.map(({ ip, label }) => [ip, `${label}.${host}`]);
}
