import { CorsPolicySchema, CorsSchema, type CorsPolicy } from "../../proto/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts";
import { compileString } from "../match/strings.ts";
import { fraction } from "../router/route-match.ts";
import { toLatin1 } from "../router/header-ops.ts";
import type { StatScope } from "../telemetry/stat-scope.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";
import { routeConfigOf } from "./typed-config.ts";

/** `envoy.filters.http.cors`: answers preflights and marks responses, where a route has a policy. */
export const corsFilter: HttpFilterFactory = {
  typeNames: [CorsSchema.typeName],
  routeTypeNames: [CorsPolicySchema.typeName],
  checkRoute: (config, { stats }) => void compile(config.read(CorsPolicySchema), stats),
  create(config, context) {
    config.read(CorsSchema);
    return {
      forRoute(route) {
        const own = routeConfigOf(route, context.name);
        return own.config && !own.disabled ? compile(own.config.read(CorsPolicySchema), context.stats) : undefined;
      },
    };
  },
};

function compile(policy: CorsPolicy, stats: StatScope): HttpFilter | undefined {
  if (policy.filterEnabled?.defaultValue && fraction(policy.filterEnabled.defaultValue) === 0) return undefined;
  const origins = policy.allowOriginStringMatch.map(compileString);
  const credentials = policy.allowCredentials ?? false;
  const preflight = headersFor(policy, ["allowMethods", "allowHeaders", "exposeHeaders", "maxAge"]);
  const forwardOthers = policy.forwardNotMatchingPreflights ?? true;
  const valid = stats.counter("cors.origin_valid");
  const invalid = stats.counter("cors.origin_invalid");
  const filter: HttpFilter = {
    onRequest(stream) {
      const { request } = stream;
      const origin = request.headers.get("origin");
      if (origin === undefined || origin === "") return "continue";
      const allowed = origins.some((test) => test(origin));
      (allowed ? valid : invalid).inc();
      const isPreflight = request.method === "OPTIONS" && (request.headers.get("access-control-request-method") ?? "") !== "";
      if (isPreflight) {
        if (!allowed && forwardOthers) return "continue";
        stream.localReply({
          status: 200,
          body: "",
          details: "cors_response",
          headers: allowed ? [["access-control-allow-origin", origin], ...(credentials ? CREDENTIALS : []), ...preflight] : [],
        });
        return "stop";
      }
      if (allowed) (stream.filterState ??= new Map()).set(filter, origin);
      return "continue";
    },
    onResponse(stream) {
      const origin = stream.filterState?.get(filter);
      if (typeof origin !== "string") return "continue";
      const headers = stream.responseHeaders;
      headers?.set("access-control-allow-origin", origin);
      if (credentials) headers?.set("access-control-allow-credentials", "true");
      if (policy.exposeHeaders !== "") headers?.set("access-control-expose-headers", toLatin1(policy.exposeHeaders));
      return "continue";
    },
  };
  return filter;
}

const CREDENTIALS = [["access-control-allow-credentials", "true"]] as const;

const NAMES = {
  allowMethods: "access-control-allow-methods",
  allowHeaders: "access-control-allow-headers",
  exposeHeaders: "access-control-expose-headers",
  maxAge: "access-control-max-age",
} as const;

function headersFor(policy: CorsPolicy, fields: readonly (keyof typeof NAMES)[]): (readonly [string, string])[] {
  return fields.filter((field) => policy[field] !== "").map((field) => [NAMES[field], toLatin1(policy[field])]);
}
