import { LocalRateLimitSchema, type LocalRateLimit } from "../../proto/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.ts";
import { compileHeaderOps } from "../router/header-ops.ts";
import { fraction } from "../router/route-match.ts";
import type { Services } from "../services.ts";
import { XRateLimitHeadersRFCVersion as HeadersVersion } from "../../proto/gen/envoy/extensions/common/ratelimit/v3/ratelimit_pb.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { HttpStream } from "../http/http-stream.ts";
import type { Route } from "../router/route-table.ts";
import { InvalidResource } from "../types.ts";
import { compileDescriptors, type Describe, type Descriptor } from "./ratelimit/descriptors.ts";
import { TokenBucket } from "./ratelimit/token-bucket.ts";
import { HOST_LIMITS, limitsOf } from "./ratelimit/route-limits.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";
import { routeConfigOf } from "./typed-config.ts";

/** `envoy.filters.http.local_ratelimit`: a token bucket in this proxy; 429 when it is empty. */
export const localRateLimitFilter: HttpFilterFactory = {
  typeNames: [LocalRateLimitSchema.typeName],
  routeTypeNames: [LocalRateLimitSchema.typeName],
  checkRoute: (config, { services }) => void compile(config.read(LocalRateLimitSchema), services),
  create(config, context) {
    const whole = compile(config.read(LocalRateLimitSchema), context.services);
    return {
      forRoute(route) {
        const own = routeConfigOf(route, context.name);
        if (own.disabled) return undefined;
        return (own.config ? compile(own.config.read(LocalRateLimitSchema), context.services) : whole)?.(route);
      },
    };
  },
};

/** The buckets are the configuration's, whatever routes share it; what requests count as is the route's. */
function compile(proto: LocalRateLimit, services: Services): ((route: Route | undefined) => HttpFilter) | undefined {
  if (!proto.tokenBucket) return undefined;
  const whole = new TokenBucket(proto.tokenBucket, services.monotonic);
  const special = proto.descriptors.map(({ entries, tokenBucket }) => {
    if (!tokenBucket) throw new InvalidResource("INVALID_RATELIMIT", "LocalRateLimitDescriptorValidationError.TokenBucket: value is required");
    return { entries: entries.map(({ key, value }) => [key, value] as const), bucket: new TokenBucket(tokenBucket, services.monotonic) };
  });
  const always = proto.alwaysConsumeDefaultTokenBucket ?? true;
  const enabled = proto.filterEnabled?.defaultValue ? fraction(proto.filterEnabled.defaultValue) : 0;
  const enforced = proto.filterEnforced?.defaultValue ? fraction(proto.filterEnforced.defaultValue) : 0;
  const stats = services.core.scope(`${proto.statPrefix}.http_local_rate_limit`);
  const counts = { enabled: stats.counter("enabled"), ok: stats.counter("ok"), limited: stats.counter("rate_limited"), enforced: stats.counter("enforced") };
  const ops = compileHeaderOps({ add: proto.responseHeadersToAdd, remove: [] }, services.hostname);
  const status = proto.status?.code ?? 0;
  /** Buckets of the request's own descriptors first; the common one counts beside them, or only without them. */
  const take = (stream: HttpStream, describe: Describe | undefined): Verdict => {
    const found = describe?.(stream) ?? [];
    const buckets =
      found.length === 0 ? [] : special.filter(({ entries }) => found.some((descriptor) => same(descriptor, entries))).map(({ bucket }) => bucket);
    if (buckets.length === 0 || always) buckets.push(whole);
    for (const bucket of buckets) if (!bucket.take()) return { allowed: false, bucket };
    return { allowed: true, bucket: buckets.reduce((least, each) => (each.remaining() < least.remaining() ? each : least)) };
  };
  const told = proto.enableXRatelimitHeaders === HeadersVersion.DRAFT_VERSION_03;
  const filterKey = {};
  const filter = (describe: Describe | undefined): HttpFilter => ({
    ...(told && {
      onResponse: (stream: HttpStream) => {
        const bucket = stream.filterState?.get(filterKey) as TokenBucket | undefined;
        if (bucket) tellLimit(stream.responseHeaders as HeaderMap, bucket);
        return "continue" as const;
      },
    }),
    onRequest(stream) {
      if (services.random() >= enabled) return "continue";
      counts.enabled.inc();
      const { allowed, bucket } = take(stream, describe);
      if (told) (stream.filterState ??= new Map()).set(filterKey, bucket);
      if (allowed) {
        counts.ok.inc();
        return "continue";
      }
      counts.limited.inc();
      if (services.random() >= enforced) return "continue";
      counts.enforced.inc();
      // As Envoy: below 400 a status would not tell the client anything.
      stream.localReply({
        status: status >= 400 ? status : 429,
        body: "local_rate_limited",
        details: "local_rate_limited",
        flag: "RL",
        modify: ops && ((headers) => ops(headers, stream)),
      });
      return "stop";
    },
  });
  return (route) => filter(special.length > 0 ? compileDescriptors(limitsOf(route, HOST_LIMITS[proto.vhRateLimits] ?? "override"), proto.stage) : undefined);
}

interface Verdict {
  readonly allowed: boolean;
  /** The one that refused, or that has least left. */
  readonly bucket: TokenBucket;
}

/** The third draft of the RateLimit header fields. */
function tellLimit(headers: HeaderMap, bucket: TokenBucket): void {
  headers.set("x-ratelimit-limit", String(bucket.max));
  headers.set("x-ratelimit-remaining", String(bucket.remaining()));
  headers.set("x-ratelimit-reset", String(bucket.secondsToNext()));
}

/** Entries are compared one by one, in their order. */
function same(descriptor: Descriptor, entries: Descriptor): boolean {
  return descriptor.length === entries.length && descriptor.every(([key, value], index) => entries[index]?.[0] === key && entries[index]?.[1] === value);
}
