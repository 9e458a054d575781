import type { TcpRoute } from "../../../resources/index.ts";
import { hostsOverlap, isTls, type MeshPort, type MeshService } from "../../registry/index.ts";
import { forwardsByName } from "../forward-proxy.ts";
import { configPath } from "../metadata.ts";
import { outboundCluster } from "../names.ts";
import { wildcards } from "../proxy.ts";
import { alternativeNames } from "../route/domains.ts";
import { matchesSource, type MatchContext } from "../scope/l4-match.ts";
import { ruleOf } from "../scope/sidecar-scope.ts";
import { MESH_GATEWAY, type ResolvedVirtualService } from "../scope/virtual-services.ts";
import { serviceListenAddress } from "../service-address.ts";
import { statService } from "../stat-name.ts";
import type { ChainDraft } from "./filter-chain.ts";
import { routedTcpChain, serviceTcpChain } from "./network.ts";
import type { ListenerParts } from "./parts.ts";

export interface TcpTarget {
  readonly service: MeshService;
  readonly port: MeshPort;
  /** Addresses that the chains are limited to. */
  readonly cidrs: readonly string[];
  readonly bind: string;
  readonly virtualServices: readonly ResolvedVirtualService[];
}

const MESH: ReadonlySet<string> = new Set([MESH_GATEWAY]);

/** The chains of a port whose bytes are passed on: by the server name for TLS, by address for everything else. */
export function outboundTcpChains(parts: ListenerParts, target: TcpTarget): ChainDraft[] {
  const rules = target.virtualServices.filter(({ spec }) => spec.hosts?.some((host) => hostsOverlap(host, target.service.hostname)));
  return isTls(target.port.protocol) ? tlsChains(parts, target, rules) : plainChains(parts, target, rules);
}

function tlsChains(parts: ListenerParts, target: TcpTarget, rules: readonly ResolvedVirtualService[]): ChainDraft[] {
  const { port } = target;
  const chains: ChainDraft[] = [];
  const seen = new Set<string>();
  let { cidrs } = target;
  for (const rule of rules) {
    for (const { match, route } of rule.spec.tls ?? []) {
      if (!route?.length) continue;
      for (const one of match) {
        if (!matchesSource(one, contextOf(parts, port.port))) continue;
        if (one.destinationSubnets?.length && port.port > 0) cidrs = one.destinationSubnets;
        // Envoy knows nothing of the other conditions: of matches that are the same to it the first counts.
        const key = `${one.sniHosts.join()}|${one.destinationSubnets?.join() ?? ""}`;
        if (seen.has(key)) continue;
        seen.add(key);
        chains.push({
          config: configPath("virtual-service", rule),
          sniHosts: one.sniHosts,
          cidrs,
          filters: routedTcpChain(parts, route, port, `${rule.name}.${rule.namespace}`, { trafficClass: "outbound", protocol: port.protocol }),
        });
      }
    }
  }
  if (chains.length > 0) return chains;
  return [{ sniHosts: serverNames(parts, target, cidrs), cidrs, filters: ownChain(parts, target) }];
}

/** A service is recognised by its name where its address does not tell it from others. */
function serverNames(parts: ListenerParts, { service, bind }: TcpTarget, cidrs: readonly string[]): string[] {
  const { view, node } = parts.proxy;
  const address = serviceListenAddress(service, view);
  const any = wildcards(view).any;
  const shared = forwardsByName(service) || cidrs.length > 0 || address === "" || address.includes("/") || (address === any && bind === any);
  if (!shared) return [];
  return [service.hostname, ...service.aliases.flatMap(({ hostname }) => [hostname, ...alternativeNames(hostname, 0, node.dnsDomain)])];
}

function plainChains(parts: ListenerParts, target: TcpTarget, rules: readonly ResolvedVirtualService[]): ChainDraft[] {
  const { port, cidrs } = target;
  const chains: ChainDraft[] = [];
  for (const rule of rules) {
    for (const tcp of rule.spec.tcp ?? []) {
      if (!tcp.route?.length) continue;
      const filters = () =>
        routedTcpChain(parts, tcp.route ?? [], port, `${rule.name}.${rule.namespace}`, { trafficClass: "outbound", protocol: port.protocol });
      const subnets = subnetsOf(parts, tcp, port.port);
      if (subnets === "all") return [...chains, { config: configPath("virtual-service", rule), cidrs, filters: filters() }];
      if (subnets.length === 0) continue;
      chains.push({ cidrs: subnets, filters: filters() });
      if ([...subnets].sort().join() === [...cidrs].sort().join()) return chains;
    }
  }
  return [...chains, { cidrs, filters: ownChain(parts, target) }];
}

/** The subnets that a route is limited to; "all" when it takes everything on the port. */
function subnetsOf(parts: ListenerParts, { match }: TcpRoute, port: number): string[] | "all" {
  if (!match?.length) return "all";
  const subnets: string[] = [];
  for (const one of match) {
    if (!matchesSource(one, contextOf(parts, port))) continue;
    if (!one.destinationSubnets?.length || port === 0) return "all";
    subnets.push(...one.destinationSubnets);
  }
  return subnets;
}

function ownChain(parts: ListenerParts, { service, port }: TcpTarget) {
  const { scope, node, view } = parts.proxy;
  const [only, ...others] = service.ports;
  const servicePort = only && others.length === 0 ? only.port : port.port;
  const cluster = outboundCluster(servicePort, "", service.hostname);
  const stats = { ...statService(service), port: servicePort, portName: "", targetPort: 0 };
  return serviceTcpChain(parts, cluster, ruleOf(scope, service.hostname, node), {
    trafficClass: "outbound",
    protocol: port.protocol,
    port: port.port,
    stats,
    ...(view.forwardProxy && forwardsByName(service) && { lookup: service }),
  });
}

function contextOf(parts: ListenerParts, port: number): MatchContext {
  const { node } = parts.proxy;
  return { gateways: MESH, port, namespace: node.namespace, labels: node.labels };
}
