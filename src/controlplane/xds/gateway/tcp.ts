import type { L4Match } from "../../../resources/index.ts";
import { hostIsSubsetOf, hostsOverlap, parseProtocol } from "../../registry/index.ts";
import type { ChainDraft } from "../listener/filter-chain.ts";
import { MESH_ALPN } from "../listener/inbound-match.ts";
import { routedTcpChain, serviceTcpChain } from "../listener/network.ts";
import type { ListenerParts } from "../listener/parts.ts";
import { serverTls } from "../listener/server-tls.ts";
import { sniName } from "../names.ts";
import { ruleOf } from "../scope/sidecar-scope.ts";
import { statService } from "../stat-name.ts";
import type { ResolvedVirtualService } from "../scope/virtual-services.ts";
import { isPassthrough, type MergedServer, type TlsHosts } from "./merge.ts";

/** The chains of a server whose bytes are passed on. `sniHosts` keeps routes of several servers from the same names. */
export function gatewayTcpChains(parts: ListenerParts, merged: MergedServer, listenerPort: number, sniHosts: TlsHosts): ChainDraft[] {
  const { server } = merged;
  if (!server.tls) return tcpRoute(parts, merged).map((filters) => ({ filters }));
  if (!isPassthrough(server)) {
    const tls = serverTls(parts, server.tls, "TCP");
    return tcpRoute(parts, merged).map((filters) => ({ filters, sniHosts: merged.sniHosts, tls }));
  }
  return server.tls.mode === "AUTO_PASSTHROUGH" ? autoPassthrough(parts, merged.sniHosts) : tlsRoutes(parts, merged, listenerPort, sniHosts);
}

/** The first TCP route that fits decides; a list of one or none. */
function tcpRoute(parts: ListenerParts, merged: MergedServer): ChainDraft["filters"][] {
  const { server } = merged;
  const exchange = server.tls?.mode === "ISTIO_MUTUAL";
  for (const virtualService of boundTo(parts, merged)) {
    for (const { match, route } of virtualService.spec.tcp ?? []) {
      if (!route?.length || (match?.length && !match.some((one) => fits(one, merged)))) continue;
      return [
        routedTcpChain(parts, route, { port: server.port.number, name: server.port.name ?? "" }, nameOf(virtualService), {
          trafficClass: "gateway",
          protocol: parseProtocol(server.port.protocol),
          exchange,
        }),
      ];
    }
  }
  return [];
}

function tlsRoutes(parts: ListenerParts, merged: MergedServer, listenerPort: number, sniHosts: TlsHosts): ChainDraft[] {
  const { server } = merged;
  return boundTo(parts, merged).flatMap((virtualService) =>
    (virtualService.spec.tls ?? []).flatMap(({ match, route }) =>
      !route?.length
        ? []
        : match
            .filter((one) => fits(one, merged) && sniHosts.claim(listenerPort, one.sniHosts, server.bind ?? ""))
            .map((one) => ({
              sniHosts: one.sniHosts,
              filters: routedTcpChain(parts, route, { port: server.port.number, name: server.port.name ?? "" }, nameOf(virtualService), {
                trafficClass: "gateway",
                protocol: parseProtocol(server.port.protocol),
              }),
            })),
    ),
  );
}

/** The SNI says which service of the mesh is meant, and mutual TLS stays between its ends. */
function autoPassthrough(parts: ListenerParts, hosts: readonly string[]): ChainDraft[] {
  const { scope, node } = parts.proxy;
  return scope.services.flatMap((service) => {
    if (service.meshExternal || !hosts.some((host) => hostIsSubsetOf(service.hostname, host))) return [];
    const rule = ruleOf(scope, service.hostname, node);
    return service.ports
      .filter(({ protocol }) => protocol !== "UDP")
      .flatMap(({ name: portName, port, protocol }) =>
        ["", ...(rule?.spec.subsets ?? []).map(({ name }) => name)].map((subset): ChainDraft => {
          const cluster = sniName(port, subset, service.hostname);
          const stats = { ...statService(service), port, portName, subset, targetPort: 0 };
          return {
            sniHosts: [cluster],
            applicationProtocols: MESH_ALPN,
            filters: serviceTcpChain(parts, cluster, rule, { trafficClass: "gateway", protocol, port, subset, opaque: true, stats }),
          };
        }),
      );
  });
}

/** The VirtualServices of a server's Gateway with a host that the server has. */
function boundTo(parts: ListenerParts, { server, gateway }: MergedServer): ResolvedVirtualService[] {
  const { mesh, node } = parts.proxy;
  return mesh.virtualServices.forGateway(node.namespace, gateway).filter(({ spec, namespace }) =>
    server.hosts.some((host) => {
      const slash = host.indexOf("/");
      if (slash >= 0 && host.slice(0, slash) !== namespace) return false;
      return spec.hosts?.some((own) => hostsOverlap(host.slice(slash + 1), own));
    }),
  );
}

function fits(match: Pick<L4Match, "port" | "gateways">, { server, gateway }: MergedServer): boolean {
  return (!match.port || match.port === server.port.number) && (!match.gateways?.length || match.gateways.includes(gateway));
}

function nameOf({ name, namespace }: ResolvedVirtualService): string {
  return `${name}.${namespace}`;
}
