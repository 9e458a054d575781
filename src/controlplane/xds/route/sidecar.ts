import { create } from "@bufbuild/protobuf";
import { RouteConfigurationSchema, type RouteConfiguration } from "../../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { addressesForProxy, compareText, hostsOverlap, isHttpOrSniffed, isWildcard, parseProtocol, type MeshPort, type MeshService } from "../../registry/index.ts";
import { catchAllCluster } from "../listener/outbound.ts";
import { domainName, ipv6Compliant, outboundCluster, traceOperation } from "../names.ts";
import { proxyConfigOf, type ProxyContext } from "../proxy.ts";
import { proxyHeaders, type ProxyHeaders } from "../proxy-headers.ts";
import { listenerForRoute, ruleOf, type EgressListener } from "../scope/sidecar-scope.ts";
import { MESH_GATEWAY, type ResolvedVirtualService } from "../scope/virtual-services.ts";
import { serviceAddresses } from "../service-address.ts";
import { catchAllHost, defaultRoute, MAX_DIRECT_RESPONSE, type VirtualHost } from "./defaults.ts";
import { serviceDomains } from "./domains.ts";
import { hashOfService } from "./hash.ts";
import { virtualServiceRoutes, type Route } from "./virtual-service.ts";

/** The hosts that share routes on one port. */
interface Group {
  readonly port: number;
  readonly services: readonly MeshService[];
  /** Hosts of a VirtualService that are no services. */
  readonly hosts: readonly string[];
  readonly routes: readonly Route[];
}

type PortedHost = VirtualHost & { name: string; domains: string[] };

/** Routes of the old HTTP proxy port: those of all ports. */
const HTTP_PROXY = "http_proxy";
const MESH: ReadonlySet<string> = new Set([MESH_GATEWAY]);

/**
 * The routes behind one name: a port, `<hostname>:<port>` for a sniffed port of one service, the path of a Unix socket.
 * A name that stands for nothing has no hosts at all.
 */
export function sidecarRoutes(proxy: ProxyContext, name: string): RouteConfiguration {
  const unix = name.startsWith("unix://");
  const colon = unix ? -1 : name.lastIndexOf(":");
  const text = name.slice(colon + 1);
  const numbered = /^\d+$/.test(text);
  if (!numbered && !unix && name !== HTTP_PROXY) return create(RouteConfigurationSchema, { name, validateClusters: false });
  const port = numbered && !unix ? Number(text) : 0;
  const sniffed = colon >= 0;
  const headers = proxyHeaders(proxyConfigOf(proxy.node) ?? proxy.mesh.config.defaultConfig, "outbound");
  const hosts = hostsOf(proxy, port, name, headers).sort((a, b) => compareText(a.name, b.name));
  return create(RouteConfigurationSchema, {
    name,
    virtualHosts: sniffed ? onlyHost(hosts, name, name.slice(0, colon)) : [...hosts, catchAllHost(catchAllCluster(proxy), headers)],
    validateClusters: false,
    maxDirectResponseBodySizeBytes: MAX_DIRECT_RESPONSE,
    ignorePortInHostMatching: true,
  });
}

function hostsOf(proxy: ProxyContext, port: number, name: string, headers: ProxyHeaders): PortedHost[] {
  const listener = listenerForRoute(proxy.scope, port, name);
  if (!listener) return [];
  const own = listener.spec?.port;
  const listenPort = own && parseProtocol(own.protocol) === "HTTP_PROXY" ? 0 : port;
  const services = servicesOnPort(listener.services, listenPort);
  const virtualServices = listenPort === 80 ? listener.virtualServices : listener.virtualServices.filter((virtualService) => concerns(virtualService, services));
  const groups = groupsOf(proxy, listener, services, virtualServices, listenPort, headers);
  const hosts = new HostBuilder(proxy, listenPort, headers.includeRequestAttemptCount, groups).build();
  if (listenPort !== 0) return hosts.filter((host) => host.port === listenPort).map(({ host }) => host);
  // Names without a port mean port 80.
  return hosts.flatMap(({ port: hostPort, host }) => {
    const domains = hostPort === 80 ? host.domains : host.domains.filter((domain) => domain.includes(":"));
    return domains.length > 0 ? [{ ...host, domains }] : [];
  });
}

/** Services by hostname, with only the port in question; with all of them for port 0. */
function servicesOnPort(services: readonly MeshService[], port: number): Map<string, MeshService> {
  const found = new Map<string, MeshService>();
  for (const service of services) {
    const own = service.ports.find((candidate) => candidate.port === port);
    if (port === 0) found.set(service.hostname, service);
    else if (own) found.set(service.hostname.toLowerCase(), { ...service, ports: [own] });
  }
  return found;
}

/** Whether a VirtualService speaks of any of the services. */
function concerns({ spec }: ResolvedVirtualService, services: ReadonlyMap<string, MeshService>): boolean {
  const wildcardServices = [...services.keys()].filter(isWildcard);
  return (spec.hosts ?? []).some((name) => {
    const host = name.toLowerCase();
    if (services.has(host)) return true;
    return (isWildcard(host) ? [...services.keys()] : wildcardServices).some((other) => hostsOverlap(host, other));
  });
}

