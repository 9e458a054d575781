/**
 * extension puts TrafficExtensions and WasmPlugins into proxies: Lua in the listeners, Wasm modules by ECDS.
 * Which extension belongs into which chain, and in which order, is Istio's; Envoy and Istio's agent run and fetch the code.
 * Chainmail's own proxy runs no foreign code and is told of none.
 */
export { extensionsFor, isNetworkExtension, matches, type Extension, type Phase } from "./extensions.ts";
export { extensionFilter } from "./filters.ts";
export { ExtensionGenerator } from "./generator.ts";
