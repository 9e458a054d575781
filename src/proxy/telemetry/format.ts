import { InvalidResource } from "../types.ts";
import type { HeaderMap } from "../http/header-map.ts";
import { GRPC_CODES } from "../../proto/index.ts";
import { valueText } from "../match/values.ts";
import { addressText } from "../net/connection-info.ts";
import { httpToGrpcStatus } from "../http/local-reply.ts";
import { isGrpc } from "../router/route-match.ts";
import { flagNames } from "./flag-names.ts";
import type * as Cel from "./cel-filter.ts";
import { commonDuration, queryValue, RARE_FIELDS, UNKEPT_FIELDS, xfccValue, type Part } from "./format-fields.ts";
import { formatTime } from "./time-format.ts";
import type { StreamInfo } from "./stream-info.ts";

export interface FormatOptions {
  /** What stands for a missing value: `-` in access logs, nothing in headers. */
  readonly missing: string;
  /** `%HOSTNAME%`. */
  readonly hostname: string;
}

/**
 * Compiles one of Envoy's format strings (`%REQ(X?Y):10%`, `%START_TIME%`, …) into a function. Throws InvalidResource for
 * an unknown command, as Envoy refuses the resource.
 */
export function compileFormat(format: string, options: FormatOptions): (info: StreamInfo) => string {
  const parts: (string | Part)[] = [];
  let text = "";
  for (let at = 0; at < format.length;) {
    const percent = format.indexOf("%", at);
    if (percent < 0) {
      text += format.slice(at);
      break;
    }
    text += format.slice(at, percent);
    if (format[percent + 1] === "%") {
      text += "%";
      at = percent + 2;
      continue;
    }
    const match = COMMAND.exec(format.slice(percent));
    if (!match) throw new InvalidResource("INVALID_FORMAT", `Incorrect configuration: ${format}. Couldn't find valid command at position ${percent}`);
    if (text !== "") parts.push(text);
    text = "";
    parts.push(limited(command(match[1] as string, match[2], options, format), match[3]));
    at = percent + match[0].length;
  }
  if (text !== "") parts.push(text);
  const { missing } = options;
  const first = parts[0];
  if (parts.length === 0) return () => "";
  if (parts.length === 1) return typeof first === "string" ? () => first : (info) => (first as Part)(info) ?? missing;
  return (info) => {
    let line = "";
    for (const part of parts) line += typeof part === "string" ? part : (part(info) ?? missing);
    return line;
  };
}

const COMMAND = /^%([A-Z_0-9]+)(?:\(([^)]*)\))?(?::(\d+))?%/;

function limited(part: Part, length: string | undefined): Part {
  if (length === undefined) return part;
  const max = Number(length);
  return (info) => part(info)?.slice(0, max);
}

function command(name: string, argument: string | undefined, options: FormatOptions, format: string): Part {
  const simple = SIMPLE[name] ?? RARE_FIELDS[name];
  if (simple) return simple;
  if (UNKEPT_FIELDS.has(name)) return () => undefined;
  switch (name) {
    case "HOSTNAME":
      return () => options.hostname;
    case "START_TIME":
      return formatTime(argument, (info) => info.startTime);
    case "START_TIME_LOCAL":
      return formatTime(argument, (info) => info.startTime, true);
    case "EMIT_TIME":
      return formatTime(argument, (info) => info.startTime + info.durationMs);
    case "EMIT_TIME_LOCAL":
      return formatTime(argument, (info) => info.startTime + info.durationMs, true);
    case "XFCC_VALUE":
      return xfccValue(argument ?? "");
    case "CEL":
      return (require("./cel-filter.ts") as typeof Cel).compileCelText(argument ?? "");
    case "COMMON_DURATION":
      return commonDuration(argument ?? "");
    case "REQ":
      return requestHeader(argument ?? "");
    // Envoy has these two in formatter extensions, which it must be told to load.
    case "REQ_WITHOUT_QUERY": {
      const read = requestHeader(argument ?? "");
      return (info) => read(info)?.split("?", 1)[0];
    }
    case "METADATA": {
      const [kind = "", ...rest] = (argument ?? "").split(":");
      const fields = METADATA_KINDS[kind];
      if (fields) return metadata(rest.join(":"), fields);
      break;
    }
    case "PATH":
      return requestPath(argument ?? "");
    case "QUERY_PARAM":
      return (info) => queryValue(info.request?.path ?? "", argument ?? "");
    case "RESP":
      return headerOf(argument ?? "", (info) => info.responseHeaders);
    case "TRAILER":
      return headerOf(argument ?? "", (info) => info.responseTrailers);
    case "GRPC_STATUS": {
      const write = GRPC_STYLES[argument ?? "CAMEL_STRING"];
      if (!write) throw new InvalidResource("INVALID_FORMAT", "GrpcStatusFormatter only supports CAMEL_STRING, SNAKE_STRING or NUMBER.");
      return (info) => {
        const status = grpcStatus(info);
        return status === undefined ? undefined : write(status);
      };
    }
    case "GRPC_STATUS_NUMBER":
      return grpcStatus;
    case "DYNAMIC_METADATA":
      return metadata(argument ?? "", (info, filter) => info.dynamicMetadata?.get(filter));
    case "CLUSTER_METADATA":
      return metadata(argument ?? "", (info, filter) => info.upstreamCluster?.metadata[filter]);
    case "UPSTREAM_METADATA":
      return metadata(argument ?? "", (info, filter) => info.upstreamHost?.metadata[filter]);
    case "FILTER_STATE":
      return filterState(argument ?? "");
    case "ENVIRONMENT":
      return () => undefined;
  }
  throw new InvalidResource("INVALID_FORMAT", `Not supported field in StreamInfo: ${name} in format ${JSON.stringify(format)}`);
}

