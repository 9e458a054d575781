import type {
  LocalReplyConfig,
  ResponseMapper,
} from "../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import type { SubstitutionFormatString } from "../../proto/gen/envoy/config/core/v3/substitution_format_string_pb.ts";
import { compileHeaderOps, type HeaderOps } from "../router/header-ops.ts";
import type { Services } from "../services.ts";
import { compileLogFilter } from "../telemetry/access-log-filter.ts";
import { compileSubstitution } from "../telemetry/access-log.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import { readText } from "../tls/data-source.ts";
import { InvalidResource } from "../types.ts";
import type { HeaderMap } from "./header-map.ts";
import type { LocalReply } from "./local-reply.ts";

/** What becomes of an answer of the proxy's own before it is sent. */
export type RewriteReply = (reply: LocalReply, info: StreamInfo) => LocalReply;

interface Format {
  readonly write: (info: StreamInfo) => string;
  readonly contentType: string;
}

interface Mapper {
  readonly matches: (info: StreamInfo) => boolean;
  readonly status: number | undefined;
  readonly body: string | undefined;
  readonly ops: HeaderOps | undefined;
  readonly format: Format | undefined;
}

/** `local_reply_config`: the first mapper that fits changes status, body and headers; a format puts the body into a page. Throws InvalidResource. */
export function compileLocalReplies(proto: LocalReplyConfig, services: Services): RewriteReply {
  const mappers = proto.mappers.map((mapper) => compileMapper(mapper, services));
  const common = proto.bodyFormat && compileBody(proto.bodyFormat, services);
  return (reply, info) => {
    info.responseStatus = reply.status;
    const mapper = mappers.find(({ matches }) => matches(info));
    const status = mapper?.status ?? reply.status;
    let body = mapper?.body ?? reply.body;
    info.responseStatus = status;
    const format = mapper?.format ?? common;
    if (format) {
      info.localReplyBody = body;
      body = format.write(info);
      // Only the page knows it, no log.
      info.localReplyBody = "";
    }
    const { modify } = reply;
    const ops = mapper?.ops;
    return {
      ...reply,
      status,
      body,
      ...(format && { contentType: format.contentType }),
      modify: ops ? (headers: HeaderMap) => (modify?.(headers), ops(headers, info)) : modify,
    };
  };
}

function compileMapper(proto: ResponseMapper, services: Services): Mapper {
  if (!proto.filter) throw new InvalidResource("INVALID_LOCAL_REPLY", "ResponseMapperValidationError.Filter: value is required");
  const body = readText(proto.body);
  return {
    matches: compileLogFilter(proto.filter, services),
    status: proto.statusCode,
    body: body === undefined ? undefined : Buffer.from(body, "utf8").toString("latin1"),
    ops: compileHeaderOps({ add: proto.headersToAdd, remove: [] }, services.hostname),
    format: proto.bodyFormatOverride && compileBody(proto.bodyFormatOverride, services),
  };
}

function compileBody(format: SubstitutionFormatString, { hostname }: Services): Format {
  const contentType = format.contentType !== "" ? format.contentType : format.format.case === "jsonFormat" ? "application/json" : "text/plain";
  return { write: compileSubstitution(inBytes(format), { missing: "-", hostname }), contentType };
}

/** Bodies are bytes, one character each, and so are the values that a format puts in. */
function inBytes(format: SubstitutionFormatString): SubstitutionFormatString {
  const { format: kind } = format;
  const bytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
  if (kind.case === "textFormat") return { ...format, format: { case: "textFormat", value: bytes(kind.value) } };
  if (kind.case !== "textFormatSource" || kind.value.specifier.case !== "inlineString") return format;
  return {
    ...format,
    format: { case: "textFormatSource", value: { ...kind.value, specifier: { case: "inlineString", value: bytes(kind.value.specifier.value) } } },
  };
}
