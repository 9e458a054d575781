import { afterAll, expect, test } from "bun:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { credentials, makeClientConstructor } from "@grpc/grpc-js";
import { gzipSync } from "node:zlib";
import { createLogger } from "../../base/index.ts";
import { ExportTraceServiceRequestSchema } from "../../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import { Span_SpanKind, Status_StatusCode } from "../../proto/gen/opentelemetry/proto/trace/v1/trace_pb.ts";
import { handleJaegerApi, type JaegerTrace } from "./jaeger-api.ts";
import { startTraceReceivers } from "./receivers.ts";
import type { Span } from "./span.ts";
import { TraceStore } from "./trace-store.ts";

const NOW = 1_764_000_000_000;
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const store = new TraceStore({ maxBytes: 1 << 20, maxSpansPerTrace: 100 });
const receivers = startTraceReceivers(store, createLogger("test", { level: "none" }), { otlpGrpc: 0, otlpHttp: 0, zipkin: 0 });
afterAll(() => receivers.stop());

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const request = (spanId: string, more: { parent?: string; service?: string; traceId?: string; failed?: boolean } = {}) =>
  create(ExportTraceServiceRequestSchema, {
    resourceSpans: [
      {
        resource: { attributes: [{ key: "service.name", value: { value: { case: "stringValue", value: more.service ?? "web-api.istioinaction" } } }] },
        scopeSpans: [
          {
            spans: [
              {
                traceId: bytes(more.traceId ?? TRACE),
                spanId: bytes(spanId),
                parentSpanId: bytes(more.parent ?? ""),
                name: "recommendation.istioinaction.svc.cluster.local:8080/*",
                kind: Span_SpanKind.CLIENT,
                startTimeUnixNano: BigInt(NOW) * 1_000_000n,
                endTimeUnixNano: BigInt(NOW) * 1_000_000n + 2_500_000n,
                attributes: [{ key: "http.status_code", value: { value: { case: "intValue", value: 200n } } }],
                ...(more.failed ? { status: { code: Status_StatusCode.ERROR, message: "refused" } } : {}),
              },
            ],
          },
        ],
      },
    ],
  });

async function ask<T>(path: string): Promise<{ status: number; data: T; errors: { code: number; msg: string }[] | null }> {
  const response = handleJaegerApi(new Request(`http://tracing${path}`), store, () => NOW + 1_000);
  return { status: response.status, ...((await response.json()) as { data: T; errors: null }) };
}

test("OTLP over gRPC, as proxies send it, is answered and found by id", async () => {
  const Client = makeClientConstructor(
    {
      Export: {
        path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        requestStream: false,
        responseStream: false,
        requestSerialize: (value: Buffer) => value,
        requestDeserialize: (value: Buffer) => value,
        responseSerialize: (value: Buffer) => value,
        responseDeserialize: (value: Buffer) => value,
      },
    },
    "TraceService",
  );
  const client = new Client(`127.0.0.1:${receivers.ports.otlpGrpc()}`, credentials.createInsecure());
  const body = Buffer.from(toBinary(ExportTraceServiceRequestSchema, request("b7ad6b7169203331")));
  const call = client.Export as unknown as (body: Buffer, done: (error: Error | null, answer: Buffer) => void) => void;
  const answer = await new Promise<Buffer>((resolve, reject) => call.call(client, body, (error, value) => (error ? reject(error) : resolve(value))));
  client.close();
  expect(answer.length).toBe(0);
  const { data } = await ask<JaegerTrace[]>(`/api/traces/${TRACE}`);
  expect(data[0]!.spans).toMatchObject([{ spanID: "b7ad6b7169203331", duration: 2_500, startTime: NOW * 1_000, references: [], processID: "p1" }]);
  expect(data[0]!.spans[0]!.tags).toContainEqual({ key: "http.status_code", type: "int64", value: 200 });
  expect(data[0]!.processes.p1!.serviceName).toBe("web-api.istioinaction");
});

test("OTLP over HTTP, in protobuf, zipped, and in JSON; a span without an id is told", async () => {
  const url = `http://127.0.0.1:${receivers.ports.otlpHttp}/v1/traces`;
  const zipped = gzipSync(
    toBinary(
      ExportTraceServiceRequestSchema,
      request("00f067aa0ba902b7", { parent: "b7ad6b7169203331", service: "recommendation.istioinaction", failed: true }),
    ),
  );
  expect((await fetch(url, { method: "POST", body: zipped, headers: { "content-type": "application/x-protobuf", "content-encoding": "gzip" } })).status).toBe(
    200,
  );
  const json = {
    resourceSpans: [
      {
        resource: { attributes: [] },
        scopeSpans: [
          {
            spans: [
              { traceId: TRACE.toUpperCase(), spanId: "1111111111111111", name: "a", startTimeUnixNano: `${NOW}000000`, endTimeUnixNano: `${NOW}000000` },
              { traceId: "", spanId: "2222222222222222" },
            ],
          },
        ],
      },
    ],
  };
  const answer = await fetch(url, { method: "POST", body: JSON.stringify(json), headers: { "content-type": "application/json" } });
  expect(await answer.json()).toMatchObject({ partialSuccess: { rejectedSpans: 1 } });
  const { data } = await ask<JaegerTrace[]>(`/api/traces/${TRACE}`);
  expect(data[0]!.spans.map(({ spanID }) => spanID).sort()).toEqual(["00f067aa0ba902b7", "1111111111111111", "b7ad6b7169203331"]);
  expect(data[0]!.spans.find(({ spanID }) => spanID === "00f067aa0ba902b7")!.references).toEqual([
    { refType: "CHILD_OF", traceID: TRACE, spanID: "b7ad6b7169203331" },
  ]);
});

