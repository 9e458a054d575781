import type { Init } from "../../../proto/index.ts";
import { TrafficDirection } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import type { ListenerSchema } from "../../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { HttpConnectionManager_ForwardClientCertDetails } from "../../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { modeForPort, parseDuration, type FilterConfig } from "../../policy/index.ts";
import { isGrpc, isHttp2, listenerProtocol, parseProtocol, type MeshPort } from "../../registry/index.ts";
import { address } from "../address.ts";
import { chainFilter } from "../filters.ts";
import { configPath } from "../metadata.ts";
import { BLACK_HOLE, inboundCluster, INBOUND_PASSTHROUGH, statPrefix, traceOperation, VIRTUAL_INBOUND } from "../names.ts";
import { interceptionMode, metadataFlag, wildcards } from "../proxy.ts";
import { inboundRoutes } from "../route/inbound.ts";
import { statService, type StatSubject } from "../stat-name.ts";
import type { FilterChain, FilterChainMatch } from "./filter-chain.ts";
import { httpManager } from "./http.ts";
import { inboundMatches, type InboundMatch } from "./inbound-match.ts";
import { inboundListenerFilters } from "./inspectors.ts";
import { deadEnd, inboundTcpChain, metadataExchange } from "./network.ts";
import { ACCEPT_ONE, mayBind } from "./outbound.ts";
import type { ListenerParts } from "./parts.ts";

type Listener = Init<typeof ListenerSchema>;

/** One port of the workload; `targetPort` 0 stands for all that nothing else describes. */
interface InboundPort {
  readonly targetPort: number;
  readonly port: MeshPort;
  readonly cluster: string;
  /** Whose port it is, in traces and statistics. */
  readonly service: Pick<StatSubject, "hostname" | "name" | "namespace">;
  readonly binds: readonly string[];
  readonly bindToPort: boolean;
  readonly passthrough: boolean;
  readonly config?: string;
}

/** The listener for captured connections, then those of Sidecar ports that are really listened on. */
export function inboundListeners(parts: ListenerParts): Listener[] {
  const { proxy } = parts;
  const captured = interceptionMode(proxy.node) !== "NONE";
  const chains: FilterChain[] = [];
  const listeners: Listener[] = [];
  for (const port of inboundPorts(parts)) {
    const own = chainsOf(parts, port);
    if (port.bindToPort) listeners.push(listener(parts, nameOf(port, "TCP"), port.binds, port.targetPort, true, own));
    else chains.push(...own);
  }
  if (!captured) return listeners;
  const all = [blackHole(parts), ...passthroughPorts(parts).flatMap((port) => chainsOf(parts, port)), ...chains];
  return [listener(parts, VIRTUAL_INBOUND, [wildcards(proxy.view).any], proxy.mesh.config.proxyInboundListenPort, false, all), ...listeners];
}

/** Ports by their number; a Sidecar's ingress takes the place of what services say. */
function inboundPorts(parts: ListenerParts): InboundPort[] {
  const { scope, node } = parts.proxy;
  const ports = scope.sidecar?.ingress?.length ? sidecarPorts(parts) : interceptionMode(node) === "NONE" ? [] : servicePorts(parts);
  const byNumber = new Map<number, InboundPort>();
  for (const port of ports) if (!byNumber.has(port.targetPort)) byNumber.set(port.targetPort, port);
  return [...byNumber.values()].sort((a, b) => a.targetPort - b.targetPort);
}

function servicePorts(parts: ListenerParts): InboundPort[] {
  const { targets, view } = parts.proxy;
  const binds = [wildcards(view).any];
  return targets
    .map(({ service, port, targetPort }): InboundPort => ({
      targetPort,
      port,
      cluster: inboundCluster(targetPort),
      service: statService(service),
      binds,
      bindToPort: false,
      passthrough: false,
    }))
    .filter(({ targetPort, port }) => mayBind(parts.proxy, { addresses: binds, bindToPort: false }, { ...port, port: targetPort }));
}

function sidecarPorts(parts: ListenerParts): InboundPort[] {
  const { scope, node, view } = parts.proxy;
  return (scope.sidecar?.ingress ?? []).flatMap((ingress): InboundPort[] => {
    const number = ingress.port.number ?? 0;
    const mode = ingress.captureMode ?? "DEFAULT";
    const bindToPort = mode === "DEFAULT" ? interceptionMode(node) === "NONE" : mode === "NONE";
    const port: MeshPort = { name: ingress.port.name ?? "", port: number, protocol: parseProtocol(ingress.port.protocol) };
    if (!mayBind(parts.proxy, { addresses: ingress.bind ? [ingress.bind] : [], bindToPort }, port, true)) return [];
    // What really listens must leave this host's other addresses to the workload.
    const binds = ingress.bind ? [ingress.bind] : [node.addresses[0] ?? wildcards(view).any];
    return [
      {
        targetPort: number,
        port,
        cluster: inboundCluster(number),
        service: { hostname: `${scope.name}.${node.namespace}`, name: "", namespace: "" },
        binds,
        bindToPort,
        passthrough: false,
        config: configPath("sidecar", { name: scope.name, namespace: node.namespace }),
      },
    ];
  });
}