/** Only what was asked for as gRPC has such a status. */
function grpcStatus({ request, responseTrailers, responseHeaders, responseStatus }: StreamInfo): string | undefined {
  if (!request || !isGrpc(request)) return undefined;
  return (
    responseTrailers?.get("grpc-status") ?? responseHeaders?.get("grpc-status") ?? (responseStatus === 0 ? undefined : String(httpToGrpcStatus(responseStatus)))
  );
}

/** `%FILTER_STATE(key:PLAIN|TYPED)%`: as text, or as JSON has it. */
function filterState(argument: string): Part {
  const [key = "", form = "TYPED"] = argument.split(":");
  if (form !== "PLAIN" && form !== "TYPED" && form !== "FIELD")
    throw new InvalidResource("INVALID_FORMAT", `Invalid filter state serialize type, only support PLAIN/TYPED/FIELD.`);
  return (info) => {
    const value = info.namedState?.get(key) ?? info.downstream.namedState?.get(key);
    if (value === undefined || form === "FIELD") return undefined;
    return form === "PLAIN" ? value : JSON.stringify(value);
  };
}

const GRPC_STYLES: Record<string, ((status: string) => string) | undefined> = {
  NUMBER: (status) => status,
  SNAKE_STRING: (status) => GRPC_CODES[Number(status)] ?? status,
  CAMEL_STRING: (status) => camel(GRPC_CODES[Number(status)]) ?? status,
};

