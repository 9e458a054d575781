import { LocalRateLimitSchema, type LocalRateLimit } from "../../proto/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.ts";
import { durationMs } from "../durations.ts";
import { compileHeaderOps } from "../router/header-ops.ts";
import { fraction } from "../router/route-match.ts";
import type { Services } from "../services.ts";
import { InvalidResource } from "../types.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";
import { routeConfigOf } from "./typed-config.ts";

/** `envoy.filters.http.local_ratelimit`: a token bucket in this proxy; 429 when it is empty. */
export const localRateLimitFilter: HttpFilterFactory = {
  typeNames: [LocalRateLimitSchema.typeName],
  routeTypeNames: [LocalRateLimitSchema.typeName],
  create(config, context) {
    const whole = compile(config.read(LocalRateLimitSchema), context.services);
    return {
      forRoute(route) {
        const own = routeConfigOf(route, context.name);
        if (own.disabled) return undefined;
        return own.config ? compile(own.config.read(LocalRateLimitSchema), context.services) : whole;
      },
    };
  },
};

function compile(proto: LocalRateLimit, services: Services): HttpFilter | undefined {
  if (proto.descriptors.length > 0) throw new InvalidResource("UNSUPPORTED_RATELIMIT", "local_ratelimit: descriptors are not supported");
  const bucket = proto.tokenBucket;
  if (!bucket) return undefined;
  const fillMs = durationMs(bucket.fillInterval) ?? 0;
  if (fillMs < 50) throw new InvalidResource("INVALID_RATELIMIT", "local rate limit token bucket fill timer must be >= 50ms");
  const enabled = proto.filterEnabled?.defaultValue ? fraction(proto.filterEnabled.defaultValue) : 0;
  const enforced = proto.filterEnforced?.defaultValue ? fraction(proto.filterEnforced.defaultValue) : 0;
  const stats = services.core.scope(`${proto.statPrefix}.http_local_rate_limit`);
  const counts = { enabled: stats.counter("enabled"), ok: stats.counter("ok"), limited: stats.counter("rate_limited"), enforced: stats.counter("enforced") };
  const ops = compileHeaderOps({ add: proto.responseHeadersToAdd, remove: [] }, services.hostname);
  const status = proto.status?.code ?? 0;
  const perFill = bucket.tokensPerFill ?? 1;
  let tokens = bucket.maxTokens;
  let filledAt = services.monotonic();
  const take = (): boolean => {
    const fills = Math.floor((services.monotonic() - filledAt) / fillMs);
    if (fills > 0) {
      tokens = Math.min(bucket.maxTokens, tokens + fills * perFill);
      filledAt += fills * fillMs;
    }
    if (tokens === 0) return false;
    tokens--;
    return true;
  };
  return {
    onRequest(stream) {
      if (services.random() >= enabled) return "continue";
      counts.enabled.inc();
      if (take()) {
        counts.ok.inc();
        return "continue";
      }
      counts.limited.inc();
      if (services.random() >= enforced) return "continue";
      counts.enforced.inc();
      // As Envoy: below 400 a status would not tell the client anything.
      stream.localReply({ status: status >= 400 ? status : 429, body: "local_rate_limited", details: "local_rate_limited", flag: "RL", modify: ops && ((headers) => ops(headers, stream)) });
      return "stop";
    },
  };
}
