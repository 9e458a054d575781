import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { ExportTraceServiceRequestSchema } from "../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import type { Span } from "../proto/gen/opentelemetry/proto/trace/v1/trace_pb.ts";
import { echoServer, type Echo } from "./test-support/backends.ts";
import { eventually, GrpcCollector } from "./test-support/collectors.ts";
import { get } from "./test-support/http-exchange.ts";
import { cluster, configure, forward, httpListener, typed } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

/** Tracing end to end. Headers, names and tags are those of Envoy 1.40 with the same configuration. */

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const H2: JsonObject = {
  typedExtensionProtocolOptions: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
      explicitHttpConfig: { http2ProtocolOptions: {} },
    }),
  },
};

let echo: ReturnType<typeof echoServer>;
let otlp: GrpcCollector<typeof ExportTraceServiceRequestSchema>;
let otlpPort = 0;
let zipkin: ReturnType<typeof Bun.serve>;
const zipkinSpans: Record<string, unknown>[] = [];
const proxies: Sidecar[] = [];

beforeAll(async () => {
  echo = echoServer();
  otlp = new GrpcCollector(ExportTraceServiceRequestSchema);
  otlpPort = await otlp.listen();
  zipkin = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      zipkinSpans.push(...((await request.json()) as Record<string, unknown>[]));
      return new Response(null, { status: 202 });
    },
  });
});
afterAll(() => {
  for (const proxy of proxies) proxy.dataPlane.stop();
  echo.stop();
  otlp.stop();
  void zipkin.stop(true);
});

const OTEL: JsonObject = {
  name: "envoy.tracers.opentelemetry",
  typedConfig: typed("envoy.config.trace.v3.OpenTelemetryConfig", { serviceName: "svc", grpcService: { envoyGrpc: { clusterName: "otel" } } }),
};

async function start(
  tracing: JsonObject,
  routes: readonly JsonObject[] = [forward("/", "echo", {}, { decorator: { operation: "op" } })],
): Promise<{ port: number; proxy: Sidecar }> {
  const proxy = new Sidecar({ id: "sidecar~10.0.0.1~a.b~b.svc" });
  proxies.push(proxy);
  await configure(proxy.dataPlane, {
    clusters: [cluster("echo", [echo.port]), cluster("otel", [otlpPort], H2), cluster("zipkin", [zipkin.port as number])],
    listeners: [httpListener("l", { routes, hcm: { tracing }, listener: { trafficDirection: "INBOUND" } })],
  });
  return { port: proxy.port("l"), proxy };
}

function tags(span: Span): Record<string, string> {
  return Object.fromEntries(span.attributes.map(({ key, value }) => [key, value?.value.case === "stringValue" ? value.value.value : ""]));
}

function spansWith(path: string): Span[] {
  const all = otlp.messages.flatMap(({ resourceSpans }) => resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)));
  return all.filter((span) => tags(span)["http.url"]?.endsWith(path));
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("a sampled request: W3C headers upstream, a span with Envoy's tags to the collector", async () => {
  const customTags: JsonObject[] = [
    { tag: "lit", literal: { value: "v" } },
    { tag: "from-header", requestHeader: { name: "x-h", defaultValue: "none" } },
    { tag: "absent", metadata: { kind: { request: {} }, metadataKey: { key: "a", path: [{ key: "b" }] } } },
  ];
  const { port } = await start({ provider: OTEL, customTags });
  const response = await get(port, "/sampled", "h.example", { "user-agent": "ua", traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: "k=v" });
  const { headers } = JSON.parse(response.body) as Echo;
  const [span] = await eventually(() => spansWith("/sampled").length > 0 && spansWith("/sampled"), "the span");
  expect(headers["traceparent"]).toBe(`00-${TRACE}-${hex((span as Span).spanId)}-01`);
  expect(headers["tracestate"]).toBe("k=v");
  expect(span).toMatchObject({ name: "op", kind: 2, traceState: "k=v", flags: 0x301 });
  expect([hex((span as Span).traceId), hex((span as Span).parentSpanId)]).toEqual([TRACE, PARENT]);
  expect(tags(span as Span)).toEqual({
    node_id: "sidecar~10.0.0.1~a.b~b.svc",
    zone: "",
    "guid:x-request-id": headers["x-request-id"] as string,
    "http.url": "http://h.example/sampled",
    "http.method": "GET",
    downstream_cluster: "-",
    user_agent: "ua",
    "http.protocol": "HTTP/1.1",
    "peer.address": "127.0.0.1",
    request_size: "0",
    response_size: String(response.body.length),
    component: "proxy",
    upstream_cluster: "echo",
    "upstream_cluster.name": "echo",
    "http.status_code": "200",
    response_flags: "-",
    lit: "v",
    "from-header": "none",
  });
  expect((span as Span).endTimeUnixNano > (span as Span).startTimeUnixNano).toBe(true);
  const call = otlp.calls.at(-1);
  expect([call?.[":path"], call?.[":authority"]]).toEqual(["/opentelemetry.proto.collector.trace.v1.TraceService/Export", "otel"]);
});

