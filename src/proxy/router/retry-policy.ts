import type { RetryPolicy as RetryProto } from "../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import { durationMs, timeoutMs } from "../durations.ts";
import type { HeaderMap, RequestHead } from "../http/header-map.ts";
import { compileHeader, type RequestMatch } from "../match/headers.ts";
import type { ResetReason } from "../http/codec.ts";
import { InvalidResource } from "../types.ts";

/** When and how often a request is tried again. */
export interface RetryPolicy {
  readonly on: ReadonlySet<string>;
  readonly maxRetries: number;
  readonly perTryTimeoutMs: number | undefined;
  readonly statusCodes: ReadonlySet<number>;
  readonly responseHeaders: readonly RequestMatch[];
  readonly requestHeaders: readonly RequestMatch[];
  readonly avoidPreviousHosts: boolean;
  readonly maxHostPicks: number;
  /** Each retry goes to a priority that has not been tried, while there is one. */
  readonly avoidPreviousPriorities: boolean;
  readonly backOffMs: number;
  readonly maxBackOffMs: number;
}

const CONDITIONS = new Set([
  "5xx",
  "gateway-error",
  "reset",
  "reset-before-request",
  "connect-failure",
  "envoy-ratelimited",
  "retriable-4xx",
  "refused-stream",
  "retriable-status-codes",
  "retriable-headers",
  "http3-post-connect-failure",
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
]);

const PREVIOUS_HOSTS = new Set(["envoy.retry_host_predicates.previous_hosts"]);

const PREVIOUS_PRIORITIES = new Set(["envoy.retry_priorities.previous_priorities"]);

/** Throws InvalidResource for predicates that are not known. Unknown conditions are ignored, as Envoy ignores them. */
export function compileRetryPolicy(proto: RetryProto): RetryPolicy {
  for (const predicate of proto.retryHostPredicate) {
    if (!PREVIOUS_HOSTS.has(predicate.name))
      throw new InvalidResource("UNKNOWN_RETRY_PREDICATE", `Didn't find a registered implementation for name: '${predicate.name}'`);
  }
  if (proto.retryPriority && !PREVIOUS_PRIORITIES.has(proto.retryPriority.name))
    throw new InvalidResource("UNKNOWN_RETRY_PRIORITY", `Didn't find a registered implementation for name: '${proto.retryPriority.name}'`);
  const base = durationMs(proto.retryBackOff?.baseInterval) ?? 25;
  return {
    on: conditionsOf(proto.retryOn),
    maxRetries: proto.numRetries ?? 1,
    perTryTimeoutMs: timeoutMs(proto.perTryTimeout),
    statusCodes: new Set(proto.retriableStatusCodes),
    responseHeaders: proto.retriableHeaders.map(compileHeader),
    requestHeaders: proto.retriableRequestHeaders.map(compileHeader),
    avoidPreviousHosts: proto.retryHostPredicate.length > 0,
    maxHostPicks: Number(proto.hostSelectionRetryMaxAttempts) || 1,
    avoidPreviousPriorities: proto.retryPriority !== undefined,
    backOffMs: base,
    maxBackOffMs: durationMs(proto.retryBackOff?.maxInterval) ?? base * 10,
  };
}

/** The known ones of a list of conditions. */
export function conditionsOf(list: string): ReadonlySet<string> {
  return new Set(
    list
      .split(",")
      .map((part) => part.trim())
      .filter((part) => CONDITIONS.has(part)),
  );
}

/** What a request is judged by that asks for retries where its route has none: Envoy's defaults. */
export const NO_RETRIES: RetryPolicy = {
  on: new Set(),
  maxRetries: 1,
  perTryTimeoutMs: undefined,
  statusCodes: new Set(),
  responseHeaders: [],
  requestHeaders: [],
  avoidPreviousHosts: false,
  maxHostPicks: 1,
  avoidPreviousPriorities: false,
  backOffMs: 25,
  maxBackOffMs: 250,
};

const GRPC: Record<string, string> = {
  "1": "cancelled",
  "2": "unknown",
  "4": "deadline-exceeded",
  "8": "resource-exhausted",
  "13": "internal",
  "14": "unavailable",
};

/** Whether a response calls for another try. */
export function retriesResponse(policy: RetryPolicy, status: number, headers: HeaderMap): boolean {
  const { on } = policy;
  if (on.has("5xx") && status >= 500) return true;
  if (on.has("gateway-error") && (status === 502 || status === 503 || status === 504)) return true;
  if (on.has("retriable-4xx") && status === 409) return true;
  if (on.has("retriable-status-codes") && policy.statusCodes.has(status)) return true;
  if (on.has("envoy-ratelimited") && headers.has("x-envoy-ratelimited")) return true;
  if (on.has("retriable-headers")) {
    const view: RequestHead = { method: "", path: "", authority: "", scheme: "", protocol: "HTTP/1.1", headers, upgrade: undefined };
    if (policy.responseHeaders.some((match) => match(view))) return true;
  }
  const grpc = headers.get("grpc-status");
  return grpc !== undefined && on.has(GRPC[grpc] ?? "");
}

/** Whether a failed exchange calls for another try. `sent`: some of the request has reached the connection. */
export function retriesReset(policy: RetryPolicy, reason: ResetReason, requestSent: boolean): boolean {
  const { on } = policy;
  // Circuit breakers must not be hammered.
  if (reason === "overflow") return false;
  if (on.has("5xx") || on.has("gateway-error") || on.has("reset")) return true;
  const connecting = reason === "remote_connection_failure" || reason === "local_connection_failure" || reason === "connection_timeout";
  if (on.has("connect-failure") && connecting) return true;
  if (on.has("refused-stream") && reason === "remote_refused_stream_reset") return true;
  return on.has("reset-before-request") && !requestSent;
}

/** A full-jitter exponential back-off: random up to base * (2^attempt - 1), capped. */
export function backOffMs(policy: RetryPolicy, retries: number, random: () => number): number {
  return Math.floor(random() * Math.min(policy.backOffMs * (2 ** retries - 1), policy.maxBackOffMs));
}
