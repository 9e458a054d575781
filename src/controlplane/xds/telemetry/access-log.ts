import { create, type JsonObject, type MessageShape } from "@bufbuild/protobuf";
import { packAny, type Init } from "../../../proto/index.ts";
import { AccessLogSchema, type AccessLogFilterSchema } from "../../../proto/gen/envoy/config/accesslog/v3/accesslog_pb.ts";
import { ApiVersion } from "../../../proto/gen/envoy/config/core/v3/config_source_pb.ts";
import { FileAccessLogSchema } from "../../../proto/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts";
import { ExpressionFilterSchema } from "../../../proto/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.ts";
import { HttpGrpcAccessLogConfigSchema, TcpGrpcAccessLogConfigSchema } from "../../../proto/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.ts";
import { ReqWithoutQuerySchema } from "../../../proto/gen/envoy/extensions/formatter/req_without_query/v3/req_without_query_pb.ts";
import { compareText, type ExtensionProvider, type MeshConfig } from "../../registry/index.ts";
import type { ClusterLookup } from "../cluster-lookup.ts";
import { otelLog } from "./otel-log.ts";
import { findProvider, matchesSide, providerNames, type LoggingSpec, type TrafficClass } from "./applied.ts";

export type AccessLog = MessageShape<typeof AccessLogSchema>;
type Filter = Init<typeof AccessLogFilterSchema>;

/** What logs: an HTTP connection manager, a TCP proxy, or a listener for the connections that find no chain. */
export type LogPlace = "http" | "tcp" | "listener";

interface LogFormat {
  text?: string;
  labels?: JsonObject;
}

const STDOUT = "/dev/stdout";
const BUILTIN_PROVIDER = "envoy";
/** The collector that a proxy's bootstrap names. */
const BOOTSTRAP_COLLECTOR = "envoy_accesslog_service";
const PEER_STATE = ["upstream_peer", "downstream_peer"];
const ALL_PEER_STATE = [...PEER_STATE, "wasm.upstream_peer", "wasm.upstream_peer_id", "wasm.downstream_peer", "wasm.downstream_peer_id"];
const LOG_NAMES: Record<LogPlace, string> = { http: "http_envoy_accesslog", tcp: "tcp_envoy_accesslog", listener: "listener_envoy_accesslog" };

/** The fields of Istio's access log, by their keys in its JSON form and in the order of its text form. */
const FIELDS: readonly (readonly [string, string])[] = [
  ["start_time", "%START_TIME%"],
  ["method", "%REQ(:METHOD)%"],
  ["path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"],
  ["protocol", "%PROTOCOL%"],
  ["response_code", "%RESPONSE_CODE%"],
  ["response_flags", "%RESPONSE_FLAGS%"],
  ["response_code_details", "%RESPONSE_CODE_DETAILS%"],
  ["connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"],
  ["upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"],
  ["bytes_received", "%BYTES_RECEIVED%"],
  ["bytes_sent", "%BYTES_SENT%"],
  ["duration", "%DURATION%"],
  ["upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"],
  ["x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"],
  ["user_agent", "%REQ(USER-AGENT)%"],
  ["request_id", "%REQ(X-REQUEST-ID)%"],
  ["authority", "%REQ(:AUTHORITY)%"],
  ["upstream_host", "%UPSTREAM_HOST%"],
  ["upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"],
  ["upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"],
  ["downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"],
  ["downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"],
  ["requested_server_name", "%REQUESTED_SERVER_NAME%"],
  ["route_name", "%ROUTE_NAME%"],
];

/** Fields that may hold spaces, and the time, which begins the line. */
const QUOTED = new Set(["upstream_transport_failure_reason", "x_forwarded_for", "user_agent", "request_id", "authority", "upstream_host"]);
const JSON_FORMAT: JsonObject = Object.fromEntries(FIELDS);
const TEXT_FORMAT = `${FIELDS.map(([key, value]) => textField(key, value)).join(" ")}\n`;

/** Connections without a chain are logged nowhere else. */
const NO_ROUTE: Filter = { filterSpecifier: { case: "responseFlagFilter", value: { flags: ["NR"] } } };