test("what is not sampled passes its context on and reports nothing", async () => {
  const { port, proxy } = await start({ provider: OTEL, randomSampling: { value: 0 } });
  const { headers } = JSON.parse((await get(port, "/unsampled", "h")).body) as Echo;
  expect(headers["traceparent"]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  expect(headers["x-request-id"]?.[14]).toBe("4");
  expect(proxy.dataPlane.dottedStats().lines.find(({ name }) => name === "http.l.tracing.not_traceable")?.value).toBe("1");
  expect(proxy.metric("envoy_tracing_opentelemetry_spans_sent")).toBe(0);
});

test("without a tracer only the request id tells that a request is to be traced", async () => {
  const { port } = await start({ randomSampling: { value: 100 } });
  const { headers } = JSON.parse((await get(port, "/none", "h")).body) as Echo;
  expect(headers["x-request-id"]?.[14]).toBe("9");
  expect(headers["traceparent"]).toBeUndefined();
});

test("each try has a span of its own where the configuration asks for that", async () => {
  const retry = { retryPolicy: { retryOn: "5xx", numRetries: 1, retryBackOff: { baseInterval: "0.001s" } } };
  const { port } = await start({ provider: OTEL, spawnUpstreamSpan: true }, [forward("/", "echo", retry)]);
  const response = await get(port, "/tried", "h", { "x-want-status": "503" });
  expect(response.status).toBe(503);
  const [root] = await eventually(() => spansWith("/tried").length > 0 && spansWith("/tried"), "the span");
  const all = otlp.messages.flatMap(({ resourceSpans }) => resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)));
  const tries = all.filter((span) => hex(span.parentSpanId) === hex((root as Span).spanId));
  expect(
    tries.map((span) => [span.name, span.kind, tags(span)["retry.count"], tags(span)["http.status_code"], tags(span)["upstream_address"], span.status?.code]),
  ).toEqual([
    ["router echo egress", 3, undefined, "503", `127.0.0.1:${echo.port}`, 2],
    ["router echo egress", 3, "1", "503", `127.0.0.1:${echo.port}`, 2],
  ]);
  const { headers } = echo.seen.filter(({ path }) => path === "/tried")[1] as Echo;
  expect(headers["traceparent"]).toContain(hex((tries[1] as Span).spanId));
});

test("Zipkin: B3's headers and JSON", async () => {
  const provider = {
    name: "envoy.tracers.zipkin",
    typedConfig: typed("envoy.config.trace.v3.ZipkinConfig", {
      collectorCluster: "zipkin",
      collectorEndpoint: "/api/v2/spans",
      traceId128bit: true,
      sharedSpanContext: false,
      collectorEndpointVersion: "HTTP_JSON",
    }),
  };
  const { port } = await start({ provider });
  const { headers } = JSON.parse((await get(port, "/zipkin", "h", { "x-b3-traceid": TRACE, "x-b3-spanid": PARENT, "x-b3-sampled": "1" })).body) as Echo;
  const [span] = await eventually(() => zipkinSpans.length > 0 && zipkinSpans, "the span");
  expect(headers).toMatchObject({ "x-b3-traceid": TRACE, "x-b3-parentspanid": PARENT, "x-b3-sampled": "1" });
  expect(span).toMatchObject({
    traceId: TRACE,
    parentId: PARENT,
    id: headers["x-b3-spanid"],
    kind: "SERVER",
    name: "op",
    localEndpoint: { serviceName: "test", ipv4: "10.0.0.1", port: 0 },
    annotations: [{ value: "ss" }],
    tags: { "http.status_code": "200" },
  });
});

test("a tracer that nobody knows is refused with its name", async () => {
  await expect(
    start({
      provider: { name: "envoy.tracers.datadog", typedConfig: typed("envoy.config.trace.v3.DatadogConfig", { collectorCluster: "a", serviceName: "b" }) },
    }),
  ).rejects.toThrow("Didn't find a registered implementation for 'envoy.tracers.datadog' with type URL: 'envoy.config.trace.v3.DatadogConfig'");
});
