/**
 * telemetry works out what a workload's connections are counted, logged and traced with.
 * It merges Telemetry resources over the mesh config's default providers and answers in filters, access logs and tracing settings.
 * It knows nothing of listeners: who builds one asks for what belongs into it.
 */
export { applicableTelemetry, type AppliedTelemetry, type TrafficClass } from "./applied.ts";
export { agentLog, agentLogPath, onlyAtTheEnd } from "./agent-log.ts";
export { accessLogs, type AccessLog, type LogPlace } from "./access-log.ts";
export { statsFilters } from "./metrics.ts";
export { httpTracing, type HttpTracing } from "./tracing.ts";
