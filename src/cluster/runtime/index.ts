/**
 * runtime turns sandboxes and containers into namespaces and processes of this machine: what a CRI runtime is to a
 * kubelet. It knows nothing of pods' specs, images or services; those are the node agent's and the network's.
 */
export type * from "./types.ts";
export { AddressPool, parseCidr, type Cidr } from "./address-pool.ts";
export { NamespaceClient } from "./namespace-client.ts";
export { ProcessRuntime } from "./process-runtime.ts";
export { readIdMaps } from "./privileges.ts";
export { childrenOf } from "./processes.ts";
export { findTools } from "./tools.ts";