/** The access logs of one place: what the Telemetry resources and default providers say, else what the mesh config says. */
export function accessLogs(
  logging: readonly (readonly LoggingSpec[])[],
  mesh: MeshConfig,
  trafficClass: TrafficClass,
  place: LogPlace,
  lookup: ClusterLookup,
): AccessLog[] {
  if (place === "listener" && mesh.disableEnvoyListenerLog) return [];
  const own = place === "listener" ? NO_ROUTE : undefined;
  const configured = mergeLogging(logging, mesh, trafficClass).flatMap(({ provider, expression, disabled }) => {
    const log = providerLog(provider, mesh, lookup);
    return log ? [{ log, expression, disabled }] : [];
  });
  if (configured.length > 0) {
    return configured
      .filter(({ disabled }) => !disabled)
      .map(({ log, expression }) => create(AccessLogSchema, { ...log, ...withFilters([own, expression === undefined ? undefined : celFilter(expression)]) }));
  }
  const logs: AccessLog[] = [];
  if (mesh.accessLogFile) logs.push(create(AccessLogSchema, { ...meshFileLog(mesh.accessLogFile, mesh), ...withFilters([own]) }));
  if (mesh.enableEnvoyAccessLogService) logs.push(create(AccessLogSchema, { ...collectorLog(place), ...withFilters([own]) }));
  return logs;
}

interface MergedLogging {
  provider: ExtensionProvider;
  expression: string | undefined;
  disabled: boolean;
}

function mergeLogging(resources: readonly (readonly LoggingSpec[])[], mesh: MeshConfig, trafficClass: TrafficClass): MergedLogging[] {
  const defaults = mesh.defaultProviders.accessLogging ?? [];
  const states = new Map<string, { expression: string | undefined; disabled: boolean }>();
  const expressions = new Map<string, string | undefined>();
  if (resources.length === 0) for (const name of defaults) states.set(name, { expression: undefined, disabled: false });
  let inScope = new Set(defaults);
  for (const specs of resources) {
    const named = specs
      .filter(({ match }) => matchesSide(match?.mode, trafficClass))
      .flatMap(({ providers, filter }) => {
        const names = providerNames(providers);
        for (const name of names) expressions.set(name, filter && (filter.expression ?? ""));
        return names;
      });
    if (named.length > 0) inScope = new Set(named);
  }
  let inherited: readonly string[] = defaults;
  for (const spec of resources.flat()) {
    const own = providerNames(spec.providers);
    if (own.length > 0) inherited = own;
    for (const name of inherited) {
      if (!inScope.has(name) || !matchesSide(spec.match?.mode, trafficClass)) continue;
      states.set(name, spec.disabled ? { expression: undefined, disabled: true } : { expression: expressions.get(name), disabled: false });
    }
  }
  return [...states]
    .flatMap(([name, state]) => {
      const provider = findProvider(mesh, name);
      return provider ? [{ provider, ...state }] : [];
    })
    .sort((a, b) => compareText(a.provider.name, b.provider.name));
}

function providerLog(provider: ExtensionProvider, mesh: MeshConfig, lookup: ClusterLookup) {
  const file = provider["envoyFileAccessLog"] as { path?: string; logFormat?: LogFormat; omitEmptyValues?: boolean } | undefined;
  if (file) {
    if (provider.name === BUILTIN_PROVIDER && !file.logFormat && !file.omitEmptyValues) return meshFileLog(file.path ?? "", mesh);
    return fileLog(file.path || STDOUT, formatOf(file.logFormat), file.omitEmptyValues ?? false);
  }
  const otel = provider["envoyOtelAls"] as { service?: string; port?: number; logName?: string; logFormat?: LogFormat } | undefined;
  if (otel) {
    const found = lookup(otel.service ?? "", otel.port ?? 0);
    const text = otel.logFormat?.text || TEXT_FORMAT;
    const labels = otel.logFormat?.labels;
    return (
      found &&
      logger(
        "envoy.access_loggers.open_telemetry",
        otelLog({
          logName: otel.logName ?? "",
          target: { clusterName: found.cluster, authority: found.hostname },
          text,
          labels,
          formatters: formattersOf(text, labels),
        }),
      )
    );
  }
  for (const [field, place] of [
    ["envoyHttpAls", "http"],
    ["envoyTcpAls", "tcp"],
  ] as const) {
    const settings = provider[field] as
      | (Record<string, unknown> & { service?: string; port?: number; logName?: string; filterStateObjectsToLog?: string[] })
      | undefined;
    if (!settings) continue;
    const found = lookup(settings.service ?? "", settings.port ?? 0);
    if (!found) return undefined;
    const state = settings.filterStateObjectsToLog?.length ? settings.filterStateObjectsToLog : PEER_STATE;
    return grpcLog(place, settings.logName || LOG_NAMES[place], { clusterName: found.cluster, authority: found.hostname }, state, settings);
  }
  return undefined;
}

