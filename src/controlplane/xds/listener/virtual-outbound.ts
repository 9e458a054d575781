import { create } from "@bufbuild/protobuf";
import { TrafficDirection } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { ListenerSchema, type Listener } from "../../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { address } from "../address.ts";
import { chainFilter } from "../filters.ts";
import { BLACK_HOLE, VIRTUAL_OUTBOUND } from "../names.ts";
import { interceptionMode, wildcards } from "../proxy.ts";
import { deadEnd, plainChain } from "./network.ts";
import { ACCEPT_ONE, catchAllCluster } from "./outbound.ts";
import type { ListenerParts } from "./parts.ts";

/** The listener that capture sends all outbound connections to; it hands them to the listener for their address. */
export function virtualOutboundListener(parts: ListenerParts): Listener[] {
  const { mesh, view, node } = parts.proxy;
  const mode = interceptionMode(node);
  if (mode === "NONE") return [];
  const port = mesh.config.proxyListenPort;
  return [
    create(ListenerSchema, {
      name: VIRTUAL_OUTBOUND,
      address: address(wildcards(view).any, port),
      ...(mode === "TPROXY" && { transparent: true }),
      useOriginalDst: true,
      trafficDirection: TrafficDirection.OUTBOUND,
      maxConnectionsToAcceptPerSocketEvent: ACCEPT_ONE,
      accessLog: parts.logs("outbound", "listener"),
      filterChains: [
        // Who calls this port itself would have the proxy call itself for ever.
        { name: `${VIRTUAL_OUTBOUND}-blackhole`, filterChainMatch: { destinationPort: port }, filters: deadEnd(parts, BLACK_HOLE, "outbound").map(chainFilter) },
        { name: `${VIRTUAL_OUTBOUND}-catchall-tcp`, filters: plainChain(parts, catchAllCluster(parts.proxy), "outbound").map(chainFilter) },
      ],
    }),
  ];
}
