import { create, type JsonObject } from "@bufbuild/protobuf";
import { packAny, TELEMETRY_FORMATS, TELEMETRY_METADATA } from "../../../proto/index.ts";
import { AccessLogFilterSchema, AccessLogSchema } from "../../../proto/gen/envoy/config/accesslog/v3/accesslog_pb.ts";
import { AccessLogType } from "../../../proto/gen/envoy/data/accesslog/v3/accesslog_pb.ts";
import { FileAccessLogSchema } from "../../../proto/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts";
import type { ProxyNode } from "../types.ts";
import type { AccessLog, LogPlace } from "./access-log.ts";
import type { TrafficClass } from "./applied.ts";

/** Where a plain Envoy's agent reads what it counts by; undefined for proxies that count themselves. */
export function agentLogPath(node: ProxyNode): string | undefined {
  const path = node.metadata[TELEMETRY_METADATA];
  return node.dialect === "envoy" && typeof path === "string" && path.startsWith("/") ? path : undefined;
}

/**
 * The access log that stands in for the metrics filter that a plain Envoy lacks: the agent makes Istio's metrics of it.
 * At listeners it tells of connections that were not let in.
 */
export function agentLog(path: string, trafficClass: TrafficClass, place: LogPlace): AccessLog[] {
  if (place === "listener" && trafficClass === "outbound") return [];
  const jsonFormat: JsonObject = { kind: place, class: trafficClass, ...TELEMETRY_FORMATS[place] };
  const logFormat = { format: { case: "jsonFormat" as const, value: jsonFormat }, omitEmptyValues: true };
  const file = packAny(FileAccessLogSchema, { path, accessLogFormat: { case: "logFormat", value: logFormat } });
  return [create(AccessLogSchema, { name: "envoy.access_loggers.file", configType: { case: "typedConfig", value: file } })];
}

/** Long connections are counted while they last; whoever else logs them hears of them once, as before, when they end. */
export function onlyAtTheEnd(log: AccessLog): AccessLog {
  const atEnd = create(AccessLogFilterSchema, { filterSpecifier: { case: "logTypeFilter", value: { types: [AccessLogType.TcpConnectionEnd] } } });
  const filter = log.filter ? create(AccessLogFilterSchema, { filterSpecifier: { case: "andFilter", value: { filters: [log.filter, atEnd] } } }) : atEnd;
  return create(AccessLogSchema, { ...log, filter });
}
