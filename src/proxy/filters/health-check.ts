import { HealthCheckSchema } from "../../proto/gen/envoy/extensions/filters/http/health_check/v3/health_check_pb.ts";
import { durationMs } from "../durations.ts";
import type { HttpStream } from "../http/http-stream.ts";
import { compileHeaders } from "../match/headers.ts";
import type { Services } from "../services.ts";
import { InvalidResource } from "../types.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";

interface Verdict {
  readonly status: number;
  readonly details: string;
}

/** `envoy.filters.http.health_check`: answers whoever asks for this proxy's health, or lets the application answer. */
export const healthCheckFilter: HttpFilterFactory = {
  typeNames: [HealthCheckSchema.typeName],
  routeTypeNames: [],
  create(config, context) {
    const proto = config.read(HealthCheckSchema);
    if (proto.passThroughMode === undefined) throw new InvalidResource("INVALID_HEALTH_CHECK", "HealthCheckValidationError.PassThroughMode: value is required");
    const passThrough = proto.passThroughMode;
    const cacheMs = durationMs(proto.cacheTime) ?? 0;
    if (!passThrough && cacheMs > 0) throw new InvalidResource("INVALID_HEALTH_CHECK", "cache_time_ms must not be set when path_through_mode is disabled");
    const { services } = context;
    const matches = compileHeaders(proto.headers);
    const minimums = Object.entries(proto.clusterMinHealthyPercentages).map(([cluster, percent]) => ({ cluster, percent: percent.value }));
    let cached: { readonly status: number; readonly until: number } | undefined;
    const filter: HttpFilter = {
      onRequest(stream) {
        if (matches && !matches(stream.request)) return "continue";
        (stream.filterState ??= new Map()).set(filter, true);
        stream.healthCheck = true;
        const fromCache = cached && services.monotonic() < cached.until ? cached.status : undefined;
        if (passThrough && fromCache === undefined) return "continue";
        const answer = (): void => {
          const verdict = judge(services, minimums, fromCache);
          stream.localReply({
            status: verdict.status,
            body: "",
            details: verdict.details,
            ...(services.health.failed || verdict.status !== 200 ? { flag: "LH" as const } : {}),
          });
        };
        // As Envoy: a check that has a body is answered behind it.
        if (stream.requestEnded) answer();
        else stream.bufferBody(MAX_BODY, answer);
        return "stop";
      },
      onResponse(stream) {
        if (stream.filterState?.get(filter) === true) {
          if (cacheMs > 0 && stream.details === "via_upstream") cached = { status: stream.responseStatus, until: services.monotonic() + cacheMs };
          stream.responseHeaders?.set("x-envoy-upstream-healthchecked-cluster", services.node.cluster);
        } else if (services.health.failed) markFailing(stream);
        return "continue";
      },
    };
    return { forRoute: () => filter };
  },
};

/** Nobody sends a check with a larger body: its end is not waited for then. */
const MAX_BODY = 64 * 1024;

function judge(services: Services, minimums: readonly { readonly cluster: string; readonly percent: number }[], cached: number | undefined): Verdict {
  if (services.health.failed) return { status: 503, details: "health_check_failed" };
  if (cached !== undefined) return { status: cached, details: "health_check_cached" };
  for (const { cluster: name, percent } of minimums) {
    const cluster = services.clusters.get(name);
    if (!cluster) return { status: 503, details: "health_check_failed_no_cluster_found" };
    let all = 0;
    let able = 0;
    for (const host of cluster.hosts()) {
      all++;
      if (host.healthy || host.degraded) able++;
    }
    if (all === 0 && percent > 0) return { status: 503, details: "health_check_failed_cluster_empty" };
    if (100 * able < all * percent) return { status: 503, details: "health_check_failed_cluster_unhealthy" };
  }
  return { status: 200, details: minimums.length > 0 ? "health_check_ok_cluster_healthy" : "health_check_ok" };
}

/** Who balances over this proxy need not wait for its next check. */
function markFailing(stream: HttpStream): void {
  stream.responseHeaders?.set("x-envoy-immediate-health-check-fail", "true");
}
