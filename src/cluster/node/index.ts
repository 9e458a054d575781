/**
 * node is the node agent, what a kubelet is: it runs the pods bound to its node and tells the API how they are.
 * It decides (order, probes, restarts, volumes, environment, endings) and leaves namespaces and processes to a ContainerRuntime.
 * The streams it offers (logs, exec, attach, port-forward) are what the API server serves to kubectl.
 */
export { machineUsage } from "./machine-usage.ts";
export { LocalFolders } from "./volumes/local-folders.ts";
export { startNodeAgent, type NodeAgent, type NodeAgentOptions } from "./agent.ts";
export type { ContainerUsage, LogOptions, PodStreams } from "./types.ts";
