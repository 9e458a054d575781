import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RouteConfigurationSchema } from "../../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { compareText, hostsOverlap, isHttpOrSniffed, isWildcard, parseProtocol, type MeshService } from "../../registry/index.ts";
import { ANY_NAME_CLUSTER, forwardsAny } from "../forward-proxy.ts";
import { catchAllCluster } from "../listener/outbound.ts";
import { domainName, HTTP_PROXY, ipv6Compliant } from "../names.ts";
import { proxyConfigOf, type ProxyContext } from "../proxy.ts";
import { proxyHeaders, type ProxyHeaders } from "../proxy-headers.ts";
import { listenerForRoute, ruleOf, type EgressListener } from "../scope/sidecar-scope.ts";
import { MESH_GATEWAY, type ResolvedVirtualService } from "../scope/virtual-services.ts";
import { catchAllHost, MAX_DIRECT_RESPONSE, type VirtualHost } from "./defaults.ts";
import type { HostNames, SharedHosts } from "./shared-hosts.ts";
import { virtualServiceRoutes, type Route } from "./virtual-service.ts";

/** The hosts that share routes on one port. */
interface Group {
  readonly port: number;
  readonly services: readonly MeshService[];
  /** Hosts of a VirtualService that are no services. */
  readonly hosts: readonly string[];
  readonly routes: readonly Route[];
}

interface Host {
  readonly name: string;
  readonly domains: readonly string[];
  readonly routes: readonly Route[];
  /** The whole of it, where it is one that others have too. */
  readonly shared: VirtualHost | undefined;
}

const MESH: ReadonlySet<string> = new Set([MESH_GATEWAY]);

/**
 * The routes behind one name: a port, `<hostname>:<port>` for a sniffed port of one service, the path of a Unix socket.
 * A name that stands for nothing has no hosts at all.
 */
export function sidecarRoutes(proxy: ProxyContext, name: string, shared: SharedHosts): MessageInitShape<typeof RouteConfigurationSchema> {
  const unix = name.startsWith("unix://");
  const colon = unix ? -1 : name.lastIndexOf(":");
  const text = name.slice(colon + 1);
  const numbered = /^\d+$/.test(text);
  if (!numbered && !unix && name !== HTTP_PROXY) return { name, validateClusters: false };
  const port = numbered && !unix ? Number(text) : 0;
  const sniffed = colon >= 0;
  const headers = proxyHeaders(proxyConfigOf(proxy.node) ?? proxy.mesh.config.defaultConfig, "outbound");
  const all = hostsOf(proxy, port, name, headers, shared).sort((a, b) => compareText(a.name, b.name));
  const hosts = (sniffed ? onlyHost(all, name, name.slice(0, colon)) : all).map((host) => messageOf(host, headers.includeRequestAttemptCount));
  return {
    name,
    virtualHosts: sniffed ? hosts : [...hosts, catchAllHost(forwardsAny(proxy) ? ANY_NAME_CLUSTER : catchAllCluster(proxy), headers)],
    validateClusters: false,
    maxDirectResponseBodySizeBytes: MAX_DIRECT_RESPONSE,
    ignorePortInHostMatching: true,
  };
}

function messageOf({ name, domains, routes, shared }: Host, includeRequestAttemptCount: boolean): VirtualHost {
  return shared ?? { name, domains: [...domains], routes: [...routes], includeRequestAttemptCount };
}

function hostsOf(proxy: ProxyContext, port: number, name: string, headers: ProxyHeaders, shared: SharedHosts): Host[] {
  const listener = listenerForRoute(proxy.scope, port, name);
  if (!listener) return [];
  const own = listener.spec?.port;
  const listenPort = own && parseProtocol(own.protocol) === "HTTP_PROXY" ? 0 : port;
  const services = servicesOnPort(listener.services, listenPort, shared);
  const virtualServices =
    listenPort === 80 ? listener.virtualServices : listener.virtualServices.filter((virtualService) => concerns(virtualService, services));
  const groups = groupsOf(proxy, listener, services, virtualServices, listenPort, headers, shared);
  const hosts = new HostBuilder(proxy, listenPort, headers.includeRequestAttemptCount, groups, shared).build();
  if (listenPort !== 0) return hosts.filter((host) => host.port === listenPort).map(({ host }) => host);
  // Names without a port mean port 80.
  return hosts.flatMap(({ port: hostPort, host }) => {
    const domains = hostPort === 80 ? host.domains : host.domains.filter((domain) => domain.includes(":"));
    return domains.length > 0 ? [{ ...host, domains, shared: undefined }] : [];
  });
}

