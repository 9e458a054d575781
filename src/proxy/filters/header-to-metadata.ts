import {
  Config_ValueEncode as Encode,
  Config_ValueType as ValueType,
  ConfigSchema,
  type Config_KeyValuePair as KeyValue,
  type Config_Rule as Rule,
} from "../../proto/gen/envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata_pb.ts";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { HeaderMap, RequestHead } from "../http/header-map.ts";
import type { HttpStream } from "../http/http-stream.ts";
import { headerReader } from "../match/headers.ts";
import { compileSubstitute } from "../match/regex.ts";
import { InvalidResource } from "../types.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";
import { routeConfigOf, type TypedConfig } from "./typed-config.ts";

type Apply = (stream: HttpStream) => void;

/** `envoy.filters.http.header_to_metadata`: what headers and cookies say becomes dynamic metadata, for balancing, policies and logs. */
export const headerToMetadataFilter: HttpFilterFactory = {
  typeNames: [ConfigSchema.typeName],
  routeTypeNames: [ConfigSchema.typeName],
  checkRoute: (config) => void compile(config),
  create(config, context) {
    const whole = compile(config);
    return {
      forRoute(route) {
        const own = routeConfigOf(route, context.name);
        if (own.disabled) return undefined;
        return own.config ? compile(own.config) : whole;
      },
    };
  },
};

function compile(config: TypedConfig): HttpFilter {
  const proto = config.read(ConfigSchema);
  const request = proto.requestRules.map((rule) => compileRule(rule, "request"));
  const response = proto.responseRules.map((rule) => compileRule(rule, "response"));
  return {
    ...(request.length > 0 && { onRequest: (stream) => (run(request, stream), "continue") }),
    ...(response.length > 0 && { onResponse: (stream) => (run(response, stream), "continue") }),
  };
}

function run(rules: readonly Apply[], stream: HttpStream): void {
  for (const apply of rules) apply(stream);
}

function compileRule(rule: Rule, side: "request" | "response"): Apply {
  const name = rule.header.toLowerCase();
  if (rule.cookie !== "" && name !== "") throw new InvalidResource("INVALID_HEADER_TO_METADATA", "Cannot specify both header and cookie");
  if (rule.cookie === "" && name === "") throw new InvalidResource("INVALID_HEADER_TO_METADATA", "One of Cookie or Header option needs to be specified");
  if (!rule.onHeaderPresent && !rule.onHeaderMissing)
    throw new InvalidResource("INVALID_HEADER_TO_METADATA", "header to metadata filter: rule needs one of on_header_present or on_header_missing");
  if (rule.cookie !== "" && rule.remove) throw new InvalidResource("INVALID_HEADER_TO_METADATA", "Cannot specify remove for cookie");
  if (rule.onHeaderMissing?.value === "") throw new InvalidResource("INVALID_HEADER_TO_METADATA", "Cannot specify on_header_missing rule with an empty value");
  const present = rule.onHeaderPresent && compilePair(rule.onHeaderPresent);
  const missing = rule.onHeaderMissing && compilePair(rule.onHeaderMissing);
  const read = reader(rule.cookie, name, side);
  return (stream) => {
    const found = read(stream);
    if (found !== undefined) {
      present?.(stream, found);
      if (rule.remove) (side === "request" ? stream.request.headers : (stream.responseHeaders as HeaderMap)).remove(name);
    } else missing?.(stream, "");
  };
}

function reader(cookie: string, name: string, side: "request" | "response"): (stream: HttpStream) => string | undefined {
  if (cookie !== "") {
    return (stream) => {
      for (const pair of (stream.request.headers.getJoined("cookie") ?? "").split(/[;,]/)) {
        const [key = "", ...value] = pair.trim().split("=");
        if (key === cookie) return value.join("=");
      }
      return undefined;
    };
  }
  if (side === "response") return (stream) => (name === ":status" ? String(stream.responseStatus) : stream.responseHeaders?.getJoined(name));
  const read = headerReader(name);
  return ({ request }) => read(request as RequestHead);
}

function compilePair(pair: KeyValue): (stream: HttpStream, found: string) => void {
  if (pair.key === "") throw new InvalidResource("INVALID_HEADER_TO_METADATA", "KeyValuePairValidationError.Key: value length must be at least 1 characters");
  const namespace = pair.metadataNamespace || "envoy.filters.http.header_to_metadata";
  const substitute = pair.regexValueRewrite && compileSubstitute(pair.regexValueRewrite);
  return (stream, found) => {
    const text = pair.value !== "" ? pair.value : substitute ? substitute(found) : found;
    const value = typedValue(text, pair);
    if (value !== undefined) stream.setMetadata(namespace, pair.key, value);
  };
}

/** Longer values are not kept. */
const MAX_VALUE = 8 * 1024;

function typedValue(given: string, { encode, type }: KeyValue): unknown {
  if (given === "" || given.length >= MAX_VALUE) return undefined;
  const bytes = encode === Encode.BASE64 ? Buffer.from(given, "base64") : Buffer.from(given, "latin1");
  if (type === ValueType.PROTOBUF_VALUE) {
    try {
      return toJson(ValueSchema, fromBinary(ValueSchema, bytes));
    } catch {
      // What is no Value says nothing.
      return undefined;
    }
  }
  const text = bytes.toString("utf8");
  if (type !== ValueType.NUMBER) return text;
  const number = Number(text);
  return text.trim() === "" || Number.isNaN(number) ? undefined : number;
}