function groupsOf(proxy: ProxyContext, listener: EgressListener, services: Map<string, MeshService>, virtualServices: readonly ResolvedVirtualService[], port: number, headers: ProxyHeaders): Group[] {
  const { scope, node, mesh } = proxy;
  const context = {
    gateways: MESH,
    port,
    namespace: node.namespace,
    labels: node.labels,
    mesh: mesh.config,
    tls: false,
    forwardedHost: headers.forwardedHost,
    service: (hostname: string) => services.get(hostname),
    rule: (hostname: string) => ruleOf(scope, hostname, node),
  };
  const groups = virtualServices.flatMap((virtualService): Group[] => {
    const routes = virtualServiceRoutes(virtualService, context);
    if (routes.length === 0) return [];
    const { hosts, matching } = separate(virtualService, services, listener);
    const byPort = new Map<number, MeshService[]>();
    for (const service of matching) for (const own of service.ports) if (isHttpOrSniffed(own.protocol)) byPort.set(own.port, [...(byPort.get(own.port) ?? []), service]);
    // Hosts that are no services can only be meant for the port that applications use for HTTP.
    if (byPort.size === 0 && port === 80) byPort.set(80, []);
    return [...byPort].map(([number, list]) => ({ port: number, services: list, hosts, routes }));
  });
  for (const group of groups) for (const { hostname } of group.services) services.delete(hostname);
  for (const service of services.values()) {
    if (service.resolution === "Alias") continue;
    for (const own of service.ports) if (isHttpOrSniffed(own.protocol)) groups.push(groupOfService(proxy, service, own));
  }
  return groups;
}

function groupOfService({ scope, node, mesh }: ProxyContext, service: MeshService, { port }: MeshPort): Group {
  const hash = hashOfService(ruleOf(scope, service.hostname, node), port);
  const route = defaultRoute(outboundCluster(port, "", service.hostname), traceOperation(service.hostname, port), mesh.config, hash);
  return { port, services: [service], hosts: [], routes: [route] };
}

/** A VirtualService's hosts that are services, and the others. A service goes to the most specific of several wildcards. */
function separate(virtualService: ResolvedVirtualService, services: ReadonlyMap<string, MeshService>, listener: EgressListener): { hosts: string[]; matching: MeshService[] } {
  const hosts: string[] = [];
  const matching: MeshService[] = [];
  const wildcards: string[] = [];
  for (const host of virtualService.spec.hosts ?? []) {
    const name = host.toLowerCase();
    const service = services.get(name);
    if (isWildcard(name)) wildcards.push(name);
    else if (service) matching.push(service);
    else hosts.push(host);
  }
  for (const wildcard of wildcards) {
    const fitting = [...services].filter(([hostname]) => hostsOverlap(hostname, wildcard));
    for (const [hostname, service] of fitting) if (listener.mostSpecific.get(hostname) === virtualService) matching.push(service);
    if (fitting.length === 0) hosts.push(wildcard);
  }
  return { hosts, matching };
}

/** Turns groups into virtual hosts. Envoy refuses a domain that stands twice, so the first keeps it. */
class HostBuilder {
  readonly #names = new Set<string>();
  readonly #domains = new Set<string>();
  readonly #known = new Set<string>();

  constructor(
    readonly proxy: ProxyContext,
    readonly listenPort: number,
    readonly includeRequestAttemptCount: boolean,
    readonly groups: readonly Group[],
  ) {}

  build(): { port: number; host: PortedHost }[] {
    for (const { services, port } of this.groups) for (const { hostname } of services) for (const name of [hostname, domainName(hostname, port)]) this.#known.add(name);
    return this.groups.flatMap((group) => {
      if (group.routes.length === 0) return [];
      const named = group.hosts.map((host) => this.#host(host.toLowerCase(), group, [ipv6Compliant(host.toLowerCase())], []));
      const services = group.services.map((service) => {
        const { domains, alternatives } = serviceDomains(service, this.#addresses(service), this.listenPort === 0 ? group.port : 0, this.proxy.node.dnsDomain);
        return this.#host(service.hostname, group, domains, alternatives);
      });
      return [...named, ...services].filter((host) => host !== undefined).map((host) => ({ port: group.port, host }));
    });
  }

  #addresses(service: MeshService): readonly string[] {
    const { view } = this.proxy;
    const all = serviceAddresses(service, view);
    // Of addresses that were handed out only one is dialled.
    return addressesForProxy(service, view).length > 0 ? all : all.slice(0, 1);
  }

  #host(hostname: string, group: Group, wanted: readonly string[], alternatives: readonly string[]): PortedHost | undefined {
    const name = domainName(hostname, group.port);
    if (this.#names.has(name)) return undefined;
    this.#names.add(name);
    const domains = wanted.filter((domain) => {
      const key = domain.toLowerCase();
      // A short form of one service gives way to the full name of another.
      if (this.#domains.has(key) || (alternatives.includes(domain) && this.#known.has(domain))) return false;
      this.#domains.add(key);
      return true;
    });
    if (domains.length === 0) return undefined;
    return { name, domains, routes: [...group.routes], includeRequestAttemptCount: this.includeRequestAttemptCount };
  }
}

/** The host of the one service that a sniffed port belongs to; there every host header means that service. */
function onlyHost(hosts: readonly PortedHost[], routeName: string, hostname: string): VirtualHost[] {
  const found = hosts.filter(({ domains }) => domains.includes(routeName) || domains.includes(hostname));
  const [only] = found;
  return found.length === 1 && only ? [{ ...only, domains: ["*"] }] : found;
}
