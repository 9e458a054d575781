/**
 * debug shows what istiod knows and does: metrics for Prometheus, and the debug pages and states that istioctl and Kiali read.
 * The shapes are Istio's, so the tools that people have keep working.
 * It only reads: registry, connections and generator are handed in, and who may look is decided here as well.
 */
export { createDebugAccess, isLoopback, type DebugAccess } from "./access.ts";
export { configDump } from "./config-dump.ts";
export { BUILD_INFO, controlPlaneIdentifier, VERSION_LINE } from "./identifier.ts";
export { createRegistryObserver, describeMesh, describeProcess } from "./mesh-metrics.ts";
export { MetricsRegistry, type Counter, type Gauge, type Histogram, type Labels } from "./metrics.ts";
export { DebugPages, type Page } from "./pages.ts";
export { clientConfig, syncStatus } from "./sync-status.ts";
export { proxyName, type ConnectionView, type WatchView } from "./views.ts";
