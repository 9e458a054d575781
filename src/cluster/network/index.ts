/**
 * network makes services, DNS and the outside reachable for pods, and services reachable from the host: what kube-proxy,
 * cluster DNS and a CNI's gateway are to Kubernetes. It follows Services and EndpointSlices, keeps the kernel's rules
 * equal to them, and relays what crosses between the host's network and the node's.
 *
 *   pod 10.244.0.5 ─ veth ─ node's namespace ─ nft ─ veth ─ another pod             services: DNAT, kernel only
 *                            ├ 10.96.0.1:443   API   ┐
 *                            ├ 10.96.0.10:53   DNS   ├ descriptors served by the cluster's main thread, on the host's side
 *                            └ 10.244.0.1:15999 egress ┘ ── host's network ── outside
 *   host 127.0.0.1:30080 ── main thread ── connect in the node's namespace ── service ── pod
 *
 * The node's namespace belongs to the namespace worker (src/cluster/runtime); here only its descriptors are used.
 */
export { startNode, EGRESS_PORT, type Node, type NodeOptions } from "./start-node.ts";
export type { PortProblem } from "./node-ports.ts";
export { ServiceNetwork, type Watched } from "./service-network.ts";
export type { Upstream } from "./dns/forwarder.ts";
