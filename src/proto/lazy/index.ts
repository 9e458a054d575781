/**
 * lazy stands in for parts of protobuf-es in programs that run in pods: descriptors of types are read when they are first
 * used, and so are the functions that read and write them, where protobuf-es makes all at start. A sidecar uses a tenth of
 * the types that Envoy's API declares, and the rest cost it more memory than everything else that it holds.
 * `lazyProtobuf` is the plugin that puts it into a bundle; nothing else knows of it.
 */
export { lazyProtobuf } from "./bundle-plugin.ts";
