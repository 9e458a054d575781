import { create } from "@bufbuild/protobuf";
import type { Init } from "../../../proto/index.ts";
import { TrafficDirection } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { ListenerSchema, type Listener } from "../../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import {
  HttpConnectionManager_ForwardClientCertDetails as CertDetails,
  type HttpConnectionManagerSchema,
} from "../../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { isHttp, parseProtocol } from "../../registry/index.ts";
import { address, cidrRange } from "../address.ts";
import { configured, PROXY_PROTOCOL, TLS_INSPECTOR } from "../filters.ts";
import { buildChain, type ChainDraft } from "../listener/filter-chain.ts";
import { connectionSettings, httpManager } from "../listener/http.ts";
import { ACCEPT_ONE } from "../listener/outbound.ts";
import type { ListenerParts } from "../listener/parts.ts";
import { serverTls } from "../listener/server-tls.ts";
import { statPrefix } from "../names.ts";
import { metadataFlag, wildcards } from "../proxy.ts";
import { clientCertDetails } from "../proxy-headers.ts";
import { isHttpServer, mergeGateways, TlsHosts, type MergedPort, type MergedServer } from "./merge.ts";
import { gatewayTcpChains } from "./tcp.ts";

interface Topology {
  numTrustedProxies?: number;
  forwardClientCertDetails?: string;
  proxyProtocol?: unknown;
}

const PRIVILEGED = 1024;

/** The listeners of a gateway: one for each address that its Gateways' servers name. */
export function gatewayListeners(parts: ListenerParts): Listener[] {
  const { node, mesh, targets, view } = parts.proxy;
  const merged = mergeGateways(mesh.snapshot.configs.Gateway, node.labels, targets);
  const sniHosts = new TlsHosts();
  const listeners = new Map<string, { bind: string; port: number; chains: ChainDraft[] }>();
  for (const port of merged.ports) {
    if (port.number < PRIVILEGED && metadataFlag(node, "UNPRIVILEGED_POD")) continue;
    const bind = port.bind || wildcards(view).any;
    const name = `${bind}_${port.number}`;
    const chains = chainsOf(parts, port, name, sniHosts);
    const existing = listeners.get(name);
    if (existing) existing.chains.push(...chains);
    else listeners.set(name, { bind, port: port.number, chains });
  }
  return [...listeners].filter(([, { chains }]) => chains.length > 0).map(([name, { bind, port, chains }]) => build(parts, name, bind, port, chains));
}

function chainsOf(parts: ListenerParts, port: MergedPort, listener: string, sniHosts: TlsHosts): ChainDraft[] {
  if (isHttp(parseProtocol(port.protocol)))
    return [
      {
        filters: [
          ...parts.extensions("tcp", "all", "gateway", port.number),
          manager(parts, port.routeName, port.protocol, statPrefix(`outbound_${listener}`), port.number),
        ],
      },
    ];
  return port.servers.flatMap((merged) =>
    isHttpServer(merged.server) && merged.server.tls
      ? [httpsChain(parts, merged, listener, port.number)]
      : gatewayTcpChains(parts, merged, port.number, sniHosts),
  );
}

function httpsChain(parts: ListenerParts, { server, routeName, sniHosts }: MergedServer, listener: string, port: number): ChainDraft {
  const prefix = server.name || statPrefix(`outbound_${listener}`);
  return {
    sniHosts,
    filters: [...parts.extensions("tcp", "all", "gateway", port), manager(parts, routeName, server.port.protocol, prefix, port)],
    ...(server.tls && { tls: serverTls(parts, server.tls, "HTTP") }),
  };
}

function manager(parts: ListenerParts, routes: string, protocol: string, prefix: string, port: number) {
  const topology = topologyOf(parts);
  const internal = parts.proxy.mesh.snapshot.networks.ranges.map(cidrRange).filter((range) => range !== undefined);
  // What clients from outside say of their certificates is not believed; who they are is found out here.
  const forwardClientCertDetails = clientCertDetails(topology.forwardClientCertDetails) ?? CertDetails.SANITIZE_SET;
  const describes = forwardClientCertDetails === CertDetails.SANITIZE_SET || forwardClientCertDetails === CertDetails.APPEND_FORWARD;
  const extra: Init<typeof HttpConnectionManagerSchema> = {
    xffNumTrustedHops: topology.numTrustedProxies ?? 0,
    forwardClientCertDetails,
    ...(describes && { setCurrentClientCertDetails: { subject: true, cert: true, dns: true, uri: true } }),
    httpProtocolOptions: {},
    // Headers that only one's own clients may set are believed from these addresses.
    ...(internal.length > 0 && { internalAddressConfig: { cidrRanges: internal } }),
  };
  return httpManager(parts, { trafficClass: "gateway", port, statPrefix: prefix, protocol: parseProtocol(protocol), routes, useRemoteAddress: true, extra });
}

function build(parts: ListenerParts, name: string, bind: string, port: number, chains: readonly ChainDraft[]): Listener {
  const needsTls = chains.some(({ sniHosts, tls }) => sniHosts?.length || tls);
  const limit = connectionSettings(parts).listenerPerConnectionBufferLimitBytes;
  return create(ListenerSchema, {
    name,
    address: address(bind, port),
    trafficDirection: TrafficDirection.OUTBOUND,
    maxConnectionsToAcceptPerSocketEvent: ACCEPT_ONE,
    ...(metadataFlag(parts.proxy.node, "OUTBOUND_LISTENER_EXACT_BALANCE") && {
      connectionBalanceConfig: { balanceType: { case: "exactBalance" as const, value: {} } },
    }),
    ...(limit !== undefined && limit >= 0 && { perConnectionBufferLimitBytes: limit }),
    accessLog: parts.logs("gateway", "listener"),
    listenerFilters: [...(topologyOf(parts).proxyProtocol !== undefined ? [configured(PROXY_PROTOCOL)] : []), ...(needsTls ? [configured(TLS_INSPECTOR)] : [])],
    filterChains: chains.map(buildChain),
  });
}

function topologyOf(parts: ListenerParts): Topology {
  const topology = parts.proxyConfig["gatewayTopology"];
  return typeof topology === "object" && topology !== null ? (topology as Topology) : {};
}
