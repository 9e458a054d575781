/**
 * runtime turns sandboxes and containers into namespaces and processes of this machine: what a CRI runtime is to a
 * kubelet. It knows nothing of pods' specs, images or services; those are the node agent's and the network's.
 *
 *   main thread                                   namespace worker (worker/): one thread, synchronous only
 *   ProcessRuntime, Container: state, logs, exec  hops with setns between the node's and the pods' namespaces,
 *   dial: adopts descriptors                      builds roots, spawns, makes sockets, runs nft
 *        └──── NamespaceClient: typed calls, descriptors as numbers (one table for both threads) ────┘
 *
 * A sandbox is a network, uts and ipc namespace, held by open descriptors. A container is a pid and a mount namespace of
 * its own with two processes: a shell outside that waits for its exit code, and its first process, which is held until
 * /proc is masked, then drops its privileges and becomes the program. The main thread never leaves the host's network:
 * rootless there is no way back.
 */
export type * from "./types.ts";
export { AddressPool, parseCidr, type Cidr } from "./address-pool.ts";
export type { Where } from "./worker/protocol.ts";
export { NamespaceClient } from "./namespace-client.ts";
export { ProcessRuntime } from "./process-runtime.ts";
export { canBecome, readIdMaps } from "./privileges.ts";
export { childrenOf } from "./processes.ts";
export { findTools } from "./tools.ts";
