/**
 * network is the machine side of what kube-proxy, CNI and cluster DNS are to Kubernetes.
 */
export { startNode, EGRESS_PORT, type Node, type NodeOptions } from "./start-node.ts";
