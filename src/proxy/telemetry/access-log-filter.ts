import type { AccessLogFilter, ComparisonFilter } from "../../proto/gen/envoy/config/accesslog/v3/accesslog_pb.ts";
import { ComparisonFilter_Op } from "../../proto/gen/envoy/config/accesslog/v3/accesslog_pb.ts";
import { AccessLogType } from "../../proto/gen/envoy/data/accesslog/v3/accesslog_pb.ts";
import { ExpressionFilterSchema } from "../../proto/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.ts";
import { unpackAny } from "../../proto/index.ts";
import { httpToGrpcStatus } from "../http/local-reply.ts";
import { compileHeader } from "../match/headers.ts";
import { compileMetadata } from "../match/values.ts";
import { fraction } from "../router/route-match.ts";
import type { Services } from "../services.ts";
import { sampleOf, traceReason } from "../tracing/trace-reason.ts";
import { InvalidResource } from "../types.ts";
import type * as Cel from "./cel-filter.ts";
import type { StreamInfo } from "./stream-info.ts";

/** Which requests and connections a log shows. Throws InvalidResource. */
export function compileLogFilter(filter: AccessLogFilter, services: Services): (info: StreamInfo) => boolean {
  const specifier = filter.filterSpecifier;
  switch (specifier.case) {
    case "statusCodeFilter": {
      const test = comparison(specifier.value.comparison);
      return (info) => test(info.responseStatus);
    }
    case "durationFilter": {
      const test = comparison(specifier.value.comparison);
      return (info) => test(info.durationMs);
    }
    case "responseFlagFilter": {
      const wanted = specifier.value.flags;
      if (wanted.length === 0) return (info) => info.flags !== "";
      return (info) => info.flags !== "" && info.flags.split(",").some((flag) => wanted.includes(flag));
    }
    case "headerFilter": {
      if (!specifier.value.header) break;
      const test = compileHeader(specifier.value.header);
      return (info) => info.request !== undefined && test(info.request);
    }
    case "andFilter": {
      const tests = specifier.value.filters.map((each) => compileLogFilter(each, services));
      return (info) => tests.every((test) => test(info));
    }
    case "orFilter": {
      const tests = specifier.value.filters.map((each) => compileLogFilter(each, services));
      return (info) => tests.some((test) => test(info));
    }
    case "notHealthCheckFilter":
      return (info) => !info.healthCheck;
    case "traceableFilter":
      return (info) => traceReason(info.request?.headers.get("x-request-id") ?? "") !== undefined;
    case "runtimeFilter": {
      const share = fraction(specifier.value.percentSampled);
      const own = specifier.value.useIndependentRandomness;
      // By the request's own number, so that all proxies on its way log the same requests.
      return (info) => {
        const sample = own ? undefined : sampleOf(info.request?.headers.get("x-request-id") ?? "");
        return (sample === undefined ? services.random() : sample / 10_000) < share;
      };
    }
    case "grpcStatusFilter": {
      const { statuses, exclude } = specifier.value;
      const wanted = new Set(statuses.map(Number));
      return (info) => wanted.has(grpcStatus(info)) !== exclude;
    }
    case "metadataFilter": {
      const { matcher, matchIfKeyNotFound } = specifier.value;
      if (!matcher) return () => true;
      const test = compileMetadata(matcher);
      const path = matcher.path.map(({ segment }) => segment.value ?? "");
      return (info) => {
        let value: unknown = info.dynamicMetadata?.get(matcher.filter);
        for (const key of path) value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
        return value === undefined ? (matchIfKeyNotFound ?? true) : test((filter) => info.dynamicMetadata?.get(filter));
      };
    }
    case "logTypeFilter": {
      // Logs are written when something has ended, and only then.
      const types = new Set(specifier.value.types);
      const { exclude } = specifier.value;
      return (info) => types.has(info.request === undefined ? AccessLogType.TcpConnectionEnd : AccessLogType.DownstreamEnd) !== exclude;
    }
    case "extensionFilter": {
      const any = specifier.value.configType.value;
      const cel = unpackAny(ExpressionFilterSchema, any);
      if (cel) return (require("./cel-filter.ts") as typeof Cel).compileCelFilter(cel.expression);
      throw new InvalidResource(
        "UNKNOWN_ACCESS_LOG_FILTER",
        `Didn't find a registered implementation for '${specifier.value.name}' with type URL: '${any?.typeUrl ?? ""}'`,
      );
    }
  }
  throw new InvalidResource("UNKNOWN_ACCESS_LOG_FILTER", `access log filter ${specifier.case ?? "(none)"} is not supported`);
}

function comparison(config: ComparisonFilter | undefined): (value: number) => boolean {
  const bound = config?.value?.defaultValue ?? 0;
  switch (config?.op) {
    case ComparisonFilter_Op.GE:
      return (value) => value >= bound;
    case ComparisonFilter_Op.LE:
      return (value) => value <= bound;
    default:
      return (value) => value === bound;
  }
}

/** What the server said, or what its HTTP status means to gRPC. */
function grpcStatus(info: StreamInfo): number {
  const said = info.responseTrailers?.get("grpc-status") ?? info.responseHeaders?.get("grpc-status");
  return said === undefined ? httpToGrpcStatus(info.responseStatus) : Number(said);
}
