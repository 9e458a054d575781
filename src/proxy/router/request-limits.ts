import type { HeaderMap } from "../http/header-map.ts";
import { grpcTimeout, grpcTimeoutMs } from "./grpc-timeout.ts";
import { conditionsOf, NO_RETRIES, type RetryPolicy } from "./retry-policy.ts";
import type { ForwardAction } from "./route-table.ts";

/** How long one request may take and how often it is tried: the route's word, or what a caller inside the mesh asks for. */
export interface RequestLimits {
  /** Undefined waits for ever. */
  readonly timeoutMs: number | undefined;
  readonly perTryMs: number | undefined;
  readonly retry: RetryPolicy | undefined;
  /** The answer when time is up: 504, or 204 for callers that asked for that. */
  readonly timeoutStatus: 504 | 204;
}

/** Reads the limits and takes the headers that ask for others out: they are for this proxy. */
export function requestLimits(headers: HeaderMap, action: ForwardAction, grpc: boolean): RequestLimits {
  const { retry } = action;
  const timeoutMs = grpc && action.maxGrpcTimeoutMs !== undefined ? grpcLimit(headers, action.maxGrpcTimeoutMs) : action.timeoutMs;
  // From anybody else the connection manager has removed them.
  if (headers.get("x-envoy-internal") !== "true") return limits(timeoutMs, retry?.perTryTimeoutMs, retry, 504);
  const asked = (name: string): string | undefined => {
    const value = headers.get(name);
    if (value !== undefined) headers.remove(name);
    return value;
  };
  const alternative = asked("x-envoy-upstream-rq-timeout-alt-response") !== undefined;
  const whole = milliseconds(asked("x-envoy-upstream-rq-timeout-ms"), timeoutMs);
  const perTry = milliseconds(asked("x-envoy-upstream-rq-per-try-timeout-ms"), retry?.perTryTimeoutMs);
  const on = `${asked("x-envoy-retry-on") ?? ""},${asked("x-envoy-retry-grpc-on") ?? ""}`;
  const tries = asked("x-envoy-max-retries");
  const codes = asked("x-envoy-retriable-status-codes");
  return limits(
    whole,
    perTry,
    on === "," && tries === undefined && codes === undefined ? retry : askedRetries(retry, on, tries, codes),
    alternative ? 204 : 504,
  );
}

/** How long the whole exchange may take: as a gRPC caller says, where the route honours that, else as is configured. */
export function streamLimitMs(headers: HeaderMap, action: ForwardAction | undefined, grpc: boolean, defaultMs: number | undefined): number | undefined {
  const asked = grpc && action?.grpcLimit ? grpcTimeoutMs(headers.get("grpc-timeout")) : undefined;
  if (asked === undefined || !action?.grpcLimit) return action?.maxStreamMs ?? defaultMs;
  const { maxMs, offsetMs } = action.grpcLimit;
  return Math.max(0, (maxMs === 0 ? asked : Math.min(asked, maxMs)) - offsetMs);
}

/** Tells the next hop how long its answer is waited for, `elapsedMs` after the request; gRPC's own header too where that is bounded. */
export function tellTimeLeft(headers: HeaderMap, { timeoutMs, perTryMs }: RequestLimits, elapsedMs: number, grpcHeader: boolean): void {
  // Zero would mean for ever.
  const left = timeoutMs === undefined ? perTryMs : Math.floor(Math.max(1, Math.min(perTryMs ?? timeoutMs, timeoutMs - elapsedMs)));
  if (left === undefined) return;
  headers.set("x-envoy-expected-rq-timeout-ms", String(left));
  if (grpcHeader) headers.set("grpc-timeout", grpcTimeout(left));
}

function limits(timeoutMs: number | undefined, perTry: number | undefined, retry: RetryPolicy | undefined, timeoutStatus: 504 | 204): RequestLimits {
  // A limit for each try that is not below the limit for all has no meaning.
  const perTryMs = perTry !== undefined && (timeoutMs === undefined || perTry < timeoutMs) ? perTry : undefined;
  return { timeoutMs, perTryMs, retry, timeoutStatus };
}

/** gRPC callers say their own deadline, where the route honours it (zero: without limit). */
function grpcLimit(headers: HeaderMap, maxMs: number): number | undefined {
  const asked = grpcTimeoutMs(headers.get("grpc-timeout"));
  if (asked === undefined) return maxMs === 0 ? undefined : maxMs;
  return maxMs === 0 ? asked : Math.min(asked, maxMs);
}

/** Zero is for ever; what is no number does not count. */
function milliseconds(text: string | undefined, otherwise: number | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return otherwise;
  return Number(text) === 0 ? undefined : Number(text);
}

function askedRetries(base: RetryPolicy = NO_RETRIES, on: string, tries: string | undefined, codes: string | undefined): RetryPolicy {
  const known = new Set([...base.on, ...conditionsOf(on)]);
  const numbers =
    codes
      ?.split(",")
      .map((each) => Number(each.trim()))
      .filter((each) => Number.isInteger(each)) ?? [];
  return {
    ...base,
    on: known,
    ...(tries !== undefined && /^\d{1,9}$/.test(tries) && known.size > 0 && { maxRetries: Number(tries) }),
    statusCodes: new Set([...base.statusCodes, ...numbers]),
  };
}
