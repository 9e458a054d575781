/**
 * agent is what runs beside a proxy in a pod: capture rules, the workload's certificate, health, probes and metrics.
 * `main.ts` is the program of the proxy image; it runs our proxy in its own process and can serve a real Envoy instead.
 * Everything here is named and numbered as Istio's agent has it, since injection, dashboards and probes rely on that.
 */
export { accessLogSinks } from "./access-log.ts";
export { parseDuration } from "./options.ts";
export { PodSockets } from "./sockets.ts";
