import { list, object, text, type Json } from "../proxy-config/dump.ts";

/** A field as JSON and the .proto file name it, and how its value is written. */
type Field = readonly [json: string, proto: string, kind: "plain" | "string" | "duration" | "strings" | "map" | Message];
type Message = readonly Field[];

const PERCENT: Message = [["value", "value", "plain"]];
const DELAY: Message = [
  ["percent", "percent", "plain"],
  ["fixedDelay", "fixed_delay", "duration"],
  ["exponentialDelay", "exponential_delay", "duration"],
  ["percentage", "percentage", PERCENT],
];
const ABORT: Message = [
  ["httpStatus", "http_status", "plain"],
  ["grpcStatus", "grpc_status", "string"],
  ["http2Error", "http2_error", "string"],
  ["percentage", "percentage", PERCENT],
];

/** HTTPFaultInjection in protobuf's text form on one line, as Go prints messages. */
export function faultText(fault: Json): string {
  return messageText(fault, [
    ["delay", "delay", DELAY],
    ["abort", "abort", ABORT],
  ]);
}

/** L4MatchAttributes, likewise. */
export function l4MatchText(match: Json): string {
  return messageText(match, [
    ["destinationSubnets", "destination_subnets", "strings"],
    ["port", "port", "plain"],
    ["sourceSubnet", "source_subnet", "string"],
    ["sourceLabels", "source_labels", "map"],
    ["gateways", "gateways", "strings"],
    ["sourceNamespace", "source_namespace", "string"],
  ]);
}

/** A StringMatch: bare where it is exact or a prefix. */
function stringMatchText(matcher: Json): string {
  if (matcher.exact !== undefined) return text(matcher.exact);
  if (matcher.prefix !== undefined) return `${text(matcher.prefix)}*`;
  return messageText(matcher, [["regex", "regex", "string"]]);
}

function messageText(message: Json, fields: Message): string {
  return fields
    .flatMap(([json, proto, kind]) => {
      const value = message[json];
      if (value === undefined || value === null) return [];
      if (typeof kind !== "string") return [`${proto}:{${messageText(object(value), kind)}}`];
      switch (kind) {
        case "string":
          return [`${proto}:${JSON.stringify(text(value))}`];
        case "strings":
          return (Array.isArray(value) ? value : []).map((one: unknown) => `${proto}:${JSON.stringify(one)}`);
        case "map":
          return Object.entries(object(value))
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, entry]) => `${proto}:{key:${JSON.stringify(key)} value:${JSON.stringify(entry)}}`);
        case "duration":
          return [`${proto}:{${durationText(text(value))}}`];
        case "plain":
          return [`${proto}:${String(value)}`];
      }
    })
    .join(" ");
}

const UNIT_NANOS: Record<string, number> = { h: 3600e9, m: 60e9, s: 1e9, ms: 1e6, us: 1e3, ns: 1 };

/** `1m2.5s` as a google.protobuf.Duration. */
function durationText(duration: string): string {
  const total = [...duration.matchAll(/([\d.]+)(ms|us|ns|h|m|s)/g)].reduce(
    (sum, [, amount = "0", unit = "s"]) => sum + Number(amount) * (UNIT_NANOS[unit] ?? 0),
    0,
  );
  const [seconds, nanos] = [Math.floor(total / 1e9), Math.round(total % 1e9)];
  return [...(seconds > 0 ? [`seconds:${seconds}`] : []), ...(nanos > 0 ? [`nanos:${nanos}`] : [])].join(" ");
}

/** HTTPMatchRequests of a route, each in words. */
export function httpMatchTexts(route: Json): string[] {
  return list(route.match).map((match) => {
    const uri = match.uri === undefined ? "" : `${stringMatchText(object(match.uri))}${match.ignoreUriCase === true ? " uncased" : ""}`;
    const headers = Object.entries(object(match.headers))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, matcher]) => `${name}=${stringMatchText(object(matcher))}`);
    return `Match: ${uri}${headers.length > 0 ? ` when headers are ${headers.join("; ")}` : ""}`.trim();
  });
}
