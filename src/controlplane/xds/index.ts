/**
 * xds translates the mesh into Envoy's resources: what one proxy is to listen on, route, dial and name.
 * The same translation serves every client, the ADS server and `chainmail xds render` alike; what is equal for many proxies is encoded once.
 * It reads snapshots and knows nothing of connections, certificates or time.
 */
export { createGenerator, type GeneratorOptions } from "./generator.ts";
export { parseNode, type NodeLocality } from "./node.ts";
export { canonicalService } from "./workload.ts";
export type { Dialect, NodeType, ProxyNode, XdsGenerator, XdsResource } from "./types.ts";
