import type { HealthCheck, HealthCheck_HttpHealthCheck, HealthCheck_Payload } from "../../../proto/gen/envoy/config/core/v3/health_check_pb.ts";
import { RequestMethod, type HeaderValueOption } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import type { Int64Range } from "../../../proto/gen/envoy/type/v3/range_pb.ts";
import { CodecClientType } from "../../../proto/gen/envoy/type/v3/http_pb.ts";
import { durationMs } from "../../durations.ts";
import { compileString } from "../../match/strings.ts";
import { InvalidResource } from "../../types.ts";

/** One health check of a cluster, read once. Times in ms. */
export interface HealthCheckConfig {
  readonly timeoutMs: number;
  readonly intervalMs: number;
  readonly unhealthyIntervalMs: number;
  readonly healthyEdgeMs: number;
  readonly unhealthyEdgeMs: number;
  /** While nothing is sent to the cluster. */
  readonly noTrafficMs: number;
  readonly noTrafficHealthyMs: number;
  readonly initialJitterMs: number;
  readonly jitterMs: number;
  /** In percent of the interval. */
  readonly jitterPercent: number;
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
  readonly altPort: number | undefined;
  readonly reuseConnection: boolean;
  readonly alpn: readonly string[] | undefined;
  /** Which of the cluster's transports checks take, instead of the endpoint's own. */
  readonly transportCriteria: { readonly [key: string]: unknown } | undefined;
  readonly probe: ProbeConfig;
}

export type ProbeConfig = HttpProbeConfig | GrpcProbeConfig | TcpProbeConfig;

export interface HttpProbeConfig {
  readonly kind: "http";
  readonly http2: boolean;
  /** Empty: the host's own name, else the cluster's. */
  readonly host: string;
  readonly path: string;
  readonly method: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly removed: readonly string[];
  readonly body: Buffer;
  readonly expects: (status: number) => boolean;
  readonly retries: (status: number) => boolean;
  /** Must be found in the body in this order. */
  readonly receive: readonly Buffer[];
  readonly serviceName: ((name: string) => boolean) | undefined;
}

export interface GrpcProbeConfig {
  readonly kind: "grpc";
  readonly service: string;
  readonly authority: string;
  readonly headers: readonly (readonly [string, string])[];
}

export interface TcpProbeConfig {
  readonly kind: "tcp";
  readonly send: Buffer;
  readonly receive: readonly Buffer[];
}

/** Envoy's defaults. */
const NO_TRAFFIC_MS = 60_000;

/** Throws InvalidResource for what cannot be checked. */
export function compileHealthCheck(proto: HealthCheck, cluster: string): HealthCheckConfig {
  const timeoutMs = durationMs(proto.timeout);
  const intervalMs = durationMs(proto.interval);
  if (!timeoutMs || !intervalMs || proto.unhealthyThreshold === undefined || proto.healthyThreshold === undefined) {
    throw new InvalidResource(
      "INVALID_HEALTH_CHECK",
      `cluster ${cluster}: HealthCheckValidationError: timeout, interval, unhealthy_threshold and healthy_threshold are required`,
    );
  }
  const unhealthyIntervalMs = durationMs(proto.unhealthyInterval) ?? intervalMs;
  const noTrafficMs = durationMs(proto.noTrafficInterval) ?? NO_TRAFFIC_MS;
  return {
    timeoutMs,
    intervalMs,
    unhealthyIntervalMs,
    healthyEdgeMs: durationMs(proto.healthyEdgeInterval) ?? intervalMs,
    unhealthyEdgeMs: durationMs(proto.unhealthyEdgeInterval) ?? unhealthyIntervalMs,
    noTrafficMs,
    noTrafficHealthyMs: durationMs(proto.noTrafficHealthyInterval) ?? noTrafficMs,
    initialJitterMs: durationMs(proto.initialJitter) ?? 0,
    jitterMs: durationMs(proto.intervalJitter) ?? 0,
    jitterPercent: proto.intervalJitterPercent,
    unhealthyThreshold: proto.unhealthyThreshold,
    healthyThreshold: proto.healthyThreshold,
    altPort: proto.altPort,
    reuseConnection: proto.reuseConnection ?? true,
    alpn: proto.tlsOptions && proto.tlsOptions.alpnProtocols.length > 0 ? proto.tlsOptions.alpnProtocols : undefined,
    transportCriteria: proto.transportSocketMatchCriteria,
    probe: compileProbe(proto, cluster),
  };
}

function compileProbe({ healthChecker }: HealthCheck, cluster: string): ProbeConfig {
  switch (healthChecker.case) {
    case "httpHealthCheck":
      return compileHttp(healthChecker.value);
    case "grpcHealthCheck": {
      const { serviceName, authority, initialMetadata } = healthChecker.value;
      return { kind: "grpc", service: serviceName, authority, headers: headersOf(initialMetadata) };
    }
    case "tcpHealthCheck":
      return { kind: "tcp", send: payload(healthChecker.value.send), receive: healthChecker.value.receive.map(payload) };
    case "customHealthCheck":
      throw new InvalidResource("UNSUPPORTED_HEALTH_CHECK", `cluster ${cluster}: Didn't find a registered implementation for '${healthChecker.value.name}'`);
  }
  throw new InvalidResource("INVALID_HEALTH_CHECK", `cluster ${cluster}: HealthCheckValidationError.HealthChecker: value is required`);
}

function compileHttp(http: HealthCheck_HttpHealthCheck): HttpProbeConfig {
  if (http.codecClientType === CodecClientType.HTTP3) throw new InvalidResource("UNSUPPORTED_PROTOCOL", "HTTP/3 is not supported");
  return {
    kind: "http",
    http2: http.codecClientType === CodecClientType.HTTP2,
    host: http.host,
    path: http.path,
    method: http.method === RequestMethod.METHOD_UNSPECIFIED ? "GET" : (RequestMethod[http.method] ?? "GET"),
    headers: headersOf(http.requestHeadersToAdd),
    removed: http.requestHeadersToRemove.map((name) => name.toLowerCase()),
    body: payload(http.send),
    expects: http.expectedStatuses.length === 0 ? (status) => status === 200 : inRanges(http.expectedStatuses),
    retries: inRanges(http.retriableStatuses),
    receive: http.receive.map(payload),
    serviceName: http.serviceNameMatcher && compileString(http.serviceNameMatcher),
  };
}

function headersOf(options: readonly HeaderValueOption[]): [string, string][] {
  return options.map(({ header }) => [(header?.key ?? "").toLowerCase(), header?.value ?? ""]);
}

/** Half-open ranges. */
function inRanges(ranges: readonly Int64Range[]): (status: number) => boolean {
  const bounds = ranges.map(({ start, end }) => [Number(start), Number(end)] as const);
  return (status) => bounds.some(([start, end]) => status >= start && status < end);
}

/** Text payloads are hexadecimal. */
function payload(proto: HealthCheck_Payload | undefined): Buffer {
  if (proto?.payload.case === "binary") return Buffer.from(proto.payload.value);
  if (proto?.payload.case !== "text") return Buffer.alloc(0);
  const { value } = proto.payload;
  if (!/^(?:[0-9a-fA-F]{2})+$/.test(value)) throw new InvalidResource("INVALID_HEALTH_CHECK", `invalid hex string '${value}'`);
  return Buffer.from(value, "hex");
}
