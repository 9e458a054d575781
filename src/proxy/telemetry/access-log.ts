import { fromBinary } from "@bufbuild/protobuf";
import type { AccessLog } from "../../proto/gen/envoy/config/accesslog/v3/accesslog_pb.ts";
import type { SubstitutionFormatString } from "../../proto/gen/envoy/config/core/v3/substitution_format_string_pb.ts";
import { FileAccessLogSchema } from "../../proto/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts";
import { StderrAccessLogSchema, StdoutAccessLogSchema } from "../../proto/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts";
import { TypedConfig } from "../filters/typed-config.ts";
import type { Services } from "../services.ts";
import { readConfig } from "../constraints/index.ts";
import { InvalidResource } from "../types.ts";
import { compileLogFilter } from "./access-log-filter.ts";
import { compileFormat, type FormatOptions } from "./format.ts";
import type * as GrpcLog from "./grpc-access-log.ts";
import type * as OtlpLog from "./otlp-access-log.ts";
import type { StreamInfo } from "./stream-info.ts";

/** Writes a finished request or connection to where its configuration says. */
export type AccessLogger = (info: StreamInfo) => void;

/** Envoy's format when a configuration has none. */
const DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% ' +
  '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" ' +
  '"%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

/** Compiles access-log configurations into one function; undefined when there are none. Throws InvalidResource. */
export function compileAccessLogs(logs: readonly AccessLog[], services: Services): AccessLogger | undefined {
  const loggers = logs.map((log) => compileOne(log, services));
  const [only] = loggers;
  if (only === undefined || loggers.length === 1) return only;
  return (info) => {
    for (const logger of loggers) logger(info);
  };
}

function compileOne(log: AccessLog, services: Services): AccessLogger {
  const filter = log.filter ? compileLogFilter(log.filter, services) : undefined;
  const write = compileLogger(log, services);
  if (!filter) return write;
  return (info) => {
    if (filter(info)) write(info);
  };
}

function compileLogger(log: AccessLog, services: Services): AccessLogger {
  const config = log.configType.case === "typedConfig" ? log.configType.value : undefined;
  const collected = config && collectedLog(TypedConfig.open(config), services);
  if (collected) return collected;
  const options: FormatOptions = { missing: "-", hostname: services.hostname };
  let path: string;
  let line: (info: StreamInfo) => string;
  switch (config?.typeUrl) {
    case `type.googleapis.com/${FileAccessLogSchema.typeName}`: {
      const file = readConfig(FileAccessLogSchema, config.value);
      path = file.path;
      const format = file.accessLogFormat;
      if (format.case === "logFormat") line = compileSubstitution(format.value, options);
      else if (format.case === "format") line = compileFormat(format.value, options);
      else if (format.case === "jsonFormat" || format.case === "typedJsonFormat") line = compileJson(format.value, options);
      else line = compileFormat(DEFAULT_FORMAT, options);
      break;
    }
    case `type.googleapis.com/${StdoutAccessLogSchema.typeName}`: {
      path = "/dev/stdout";
      const format = fromBinary(StdoutAccessLogSchema, config.value).accessLogFormat;
      line = format.case === "logFormat" ? compileSubstitution(format.value, options) : compileFormat(DEFAULT_FORMAT, options);
      break;
    }
    case `type.googleapis.com/${StderrAccessLogSchema.typeName}`: {
      path = "/dev/stderr";
      const format = fromBinary(StderrAccessLogSchema, config.value).accessLogFormat;
      line = format.case === "logFormat" ? compileSubstitution(format.value, options) : compileFormat(DEFAULT_FORMAT, options);
      break;
    }
    default:
      throw new InvalidResource("UNKNOWN_ACCESS_LOGGER", `Didn't find a registered implementation for '${log.name}' with type URL: '${config?.typeUrl ?? ""}'`);
  }
  const sink = services.accessLog(path);
  return (info) => sink.write(line(info));
}

/** Logs that go to a collector: few meshes have them, and their code is loaded with the first. */
function collectedLog(config: TypedConfig, services: Services): AccessLogger | undefined {
  if (config.typeName.startsWith("envoy.extensions.access_loggers.grpc.v3.")) {
    const grpc = require("./grpc-access-log.ts") as typeof GrpcLog;
    return grpc.GRPC_LOG_TYPES.includes(config.typeName) ? grpc.compileGrpcLog(config, services) : undefined;
  }
  if (config.typeName.startsWith("envoy.extensions.access_loggers.open_telemetry.v3.")) {
    const otlp = require("./otlp-access-log.ts") as typeof OtlpLog;
    return config.typeName === otlp.OTLP_LOG_TYPE ? otlp.compileOtlpLog(config, services) : undefined;
  }
  return undefined;
}

/** Compiles a SubstitutionFormatString: text or JSON. */
export function compileSubstitution(format: SubstitutionFormatString, options: FormatOptions): (info: StreamInfo) => string {
  const { format: kind, omitEmptyValues } = format;
  const effective = omitEmptyValues ? { ...options, missing: "" } : options;
  switch (kind.case) {
    case "textFormat":
      return compileFormat(kind.value, effective);
    case "textFormatSource": {
      const source = kind.value.specifier;
      if (source.case === "inlineString") return compileFormat(source.value, effective);
      if (source.case === "inlineBytes") return compileFormat(new TextDecoder().decode(source.value), effective);
      break;
    }
    case "jsonFormat":
      return compileJson(kind.value, options, omitEmptyValues);
  }
  throw new InvalidResource("INVALID_FORMAT", "SubstitutionFormatStringValidationError.Format: value is required");
}

type JsonWriter = (info: StreamInfo) => unknown;

function compileJson(template: { [key: string]: unknown }, options: FormatOptions, omitEmpty = false): (info: StreamInfo) => string {
  const write = jsonWriter(template, options);
  const keep = omitEmpty ? (_key: string, value: unknown) => (value === null ? undefined : value) : undefined;
  return (info) => `${JSON.stringify(write(info), keep)}\n`;
}

/** Tells what is missing from what is empty: no value has this character. */
const MISSING = "\0";

/** Numbers stay numbers, as in Envoy's typed JSON; missing values are null. */
function jsonWriter(template: unknown, options: FormatOptions): JsonWriter {
  if (typeof template === "string") {
    const whole = /^%[A-Z_0-9]+(\([^)]*\))?(:\d+)?%$/.test(template);
    const text = compileFormat(template, { ...options, missing: whole ? MISSING : options.missing });
    if (!whole) return text;
    const numeric = /^%(RESPONSE_CODE|BYTES_|DURATION|REQUEST_DURATION|RESPONSE_|UPSTREAM_REQUEST_ATTEMPT_COUNT|.*_PORT%|CONNECTION_ID)/.test(template);
    return (info) => {
      const value = text(info);
      if (value === MISSING) return null;
      return numeric && /^\d+$/.test(value) ? Number(value) : value;
    };
  }
  if (Array.isArray(template)) {
    const items = template.map((item) => jsonWriter(item, options));
    return (info) => items.map((item) => item(info));
  }
  if (typeof template === "object" && template !== null) {
    const fields = Object.entries(template)
      .map(([key, value]) => [key, jsonWriter(value, options)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return (info) => Object.fromEntries(fields.map(([key, write]) => [key, write(info)]));
  }
  return () => template;
}
