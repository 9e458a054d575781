import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Init } from "../../../proto/index.ts";
import { TrafficDirection } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import type { FilterChainSchema } from "../../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts";
import type { ListenerSchema } from "../../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { address } from "../address.ts";
import { chainFilter, configured, HTTP_INSPECTOR } from "../filters.ts";
import { ANY_NAME, ANY_NAME_CLUSTER, forwardsAny } from "../forward-proxy.ts";
import { BLACK_HOLE, statPrefix, VIRTUAL_OUTBOUND } from "../names.ts";
import { interceptionMode, wildcards } from "../proxy.ts";
import { catchAllHost, MAX_DIRECT_RESPONSE } from "../route/defaults.ts";
import { PLAINTEXT_HTTP } from "./filter-chain.ts";
import { httpManager, untracedManager, type HttpChainOptions } from "./http.ts";
import { deadEnd, plainChain } from "./network.ts";
import { ACCEPT_ONE, catchAllCluster, type PlannedListener } from "./outbound.ts";
import type { ListenerParts } from "./parts.ts";

/** The listener that capture sends all outbound connections to; it hands them to the listener for their address. */
export function planVirtualOutbound(first: ListenerParts): PlannedListener[] {
  const { mesh, view, node } = first.proxy;
  const mode = interceptionMode(node);
  if (mode === "NONE") return [];
  const port = mesh.config.proxyListenPort;
  const byName = forwardsAny(first.proxy);
  const common: Init<typeof ListenerSchema> = {
    name: VIRTUAL_OUTBOUND,
    address: address(wildcards(view).any, port),
    ...(mode === "TPROXY" && { transparent: true }),
    useOriginalDst: true,
    trafficDirection: TrafficDirection.OUTBOUND,
    maxConnectionsToAcceptPerSocketEvent: ACCEPT_ONE,
    accessLog: first.logs("outbound", "listener"),
    ...(byName && { listenerFilters: [configured(HTTP_INSPECTOR)] }),
  };
  // Who calls this port itself would have the proxy call itself for ever.
  const blackHole = {
    name: `${VIRTUAL_OUTBOUND}-blackhole`,
    filterChainMatch: { destinationPort: port },
    filters: deadEnd(first, BLACK_HOLE, "outbound").map(chainFilter),
  };
  const all = { name: `${VIRTUAL_OUTBOUND}-catchall-tcp`, filters: plainChain(first, catchAllCluster(first.proxy), "outbound").map(chainFilter) };
  const http = byName ? prepareHttpChain(first) : undefined;
  return [{ perWorkload: byName, build: (parts) => ({ ...common, filterChains: [blackHole, ...(http ? [http(parts)] : []), all] }) }];
}

/** Plain HTTP to addresses of no service: the request says which name is meant. */
function prepareHttpChain(first: ListenerParts): (parts: ListenerParts) => MessageInitShape<typeof FilterChainSchema> {
  const options: HttpChainOptions = {
    trafficClass: "outbound",
    port: 0,
    statPrefix: statPrefix(`outbound_${VIRTUAL_OUTBOUND}_${ANY_NAME}`),
    protocol: "HTTP",
    routes: {
      name: ANY_NAME,
      virtualHosts: [catchAllHost(ANY_NAME_CLUSTER, first.headers("outbound"))],
      validateClusters: false,
      maxDirectResponseBodySizeBytes: MAX_DIRECT_RESPONSE,
      ignorePortInHostMatching: true,
    },
    useRemoteAddress: false,
  };
  const rest = untracedManager(first, options);
  return (parts) => ({
    name: `${VIRTUAL_OUTBOUND}-catchall-tcp-http`,
    filterChainMatch: { applicationProtocols: PLAINTEXT_HTTP },
    filters: [chainFilter(httpManager(parts, options, rest))],
  });
}
