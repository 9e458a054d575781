/**
 * apiserver is the Kubernetes API of the embedded cluster: HTTPS for kubectl, pods and consoles, and calls in-process for
 * the cluster's own controllers, over the objects in the store.
 * It authenticates, authorizes, decodes, defaults, admits and validates, keeps managedFields, and serves watches,
 * tables, discovery and OpenAPI as a real API server of the same version does.
 * What a kind is comes as data from resources; what acts on objects lives in controllers and node.
 */
export * from "./types.ts";
export { DEFAULT_NODE_PORTS, DEFAULT_SERVICE_CIDR, startApiServer, type ApiServer, type ApiServerOptions } from "./server.ts";
export { ADMIN_USER, loadClusterPki, type ClusterPki, type KeyPair } from "./auth/certificates.ts";
export { writeKubeconfig, type KubeconfigOptions } from "./auth/kubeconfig.ts";
export type { TokenAuthority, TokenSubject } from "./auth/tokens.ts";
export type { UsageSource } from "./metrics/resource-metrics.ts";
export type { Listener, ListenTarget } from "./http/listener.ts";