test("Zipkin's JSON", async () => {
  const span = {
    traceId: "463ac35c9f6413ad",
    id: "a2fb4a1d1a96d312",
    kind: "SERVER",
    name: "get /",
    timestamp: NOW * 1_000,
    duration: 1_431,
    localEndpoint: { serviceName: "backend", ipv4: "192.168.99.1" },
    tags: { "http.path": "/api" },
  };
  const response = await fetch(`http://127.0.0.1:${receivers.ports.zipkin}/api/v2/spans`, { method: "POST", body: JSON.stringify([span, { id: "no trace" }]) });
  expect(response.status).toBe(202);
  const { data } = await ask<JaegerTrace[]>("/api/traces/463ac35c9f6413ad");
  expect(data[0]!.spans[0]!.tags).toContainEqual({ key: "span.kind", type: "string", value: "server" });
});

test("what is no export is refused with its reason, and what is too large before it is read", async () => {
  const url = `http://127.0.0.1:${receivers.ports.otlpHttp}/v1/traces`;
  for (const body of ["\x0a\xff\xff\xff\xff\xff", "{"]) {
    const response = await fetch(url, { method: "POST", body, headers: { "content-type": body === "{" ? "application/json" : "application/x-protobuf" } });
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining("no export of traces")]);
  }
  expect((await fetch(url, { method: "POST", body: Buffer.alloc(5 << 20) })).status).toBe(413);
  const bomb = gzipSync(Buffer.alloc(64 << 20));
  expect((await fetch(url, { method: "POST", body: bomb, headers: { "content-encoding": "gzip" } })).status).toBe(400);
});

test("traces are found by service, operation, tag, duration and time; services and calls are listed", async () => {
  expect((await ask<string[]>("/api/services")).data).toEqual(["backend", "recommendation.istioinaction", "unknown_service", "web-api.istioinaction"]);
  expect((await ask("/api/services/backend/operations")).data).toEqual(["get /"]);
  const ids = async (query: string) => (await ask<JaegerTrace[]>(`/api/traces?${query}`)).data.map(({ traceID }) => traceID);
  expect(await ids("service=web-api.istioinaction")).toEqual([TRACE]);
  expect(await ids("service=web-api.istioinaction&minDuration=3ms")).toEqual([]);
  expect(await ids(`service=recommendation.istioinaction&tags=${encodeURIComponent('{"error":"true"}')}`)).toEqual([TRACE]);
  expect(await ids("service=web-api.istioinaction&tags=%7B%22error%22%3A%22true%22%7D")).toEqual([]);
  expect(await ids(`service=backend&start=${NOW * 1_000 + 10_000}`)).toEqual([]);
  expect((await ask("/api/dependencies")).data).toEqual([{ parent: "web-api.istioinaction", child: "recommendation.istioinaction", callCount: 1 }]);
  expect(await ask("/api/traces?service=a&minDuration=soon")).toMatchObject({
    status: 400,
    errors: [{ code: 400, msg: expect.stringContaining("minDuration") }],
  });
  expect(await ask("/api/traces/ffff")).toMatchObject({ status: 404, errors: [{ msg: "trace not found" }] });
});

test("the oldest traces go when the room is used up; a trace without end does not push out others; what comes again counts once", () => {
  const small = new TraceStore({ maxBytes: 20_000, maxSpansPerTrace: 5 });
  const span = (trace: number, id: number): Span => ({
    traceId: trace.toString(16).padStart(32, "0"),
    spanId: id.toString(16).padStart(16, "0"),
    parentId: "",
    service: "s",
    operation: "o",
    kind: "server",
    start: NOW * 1_000 + trace,
    duration: 1,
    failed: false,
    tags: [],
    resource: [],
    events: [],
  });
  small.add([span(1, 1), span(1, 1)]);
  expect(small.get(span(1, 1).traceId)!.spans).toHaveLength(1);
  for (let id = 1; id < 50; id++) small.add([span(2, id)]);
  expect([small.get(span(2, 1).traceId)!.spans.length, small.dropped]).toEqual([5, 44]);
  for (let trace = 3; trace < 100; trace++) small.add([span(trace, 1)]);
  expect(small.size.bytes).toBeLessThanOrEqual(20_000);
  expect([small.get(span(1, 1).traceId), small.get(span(99, 1).traceId)?.traceId]).toEqual([undefined, span(99, 1).traceId]);
});
