import type { ResponseSink, UpstreamStream } from "../../http/codec.ts";
import { HeaderMap, type RequestHead } from "../../http/header-map.ts";
import type { Host } from "../host.ts";
import type { GrpcProbeConfig, HttpProbeConfig } from "./config.ts";
import { UNREACHABLE, type ProbeResult } from "./result.ts";

/** A connection on which checks are made, one after the other. */
export interface HttpProbeClient {
  stream(): UpstreamStream;
  /** Ends it when nothing is under way. */
  retire(): void;
}

/** Bodies of checks are looked at up to here. */
const MAX_BODY = 64 * 1024;
/** `SERVING` of grpc.health.v1.HealthCheckResponse. */
const SERVING = 1;

/** One check over HTTP. The returned function gives it up. */
export function probeHttp(
  client: HttpProbeClient,
  config: HttpProbeConfig | GrpcProbeConfig,
  host: Host,
  clusterName: string,
  done: (result: ProbeResult) => void,
): () => void {
  const grpc = config.kind === "grpc";
  const sink = new Answer(grpc ? judgeGrpc : (answer) => judgeHttp(answer, config), done);
  const head = grpc ? grpcHead(config, host, clusterName) : httpHead(config, host, clusterName);
  const body = grpc ? grpcRequest(config.service) : config.body;
  const stream = client.stream();
  stream.send(head, body.length === 0, sink);
  if (body.length > 0) {
    stream.writeBody(body, 0, body.length);
    stream.writeEnd(undefined);
  }
  return () => {
    sink.over = true;
    stream.abandon();
  };
}

function httpHead(config: HttpProbeConfig, host: Host, clusterName: string): RequestHead {
  const headers = HeaderMap.from([["user-agent", AGENT]]);
  for (const [name, value] of config.headers) headers.append(name, value);
  for (const name of config.removed) headers.remove(name);
  if (config.body.length > 0) headers.set("content-length", String(config.body.length));
  return {
    method: config.method,
    path: config.path,
    authority: host.spec.healthHostname || config.host || clusterName,
    scheme: "http",
    protocol: config.http2 ? "HTTP/2" : "HTTP/1.1",
    headers,
    upgrade: undefined,
  };
}

function grpcHead(config: GrpcProbeConfig, host: Host, clusterName: string): RequestHead {
  const headers = HeaderMap.from([["te", "trailers"], ["content-type", "application/grpc"], ["user-agent", AGENT], ...config.headers]);
  return {
    method: "POST",
    path: "/grpc.health.v1.Health/Check",
    authority: host.spec.healthHostname || config.authority || clusterName,
    scheme: "http",
    protocol: "HTTP/2",
    headers,
    upgrade: undefined,
  };
}

/** What servers know Envoy's checks by. */
const AGENT = "Envoy/HC";

/** A framed HealthCheckRequest: the service's name is its only field. */
function grpcRequest(service: string): Buffer {
  const name = Buffer.from(service, "utf8");
  const length = name.length === 0 ? 0 : 1 + lengthOf(name.length).length + name.length;
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  return name.length === 0 ? head : Buffer.concat([head, Buffer.from([0x0a]), lengthOf(name.length), name]);
}

function lengthOf(length: number): Buffer {
  return length < 128 ? Buffer.from([length]) : Buffer.from([(length & 0x7f) | 0x80, length >> 7]);
}

function judgeHttp({ status, headers, body }: Answer, config: HttpProbeConfig): ProbeResult {
  if (!config.expects(status)) return { healthy: false, network: config.retries(status) };
  if (!contains(body, config.receive)) return { healthy: false, network: false };
  if (config.serviceName && !config.serviceName(headers.get("x-envoy-upstream-healthchecked-cluster") ?? "")) return { healthy: false, network: false };
  return { healthy: true, degraded: headers.has("x-envoy-degraded") };
}

function judgeGrpc({ status, headers, trailers, body }: Answer): ProbeResult {
  const code = trailers?.get("grpc-status") ?? headers.get("grpc-status");
  if (status !== 200 || code !== "0") return { healthy: false, network: code === undefined || code === "14" };
  // One message, of which `status` is the first field.
  const serving = body.length >= 7 && body[0] === 0 && body[5] === 0x08 && body[6] === SERVING;
  return serving ? { healthy: true, degraded: headers.has("x-envoy-degraded") } : { healthy: false, network: false };
}

/** Whether all parts are there, in their order. */
export function contains(bytes: Buffer, parts: readonly Buffer[]): boolean {
  let at = 0;
  for (const part of parts) {
    const found = bytes.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return true;
}

class Answer implements ResponseSink {
  status = 0;
  headers = new HeaderMap();
  trailers: HeaderMap | undefined;
  body = Buffer.alloc(0);
  over = false;

  constructor(
    private readonly judge: (answer: Answer) => ProbeResult,
    private readonly done: (result: ProbeResult) => void,
  ) {}

  onInformational(): void {}
  onBatchEnd(): void {}
  onUpstreamWritable(): void {}

  onResponseHead(status: number, headers: HeaderMap, endStream: boolean): void {
    this.status = status;
    this.headers = headers;
    if (endStream) this.onResponseEnd(undefined);
  }

  onResponseBody(bytes: Buffer, start: number, end: number): boolean {
    if (this.body.length < MAX_BODY) this.body = Buffer.concat([this.body, bytes.subarray(start, end)]);
    return true;
  }

  onResponseEnd(trailers: HeaderMap | undefined): void {
    this.trailers = trailers;
    this.#settle(this.judge(this));
  }

  onUpstreamReset(): void {
    this.#settle(UNREACHABLE);
  }

  #settle(result: ProbeResult): void {
    if (this.over) return;
    this.over = true;
    this.done(result);
  }
}