/** Everything that no service describes, and the ports among it that a policy gives a mode of their own. */
function passthroughPorts(parts: ListenerParts): InboundPort[] {
  const { mesh, node, targets, scope, view } = parts.proxy;
  const described = new Set(
    scope.sidecar?.ingress?.length ? scope.sidecar.ingress.map(({ port }) => port.number) : targets.map(({ targetPort }) => targetPort),
  );
  const extra = [...mesh.peerAuthentication.effective(node).ports.keys()].filter((port) => !described.has(port)).sort((a, b) => a - b);
  return [0, ...extra].map((targetPort) => ({
    targetPort,
    port: { name: VIRTUAL_INBOUND, port: 0, protocol: "UnsupportedProtocol" },
    cluster: INBOUND_PASSTHROUGH,
    service: { hostname: "", name: "", namespace: "" },
    binds: [wildcards(view).any],
    bindToPort: false,
    passthrough: true,
  }));
}

function chainsOf(parts: ListenerParts, inbound: InboundPort): FilterChain[] {
  const { mesh, node } = parts.proxy;
  const mode = modeForPort(mesh.peerAuthentication.effective(node), inbound.targetPort);
  const kind = listenerProtocol(inbound.port.protocol);
  // Chains of a port differ in what they match, not in what they do.
  const filters = new Map<InboundMatch["layer"], readonly FilterConfig[]>();
  const filtersOf = (layer: InboundMatch["layer"]): readonly FilterConfig[] => {
    let own = filters.get(layer);
    if (!own)
      filters.set(
        layer,
        (own =
          layer === "HTTP"
            ? [...metadataExchange(parts), ...parts.extensions("tcp", "all", "inbound", inbound.targetPort), httpFilter(parts, inbound)]
            : inboundTcpChain(parts, inbound.cluster, inbound.port.protocol, { ...inbound.service, port: inbound.port.port, portName: inbound.port.name })),
      );
    return own;
  };
  return inboundMatches(kind === "NONE" ? "TCP" : kind, mode).map((match) => chain(parts, inbound, match, filtersOf(match.layer)));
}

function chain(parts: ListenerParts, inbound: InboundPort, match: InboundMatch, filters: readonly FilterConfig[]): FilterChain {
  return {
    name: nameOf(inbound, match.layer),
    filterChainMatch: {
      applicationProtocols: [...(match.applicationProtocols ?? [])],
      transportProtocol: match.transportProtocol,
      ...(inbound.targetPort > 0 && { destinationPort: inbound.targetPort }),
    },
    filters: filters.map(chainFilter),
    ...(match.endsTls && { transportSocket: parts.mutualTls(match.layer) }),
    ...(inbound.config && { metadata: { filterMetadata: { istio: { config: inbound.config } } } }),
  };
}

function httpFilter(parts: ListenerParts, inbound: InboundPort): FilterConfig {
  const headers = parts.headers("inbound");
  const { subject, uri, dns, cert, chain: certificates } = headers.certificateDetails;
  const { protocol } = inbound.port;
  return httpManager(parts, {
    trafficClass: "inbound",
    port: inbound.targetPort,
    statPrefix: statPrefix(inbound.passthrough ? inbound.cluster : `inbound_${nameOf(inbound, "HTTP")}`),
    protocol,
    routes: inboundRoutes(inbound.cluster, inbound.port.port, traceOperation(inbound.service.hostname, inbound.port.port), isGrpc(protocol)),
    useRemoteAddress: false,
    extra: {
      forwardClientCertDetails: headers.forwardClientCertDetails ?? HttpConnectionManager_ForwardClientCertDetails.APPEND_FORWARD,
      setCurrentClientCertDetails: { subject: subject ?? true, uri: uri ?? true, dns: dns ?? true, cert: cert ?? false, chain: certificates ?? false },
      ...(isHttp2(protocol) && { http2ProtocolOptions: {} }),
    },
  });
}

function nameOf({ passthrough, binds, targetPort }: InboundPort, layer: "HTTP" | "TCP"): string {
  if (passthrough) return layer === "HTTP" ? `${VIRTUAL_INBOUND}-catchall-http` : VIRTUAL_INBOUND;
  return `${binds[0] ?? ""}_${targetPort}`;
}

/** Who calls the port of the listener itself would have the proxy call itself for ever. */
function blackHole(parts: ListenerParts): FilterChain {
  return {
    name: `${VIRTUAL_INBOUND}-blackhole`,
    filterChainMatch: { destinationPort: parts.proxy.mesh.config.proxyInboundListenPort },
    filters: [...metadataExchange(parts), ...deadEnd(parts, BLACK_HOLE, "inbound")].map(chainFilter),
  };
}

function listener(parts: ListenerParts, name: string, binds: readonly string[], port: number, bindToPort: boolean, filterChains: FilterChain[]): Listener {
  const { node, mesh } = parts.proxy;
  const transparent = interceptionMode(node) === "TPROXY";
  const [primary = "", ...others] = binds;
  return {
    name,
    address: address(primary, port),
    additionalAddresses: others.map((other) => ({ address: address(other, port) })),
    trafficDirection: TrafficDirection.INBOUND,
    continueOnListenerFiltersTimeout: true,
    maxConnectionsToAcceptPerSocketEvent: ACCEPT_ONE,
    ...(metadataFlag(node, "INBOUND_LISTENER_EXACT_BALANCE") && { connectionBalanceConfig: { balanceType: { case: "exactBalance" as const, value: {} } } }),
    ...(!bindToPort && transparent && { transparent: true }),
    accessLog: parts.logs("inbound", "listener"),
    filterChains,
    listenerFilters: inboundListenerFilters(
      filterChains.map(({ filterChainMatch }) => filterChainMatch as FilterChainMatch | undefined),
      !bindToPort,
      transparent,
    ),
    listenerFiltersTimeout: parseDuration(mesh.config.protocolDetectionTimeout) ?? { seconds: 0n },
  };
}
