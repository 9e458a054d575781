/**
 * kube is the client side of the Kubernetes API: typed verbs over a transport, and informers that keep a local copy current.
 * It talks the same way to the embedded server in-process, to an API server over HTTPS from a pod, and by kubeconfig from a CLI.
 * It knows resources only by their coordinates; what an object means is its caller's business.
 */
export * from "./types.ts";
export * from "./gvr.ts";
export { ApiError, isConflict, isNotFound, isExpired, isAlreadyExists, type StatusBody } from "./errors.ts";
export { createClient } from "./client.ts";
export { createInformer } from "./informer.ts";
export { httpsTransport, type HttpsTransportOptions } from "./https-transport.ts";
export { inClusterOptions, inClusterTransport, SERVICE_ACCOUNT_DIR } from "./in-cluster.ts";
export { loadKubeconfig, transportFromKubeconfig, type KubeconfigTarget } from "./kubeconfig.ts";
export { execInPod, type ExecRequest, type ExecResult } from "./exec.ts";
export { portForward } from "./portforward/index.ts";
