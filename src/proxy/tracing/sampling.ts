import type { HttpConnectionManager_Tracing } from "../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { StatScope } from "../telemetry/stat-scope.ts";
import { sampleOf, traceReason, withReason, type TraceReason } from "./trace-reason.ts";

/** Whether a request is traced; the decision is written into its id, for the proxies after this one. */
export type Sampler = (headers: HeaderMap) => boolean;

/**
 * Envoy's three percentages: clients that ask by x-client-trace-id, requests at random, and how many of all those at most.
 * `byRequestId` false leaves the decision to the tracer. `draw` is uniform in [0, 1).
 */
export function compileSampler(tracing: HttpConnectionManager_Tracing, byRequestId: boolean, stats: StatScope, draw: () => number): Sampler {
  const client = share(tracing.clientSampling?.value);
  // Envoy keeps two decimals of this one, none of the others.
  const random = Math.round((tracing.randomSampling?.value ?? 100) * 100);
  const overall = Math.floor(tracing.overallSampling?.value ?? 100);
  const counters = {
    sampled: stats.counter("tracing.random_sampling"),
    forced: stats.counter("tracing.service_forced"),
    client: stats.counter("tracing.client_enabled"),
    none: stats.counter("tracing.not_traceable"),
  };
  const decide = (headers: HeaderMap): TraceReason | undefined => {
    if (!byRequestId) return "sampled";
    const id = headers.get("x-request-id");
    const value = id === undefined ? undefined : sampleOf(id);
    if (id === undefined || value === undefined) return undefined;
    const known = traceReason(id);
    let reason = known;
    if (reason === undefined) {
      if (headers.has("x-client-trace-id") && draw() < client) reason = "client";
      else if (headers.has("x-envoy-force-trace")) reason = "forced";
      else if (value < random) reason = "sampled";
    }
    if (reason !== undefined && value % 100 >= overall) reason = undefined;
    if (reason !== known) headers.set("x-request-id", withReason(id, reason));
    return reason;
  };
  return (headers) => {
    const reason = decide(headers);
    counters[reason ?? "none"].inc();
    return reason !== undefined;
  };
}

function share(percent: number | undefined): number {
  return Math.floor(percent ?? 100) / 100;
}
