/**
 * bootstrap starts a proxy from what Envoy calls a bootstrap: static resources, the node, the way to the control plane.
 * It wires the data plane, the discovery client and the secrets together and knows when the proxy is live.
 * The same code runs an injected sidecar and `chainmail proxy -c envoy.yaml`.
 */
export { BootstrapError, readBootstrap, type ProxyBootstrap } from "./bootstrap.ts";
export { limitProgramSize } from "../match/regex.ts";
export { ProxyServer, nodeMessage, type ProxyServerDeps, type ServerState } from "./proxy-server.ts";