/** Services by hostname, with only the port in question; with all of them for port 0. */
function servicesOnPort(services: readonly MeshService[], port: number, shared: SharedHosts): Map<string, MeshService> {
  const found = new Map<string, MeshService>();
  for (const service of services) {
    const own = service.ports.find((candidate) => candidate.port === port);
    if (port === 0) found.set(service.hostname, service);
    else if (own) found.set(service.hostname.toLowerCase(), shared.onPort(service, own));
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

function groupsOf(
  proxy: ProxyContext,
  listener: EgressListener,
  services: Map<string, MeshService>,
  virtualServices: readonly ResolvedVirtualService[],
  port: number,
  headers: ProxyHeaders,
  shared: SharedHosts,
): Group[] {
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
    for (const service of matching)
      for (const own of service.ports) if (isHttpOrSniffed(own.protocol)) byPort.set(own.port, [...(byPort.get(own.port) ?? []), service]);
    // Hosts that are no services can only be meant for the port that applications use for HTTP.
    if (byPort.size === 0 && port === 80) byPort.set(80, []);
    return [...byPort].map(([number, list]) => ({ port: number, services: list, hosts, routes }));
  });
  for (const group of groups) for (const { hostname } of group.services) services.delete(hostname);
  for (const service of services.values()) {
    if (service.resolution === "Alias") continue;
    for (const own of service.ports)
      if (isHttpOrSniffed(own.protocol)) groups.push({ port: own.port, services: [service], hosts: [], routes: shared.routes(proxy, service, own) });
  }
  return groups;
}

/** A VirtualService's hosts that are services, and the others. A service goes to the most specific of several wildcards. */
function separate(
  virtualService: ResolvedVirtualService,
  services: ReadonlyMap<string, MeshService>,
  listener: EgressListener,
): { hosts: string[]; matching: MeshService[] } {
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
    readonly shared: SharedHosts,
  ) {}

  build(): { port: number; host: Host }[] {
    for (const { services, port } of this.groups)
      for (const { hostname } of services) for (const name of [hostname, domainName(hostname, port)]) this.#known.add(name);
    return this.groups.flatMap((group) => {
      if (group.routes.length === 0) return [];
      const named = group.hosts.map((host) => this.#host(namesOfHost(host.toLowerCase(), group.port), group, undefined));
      const services = group.services.map((service) => {
        const names = this.shared.names(this.proxy, service, group.port, this.listenPort === 0);
        return this.#host(names, group, this.shared.host(names, group.routes, this.includeRequestAttemptCount));
      });
      return [...named, ...services].filter((host) => host !== undefined).map((host) => ({ port: group.port, host }));
    });
  }

  #host({ name, domains: wanted, keys, alternatives }: HostNames, { routes }: Group, shared: VirtualHost | undefined): Host | undefined {
    if (this.#names.has(name)) return undefined;
    this.#names.add(name);
    const domains = wanted.filter((domain, index) => {
      const key = keys[index] ?? domain;
      // A short form of one service gives way to the full name of another.
      if (this.#domains.has(key) || (this.#known.has(domain) && alternatives.has(domain))) return false;
      this.#domains.add(key);
      return true;
    });
    if (domains.length === 0) return undefined;
    return { name, domains, routes, shared: domains.length === wanted.length ? shared : undefined };
  }
}

/** Of a host that is no service: only itself. */
function namesOfHost(hostname: string, port: number): HostNames {
  const domains = [ipv6Compliant(hostname)];
  return { name: domainName(hostname, port), domains, keys: domains, alternatives: new Set() };
}

/** The host of the one service that a sniffed port belongs to; there every host header means that service. */
function onlyHost(hosts: readonly Host[], routeName: string, hostname: string): readonly Host[] {
  const found = hosts.filter(({ domains }) => domains.includes(routeName) || domains.includes(hostname));
  const [only] = found;
  return found.length === 1 && only ? [{ ...only, domains: ["*"], shared: undefined }] : found;
}
