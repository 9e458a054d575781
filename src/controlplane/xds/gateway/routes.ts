import { create } from "@bufbuild/protobuf";
import { VirtualHost_TlsRequirementType } from "../../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import { RouteConfigurationSchema, type RouteConfiguration } from "../../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { compareSpecificity, compareText, hostIsSubsetOf, type MeshService } from "../../registry/index.ts";
import { domainName } from "../names.ts";
import { proxyConfigOf, type ProxyContext } from "../proxy.ts";
import { proxyHeaders } from "../proxy-headers.ts";
import { MAX_DIRECT_RESPONSE } from "../route/defaults.ts";
import { isCatchAll } from "../route/match.ts";
import { virtualServiceRoutes, type Route, type RouteContext } from "../route/virtual-service.ts";
import { ruleOf } from "../scope/sidecar-scope.ts";
import type { ResolvedVirtualService } from "../scope/virtual-services.ts";
import { mergeGateways, type MergedServer } from "./merge.ts";

interface Host {
  readonly name: string;
  readonly domains: string[];
  routes: readonly Route[];
  requireTls: boolean;
}

/** The routes behind one name of a gateway's listener; a name that stands for nothing has no hosts at all. */
export function gatewayRoutes(proxy: ProxyContext, name: string): RouteConfiguration {
  const { node, mesh, targets } = proxy;
  const servers = mergeGateways(mesh.snapshot.configs.Gateway, node.labels, targets).routes.get(name);
  const [first] = servers ?? [];
  if (!servers || !first) return create(RouteConfigurationSchema, { name, validateClusters: false });
  const { includeRequestAttemptCount } = proxyHeaders(proxyConfigOf(node) ?? mesh.config.defaultConfig, "gateway");
  const hosts = collapse(hostsOf(proxy, servers));
  return create(RouteConfigurationSchema, {
    name,
    virtualHosts:
      hosts.length === 0
        ? [{ name: domainName("blackhole", first.server.port.number), domains: ["*"] }]
        : hosts
            .sort((a, b) => compareText(a.name, b.name))
            .map((host) => ({
              name: host.name,
              domains: host.domains,
              routes: catchAllLast(host.routes),
              includeRequestAttemptCount,
              ...(host.requireTls && { requireTls: VirtualHost_TlsRequirementType.ALL }),
            })),
    validateClusters: false,
    ignorePortInHostMatching: true,
    maxDirectResponseBodySizeBytes: MAX_DIRECT_RESPONSE,
  });
}

function hostsOf(proxy: ProxyContext, servers: readonly MergedServer[]): Map<string, Host> {
  const { node, mesh } = proxy;
  const hosts = new Map<string, Host>();
  // A VirtualService on several servers of a Gateway has the same routes on all of them.
  const made = new Map<string, Route[]>();
  for (const { server, gateway } of servers) {
    const port = server.port.number;
    const redirects = server.tls?.httpsRedirect === true;
    const add = (hostname: string, routes: readonly Route[]): void => {
      const key = hostname.toLowerCase();
      const existing = hosts.get(key);
      if (!existing) hosts.set(key, { name: domainName(key, port), domains: [key], routes, requireTls: redirects });
      else {
        existing.routes = [...existing.routes, ...routes];
        existing.requireTls ||= redirects;
      }
    };
    for (const virtualService of mesh.virtualServices.forGateway(node.namespace, gateway)) {
      const common = intersection(hostsForNamespace(server.hosts, virtualService.namespace), virtualService.spec.hosts ?? []);
      if (common.length === 0) continue;
      const key = `${gateway} ${virtualService.namespace}/${virtualService.name}`;
      const routes = made.get(key) ?? virtualServiceRoutes(virtualService, contextOf(proxy, virtualService, gateway, port, server.tls !== undefined));
      if (routes.length === 0) continue;
      made.set(key, routes);
      for (const hostname of common) add(hostname, routes);
    }
    if (redirects) for (const hostname of server.hosts) add(hostname, []);
  }
  return hosts;
}

function contextOf({ scope, node, mesh }: ProxyContext, virtualService: ResolvedVirtualService, gateway: string, port: number, tls: boolean): RouteContext {
  const { services } = mesh.snapshot;
  return {
    gateways: new Set([gateway]),
    port,
    namespace: node.namespace,
    labels: node.labels,
    mesh: mesh.config,
    tls,
    forwardedHost: proxyHeaders(proxyConfigOf(node) ?? mesh.config.defaultConfig, "outbound").forwardedHost,
    service: (hostname): MeshService | undefined => {
      const beside = services.byHostname.get(hostname)?.get(virtualService.namespace);
      return beside && services.isVisible(beside, node.namespace) ? beside : scope.byHostname.get(hostname);
    },
    rule: (hostname) => ruleOf(scope, hostname, node),
  };
}

/** Hosts with the very same routes become one, the most specific first. */
function collapse(hosts: ReadonlyMap<string, Host>): Host[] {
  const kept: Host[] = [];
  for (const [, host] of [...hosts].sort(([a], [b]) => compareSpecificity(a, b))) {
    const same = kept.find(
      (other) =>
        other.requireTls === host.requireTls &&
        other.routes.length === host.routes.length &&
        other.routes.every((route, index) => route === host.routes[index]),
    );
    if (same) same.domains.push(...host.domains);
    else kept.push({ ...host, domains: [...host.domains] });
  }
  return kept;
}

/** A route that takes everything would hide those that another VirtualService added after it. */
function catchAllLast(routes: readonly Route[]): Route[] {
  const all = (route: Route): boolean => isCatchAll(route.match as Parameters<typeof isCatchAll>[0]);
  return [...routes.filter((route) => !all(route)), ...routes.filter(all)];
}

function hostsForNamespace(hosts: readonly string[], namespace: string): string[] {
  return hosts.flatMap((host) => {
    const slash = host.indexOf("/");
    if (slash < 0) return [host];
    const owner = host.slice(0, slash);
    return owner === namespace || owner === "*" ? [host.slice(slash + 1)] : [];
  });
}

/** The narrower of each pair of hosts of which one includes the other. */
function intersection(a: readonly string[], b: readonly string[]): string[] {
  const common = new Set<string>();
  for (const x of a) {
    for (const y of b) {
      if (hostIsSubsetOf(x, y)) common.add(x);
      else if (hostIsSubsetOf(y, x)) common.add(y);
    }
  }
  return [...common];
}