/** `NOT_FOUND` as `NotFound`; success is the one that stays as it is. */
function camel(name: string | undefined): string | undefined {
  if (name === undefined || name === "OK") return name;
  return name === "CANCELLED" ? "Canceled" : name.toLowerCase().replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** `%PATH(WQ|NQ:ORIG|PATH|ORIG_OR_PATH)%`: with or without its query, as it came or as it went on. */
function requestPath(argument: string): Part {
  const [query = "WQ", which = "ORIG_OR_PATH"] = argument === "" ? [] : argument.split(":");
  const original = requestValue("x-envoy-original-path");
  const current = requestValue(":path");
  const read: Part | undefined = { ORIG: original, PATH: current, ORIG_OR_PATH: (info: StreamInfo) => original(info) ?? current(info) }[which];
  if (!read || (query !== "WQ" && query !== "NQ")) throw new InvalidResource("INVALID_FORMAT", `Invalid PATH option: '${argument}'`);
  return query === "WQ" ? read : (info) => read(info)?.split("?", 1)[0];
}

/** `%METADATA(KIND:namespace:key)%`. */
const METADATA_KINDS: Record<string, ((info: StreamInfo, filter: string) => { readonly [key: string]: unknown } | undefined) | undefined> = {
  ROUTE: (info, filter) => info.route?.metadata[filter],
  DYNAMIC: (info, filter) => info.dynamicMetadata?.get(filter),
  CLUSTER: (info, filter) => info.upstreamCluster?.metadata[filter],
  UPSTREAM_HOST: (info, filter) => info.upstreamHost?.metadata[filter],
};

const number = (value: number): string => String(value);
const some = (text: string): string | undefined => (text === "" ? undefined : text);
const since = (ms: number): string | undefined => (ms < 0 ? undefined : String(Math.floor(ms)));

const SIMPLE: Record<string, Part | undefined> = {
  PROTOCOL: (info) => info.protocol,
  RESPONSE_CODE: (info) => number(info.responseStatus),
  // Envoy writes a dash for none in headers too.
  RESPONSE_FLAGS: (info) => info.flags || "-",
  RESPONSE_FLAGS_LONG: (info) => flagNames(info.flags),
  RESPONSE_CODE_DETAILS: (info) => some(info.details),
  CONNECTION_TERMINATION_DETAILS: (info) => some(info.terminationDetails),
  UPSTREAM_TRANSPORT_FAILURE_REASON: (info) => some(info.upstreamFailure),
  BYTES_RECEIVED: (info) => number(info.bytesReceived),
  BYTES_SENT: (info) => number(info.bytesSent),
  DURATION: (info) => number(Math.floor(info.durationMs)),
  REQUEST_DURATION: (info) => since(info.requestCompleteMs),
  RESPONSE_DURATION: (info) => since(info.responseStartMs),
  RESPONSE_TX_DURATION: (info) => (info.responseStartMs < 0 ? undefined : since(info.durationMs - info.responseStartMs)),
  UPSTREAM_HOST: (info) => info.upstreamHost?.text,
  UPSTREAM_REMOTE_ADDRESS: (info) => info.upstreamHost?.text,
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: (info) => withoutPort(info.upstreamHost?.text),
  UPSTREAM_REMOTE_PORT: (info) => portOf(info.upstreamHost?.text),
  UPSTREAM_PROTOCOL: (info) => some(info.upstreamProtocol),
  // As Envoy: a request is told by the id that it has for all who handle it.
  STREAM_ID: (info) => info.request?.headers.get("x-request-id"),
  UPSTREAM_CLUSTER: (info) => info.upstreamCluster?.observabilityName,
  UPSTREAM_CLUSTER_RAW: (info) => info.upstreamCluster?.name,
  UPSTREAM_LOCAL_ADDRESS: (info) => some(info.upstreamLocal),
  UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: (info) => withoutPort(some(info.upstreamLocal)),
  UPSTREAM_LOCAL_PORT: (info) => portOf(some(info.upstreamLocal)),
  UPSTREAM_PEER_URI_SAN: (info) => some(info.upstreamPeerUri),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: (info) => number(info.attempts),
  DOWNSTREAM_LOCAL_ADDRESS: (info) => info.downstream.localText,
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: (info) => info.downstream.local.address,
  DOWNSTREAM_LOCAL_PORT: (info) => number(info.downstream.local.port),
  DOWNSTREAM_REMOTE_ADDRESS: (info) => info.remoteText,
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: (info) => info.remoteIp,
  DOWNSTREAM_REMOTE_PORT: (info) => portOf(info.remoteText),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: (info) => addressText(info.downstream.directRemote),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: (info) => info.downstream.directRemote.address,
  DOWNSTREAM_DIRECT_REMOTE_PORT: (info) => number(info.downstream.directRemote.port),
  REQUESTED_SERVER_NAME: (info) => some(info.downstream.serverName),
  FILTER_CHAIN_NAME: (info) => some(info.downstream.chainName),
  CONNECTION_ID: (info) => number(info.downstream.id),
  ROUTE_NAME: (info) => some(info.routeName),
  VIRTUAL_CLUSTER_NAME: () => undefined,
  DOWNSTREAM_TLS_VERSION: (info) => some(info.downstream.tls?.version ?? ""),
  DOWNSTREAM_TLS_CIPHER: (info) => some(info.downstream.tls?.cipher ?? ""),
  DOWNSTREAM_PEER_URI_SAN: (info) => some(info.downstream.tls?.peer?.uriSans.join(",") ?? ""),
  DOWNSTREAM_PEER_DNS_SAN: (info) => some(info.downstream.tls?.peer?.dnsSans.join(",") ?? ""),
  DOWNSTREAM_PEER_SUBJECT: (info) => some(info.downstream.tls?.peer?.subject ?? ""),
  DOWNSTREAM_PEER_ISSUER: (info) => some(info.downstream.tls?.peer?.issuer ?? ""),
  DOWNSTREAM_PEER_SERIAL: (info) => some(info.downstream.tls?.peer?.serialNumber ?? ""),
  DOWNSTREAM_PEER_FINGERPRINT_256: (info) => some(info.downstream.tls?.peer?.sha256 ?? ""),
  DOWNSTREAM_LOCAL_URI_SAN: (info) => some(info.downstream.tls?.localUriSans.join(",") ?? ""),
};

function requestHeader(argument: string): Part {
  const [main, alternative] = argument.toLowerCase().split("?");
  const read = requestValue(main ?? "");
  if (alternative === undefined) return read;
  const other = requestValue(alternative);
  return (info) => read(info) ?? other(info);
}

function requestValue(name: string): Part {
  switch (name) {
    case ":method":
      return (info) => some(info.request?.method ?? "");
    case ":path":
      return (info) => some(info.request?.path ?? "");
    case ":authority":
    case "host":
      return (info) => some(info.request?.authority ?? "");
    case ":scheme":
      return (info) => some(info.request?.scheme ?? "");
  }
  return (info) => info.request?.headers.get(name);
}

function headerOf(argument: string, headers: (info: StreamInfo) => HeaderMap | undefined): Part {
  const [main, alternative] = argument.toLowerCase().split("?");
  const name = main ?? "";
  if (name === ":status") return (info) => number(info.responseStatus);
  return (info) => headers(info)?.get(name) ?? (alternative === undefined ? undefined : headers(info)?.get(alternative));
}

function metadata(argument: string, fields: (info: StreamInfo, filter: string) => { readonly [key: string]: unknown } | undefined): Part {
  const [filter = "", ...path] = argument.split(":");
  return (info) => {
    let value: unknown = fields(info, filter);
    for (const key of path) value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
    if (value === undefined || value === null) return undefined;
    return typeof value === "string" ? value : valueText(value);
  };
}

function withoutPort(text: string | undefined): string | undefined {
  return text?.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
}

function portOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : /:(\d+)$/.exec(text)?.[1];
}
