/**
 * telemetry keeps the mesh's metrics and makes them answer questions: it scrapes pods, stores runs of equal values,
 * evaluates PromQL behind Prometheus' HTTP API, takes spans behind Jaeger's, and makes a graph of who talks to whom.
 * The store runs as the program `prometheus` in a pod of its own; the graph asks it, or a real Prometheus, over HTTP.
 * Nothing here draws: the console does.
 */
export * from "./graph/index.ts";
export type { JaegerSpan, JaegerTrace } from "./traces/jaeger-api.ts";
export { prometheusManifests } from "./manifests.ts";
