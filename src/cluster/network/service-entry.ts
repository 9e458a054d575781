import type { Endpoint, EndpointSlice, Service } from "../../resources/index.ts";

export type Protocol = "tcp" | "udp";

export interface ServiceEndpoint {
  ip: string;
  port: number;
}

export interface ServicePortEntry {
  protocol: Protocol;
  port: number;
  nodePort?: number;
  /** Those that take traffic now; none means connections are refused. */
  endpoints: ServiceEndpoint[];
}

/** What the network needs of one Service: plain data, made from the Service and its EndpointSlices. */
export interface ServiceEntry {
  /** `<namespace>/<name>` */
  key: string;
  clusterIP: string;
  externalIPs: string[];
  loadBalancer: boolean;
  /** ClientIP affinity: one source keeps its endpoint while the set of endpoints stays. */
  sticky: boolean;
  ports: ServicePortEntry[];
}

export const SERVICE_NAME_LABEL = "kubernetes.io/service-name";

/** undefined for services without an address of their own: headless, ExternalName, not yet allocated, IPv6 only. */
export function serviceEntry(service: Service, slices: EndpointSlice[]): ServiceEntry | undefined {
  const spec = service.spec ?? {};
  const clusterIP = spec.clusterIP;
  if (!clusterIP || clusterIP === "None" || clusterIP.includes(":") || spec.type === "ExternalName") return undefined;
  const ports: ServicePortEntry[] = [];
  for (const port of spec.ports ?? []) {
    const protocol = (port.protocol ?? "TCP").toLowerCase();
    if (protocol !== "tcp" && protocol !== "udp") continue; // SCTP: no relay and no rule can carry it rootless.
    ports.push({
      protocol,
      port: port.port,
      ...(port.nodePort ? { nodePort: port.nodePort } : {}),
      endpoints: endpointsOf(slices, port.name ?? ""),
    });
  }
  return {
    key: `${service.metadata.namespace}/${service.metadata.name}`,
    clusterIP,
    externalIPs: (spec.externalIPs ?? []).filter((ip) => !ip.includes(":")),
    loadBalancer: spec.type === "LoadBalancer",
    sticky: spec.sessionAffinity === "ClientIP",
    ports,
  };
}

/** Ready endpoints; where none is, those that still serve while they terminate (as kube-proxy does). Sorted, so that equal sets are equal. */
function endpointsOf(slices: EndpointSlice[], portName: string): ServiceEndpoint[] {
  const pick = (wanted: (endpoint: Endpoint) => boolean): ServiceEndpoint[] => {
    const found = new Map<string, ServiceEndpoint>();
    for (const slice of slices) {
      if (slice.addressType !== "IPv4") continue;
      const port = slice.ports?.find((each) => (each.name ?? "") === portName)?.port;
      if (port === undefined) continue;
      for (const endpoint of slice.endpoints ?? []) {
        const ip = endpoint.addresses[0];
        if (ip !== undefined && wanted(endpoint)) found.set(`${ip}:${port}`, { ip, port });
      }
    }
    return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
  };
  const ready = pick(isReady);
  return ready.length > 0 ? ready : pick((endpoint) => endpoint.conditions?.terminating === true && endpoint.conditions.serving === true);
}

/** Unknown counts as ready: EndpointSlice's API says so. */
export function isReady(endpoint: Endpoint): boolean {
  return endpoint.conditions?.ready !== false;
}