function meshFileLog(path: string, mesh: MeshConfig) {
  if (mesh.accessLogEncoding !== "JSON") return fileLog(path, { text: mesh.accessLogFormat }, false);
  return fileLog(path, { labels: parsedLabels(mesh.accessLogFormat) ?? JSON_FORMAT }, false);
}

function formatOf(format: LogFormat | undefined): LogFormat {
  if (!format?.labels) return { text: format?.text ?? "" };
  return { labels: Object.keys(format.labels).length > 0 ? format.labels : JSON_FORMAT };
}

function fileLog(path: string, format: LogFormat, omitEmptyValues: boolean) {
  const text = format.text ? (format.text.endsWith("\n") ? format.text : `${format.text}\n`) : TEXT_FORMAT;
  const formatters = format.labels ? formattersOf("", format.labels) : formattersOf(text, undefined);
  const logFormat = format.labels
    ? { format: { case: "jsonFormat" as const, value: format.labels }, jsonFormatOptions: {}, omitEmptyValues, formatters }
    : { format: { case: "textFormatSource" as const, value: { specifier: { case: "inlineString" as const, value: text } } }, omitEmptyValues, formatters };
  return logger("envoy.access_loggers.file", packAny(FileAccessLogSchema, { path, accessLogFormat: { case: "logFormat", value: logFormat } }));
}

/** Words of a format that Envoy knows by an extension. */
function formattersOf(text: string, labels: JsonObject | undefined) {
  const mentioned = [text, ...Object.values(labels ?? {})].filter((value) => typeof value === "string").join();
  return mentioned.includes("%REQ_WITHOUT_QUERY") ? [{ name: "envoy.formatter.req_without_query", typedConfig: packAny(ReqWithoutQuerySchema, {}) }] : [];
}

function collectorLog(place: LogPlace) {
  return grpcLog(place, LOG_NAMES[place], { clusterName: BOOTSTRAP_COLLECTOR }, ALL_PEER_STATE, {});
}

function grpcLog(
  place: LogPlace,
  logName: string,
  target: { clusterName: string; authority?: string },
  filterStateObjectsToLog: string[],
  headers: Record<string, unknown>,
) {
  const commonConfig = {
    logName,
    grpcService: { targetSpecifier: { case: "envoyGrpc" as const, value: target } },
    transportApiVersion: ApiVersion.V3,
    filterStateObjectsToLog,
  };
  if (place !== "http") return logger("envoy.tcp_grpc_access_log", packAny(TcpGrpcAccessLogConfigSchema, { commonConfig }));
  const list = (field: string): string[] => (Array.isArray(headers[field]) ? (headers[field] as string[]) : []);
  return logger(
    "envoy.access_loggers.http_grpc",
    packAny(HttpGrpcAccessLogConfigSchema, {
      commonConfig,
      additionalRequestHeadersToLog: list("additionalRequestHeadersToLog"),
      additionalResponseHeadersToLog: list("additionalResponseHeadersToLog"),
      additionalResponseTrailersToLog: list("additionalResponseTrailersToLog"),
    }),
  );
}

function logger(name: string, value: ReturnType<typeof packAny>) {
  return { name, configType: { case: "typedConfig" as const, value } };
}

function celFilter(expression: string): Filter {
  const typedConfig = packAny(ExpressionFilterSchema, { expression });
  return {
    filterSpecifier: {
      case: "extensionFilter",
      value: { name: "envoy.access_loggers.extension_filters.cel", configType: { case: "typedConfig", value: typedConfig } },
    },
  };
}

function withFilters(filters: (Filter | undefined)[]): { filter?: Filter } {
  const present = filters.filter((filter) => filter !== undefined);
  const [first] = present;
  if (!first) return {};
  return { filter: present.length === 1 ? first : { filterSpecifier: { case: "andFilter", value: { filters: present } } } };
}

/** A JSON format that is not JSON counts as none, as with Istio: logs matter more than their form. */
function parsedLabels(text: string): JsonObject | undefined {
  if (!text) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null && !Array.isArray(parsed) ? (parsed as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

function textField(key: string, value: string): string {
  if (key === "start_time") return `[${value}]`;
  if (key === "method") return `"${value}`;
  if (key === "protocol") return `${value}"`;
  return QUOTED.has(key) ? `"${value}"` : value;
}
