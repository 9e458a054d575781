import { ChainmailError } from "../../base/errors.ts";
import { parseGoDuration } from "./go-duration.ts";

export interface FakeServiceConfig {
  name: string;
  message: string;
  listen: { hostname: string; port: number };
  upstreams: string[];
  /** How many upstreams are called at the same time. */
  upstreamWorkers: number;
  keepAlive: boolean;
  /** Whether the path of the incoming request is appended to the upstream's URI. */
  appendRequest: boolean;
  requestTimeoutMs: number;
  timing: { p50Ms: number; p90Ms: number; p99Ms: number; variancePercent: number };
  errors: { rate: number; type: "http_error" | "delay"; code: number; delayMs: number };
  /** Requests a second; 0 is no limit. */
  rateLimit: { perSecond: number; code: number };
  log: { json: boolean; level: string };
}

/**
 * Reads the environment variables that fake-service documents, with its defaults.
 * Throws BAD_SAMPLE_CONFIG with the variable's name for a value that is none.
 */
export function readConfig(env: Record<string, string | undefined>): FakeServiceConfig {
  const text = (key: string, fallback: string) => env[key] || fallback;
  const bad = (key: string, what: string) =>
    new ChainmailError("BAD_SAMPLE_CONFIG", `fake-service: environment variable ${key}=${JSON.stringify(env[key])} is not ${what}`);
  const number = (key: string, fallback: number) => {
    const value = Number(text(key, String(fallback)));
    if (!Number.isFinite(value)) throw bad(key, "a number");
    return value;
  };
  const bool = (key: string, fallback: boolean) => {
    const value = text(key, String(fallback)).toLowerCase();
    if (["true", "t", "1"].includes(value)) return true;
    if (["false", "f", "0"].includes(value)) return false;
    throw bad(key, "true or false");
  };
  const duration = (key: string, fallback: string) => {
    const value = parseGoDuration(text(key, fallback));
    if (value === undefined || value < 0) throw bad(key, "a duration such as 30s or 250ms");
    return value;
  };
  const oneOf = <T extends string>(key: string, allowed: readonly T[], fallback: T): T => {
    const value = text(key, fallback);
    const found = allowed.find((a) => a === value);
    if (found === undefined) throw bad(key, `one of ${allowed.join(", ")}`);
    return found;
  };

  if (oneOf("SERVER_TYPE", ["http", "grpc"], "http") === "grpc") {
    throw new ChainmailError("SAMPLE_NO_GRPC", "fake-service: SERVER_TYPE=grpc is not built into this image; use SERVER_TYPE=http");
  }
  const p50Ms = duration("TIMING_50_PERCENTILE", "0s");
  const p90Ms = duration("TIMING_90_PERCENTILE", "0s") || p50Ms;
  const p99Ms = duration("TIMING_99_PERCENTILE", "0s") || p90Ms;
  const rate = number("ERROR_RATE", 0);
  if (rate < 0 || rate > 1) throw bad("ERROR_RATE", "between 0 and 1");
  return {
    name: text("NAME", "Service"),
    message: text("MESSAGE", "Hello World"),
    listen: parseListen(text("LISTEN_ADDR", "0.0.0.0:9090"), () => bad("LISTEN_ADDR", "an address such as 0.0.0.0:9090")),
    upstreams: text("UPSTREAM_URIS", "")
      .split(",")
      .map((uri) => uri.trim())
      .filter(Boolean),
    upstreamWorkers: Math.max(1, Math.trunc(number("UPSTREAM_WORKERS", 1))),
    keepAlive: bool("HTTP_CLIENT_KEEP_ALIVES", false),
    appendRequest: bool("HTTP_CLIENT_APPEND_REQUEST", true),
    requestTimeoutMs: duration("HTTP_CLIENT_REQUEST_TIMEOUT", "30s"),
    timing: { p50Ms, p90Ms, p99Ms, variancePercent: Math.max(0, Math.trunc(number("TIMING_VARIANCE", 0))) },
    errors: {
      rate,
      type: oneOf("ERROR_TYPE", ["http_error", "delay"], "http_error"),
      code: number("ERROR_CODE", 500),
      delayMs: duration("ERROR_DELAY", "0s"),
    },
    rateLimit: { perSecond: number("RATE_LIMIT", 0), code: number("RATE_LIMIT_CODE", 503) },
    log: { json: oneOf("LOG_FORMAT", ["text", "json"], "text") === "json", level: text("LOG_LEVEL", "info").toLowerCase() },
  };
}

function parseListen(address: string, bad: () => ChainmailError): { hostname: string; port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (!match || port > 65535) throw bad();
  return { hostname: match[1] || match[2] || "0.0.0.0", port };
}
