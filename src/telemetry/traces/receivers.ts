import { create, toBinary } from "@bufbuild/protobuf";
import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import { gunzipSync } from "node:zlib";
import { ChainmailError, type Logger, errorText } from "../../base/index.ts";
import { ExportTraceServiceResponseSchema } from "../../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import { type Export, spansOfJson, spansOfProtobuf } from "./otlp.ts";
import type { TraceStore } from "./trace-store.ts";
import { spansOfZipkin } from "./zipkin.ts";

/** The ports that senders of OTLP and Zipkin know. */
export const TRACE_PORTS = { otlpGrpc: 4317, otlpHttp: 4318, zipkin: 9411 } as const;

/** As an OpenTelemetry collector's receiver: an export of some ten thousand spans. */
const MAX_BODY_BYTES = 4 << 20;
const EXPORT_PATH = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
/** https://grpc.io/docs/guides/status-codes/ */
const GRPC = { ok: 0, invalidArgument: 3, resourceExhausted: 8, unimplemented: 12 } as const;

/** Takes spans by OTLP over HTTP and gRPC and in Zipkin's JSON. */
export function startTraceReceivers(
  store: TraceStore,
  log: Logger,
  ports: { otlpGrpc: number; otlpHttp: number; zipkin: number } = TRACE_PORTS,
): { stop(): void; ports: { otlpGrpc(): number; otlpHttp: number; zipkin: number } } {
  const take = ({ spans, rejected }: Export): number => {
    store.add(spans);
    return rejected;
  };
  const http = (port: number) => Bun.serve({ hostname: "0.0.0.0", port, maxRequestBodySize: MAX_BODY_BYTES, fetch: (request) => receive(request, take) });
  const [otlp, zipkin] = [http(ports.otlpHttp), http(ports.zipkin)];
  const grpc = grpcReceiver(take, log);
  grpc.listen(ports.otlpGrpc, "0.0.0.0");
  return {
    stop() {
      void otlp.stop(true);
      void zipkin.stop(true);
      grpc.close();
    },
    ports: { otlpGrpc: () => (grpc.address() as { port: number }).port, otlpHttp: otlp.port ?? 0, zipkin: zipkin.port ?? 0 },
  };
}

/** POST /v1/traces of OTLP and POST /api/v2/spans of Zipkin. */
async function receive(request: Request, take: (sent: Export) => number): Promise<Response> {
  const { pathname } = new URL(request.url);
  const zipkin = pathname === "/api/v2/spans";
  if (!zipkin && pathname !== "/v1/traces") return new Response("404 page not found\n", { status: 404 });
  if (request.method !== "POST") return new Response("405 method not allowed, supported: [POST]", { status: 405 });
  try {
    const body = unzipped(Buffer.from(await request.arrayBuffer()), request.headers.get("content-encoding"));
    if (zipkin) {
      take(spansOfZipkin(body.toString()));
      return new Response(null, { status: 202 });
    }
    const json = request.headers.get("content-type")?.startsWith("application/json") ?? false;
    const rejectedSpans = take(json ? spansOfJson(body.toString()) : spansOfProtobuf(body));
    if (json) return Response.json(rejectedSpans > 0 ? { partialSuccess: { rejectedSpans, errorMessage: REJECTED } } : { partialSuccess: {} });
    return new Response(answerOf(rejectedSpans), { headers: { "content-type": "application/x-protobuf" } });
  } catch (thrown) {
    return new Response(errorText(thrown), { status: 400 });
  }
}

const REJECTED = "spans without an id of a trace and of their own";

/** gRPC's unary call on plain HTTP/2. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
function grpcReceiver(take: (sent: Export) => number, log: Logger): Http2Server {
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    const parts: Buffer[] = [];
    let size = 0;
    const end = (status: number, message: string, answer?: Uint8Array<ArrayBuffer>): void => {
      if (stream.destroyed || stream.headersSent) return;
      const trailers = { "grpc-status": String(status), ...(message ? { "grpc-message": encodeURIComponent(message) } : {}) };
      if (!answer) return stream.respond({ ":status": 200, "content-type": "application/grpc", ...trailers }, { endStream: true });
      stream.on("wantTrailers", () => stream.sendTrailers(trailers));
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.end(framed(answer));
    };
    stream.on("error", (error) => log.debug("an export of traces broke off", { error: errorText(error) }));
    stream.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) end(GRPC.resourceExhausted, `an export may have ${MAX_BODY_BYTES} bytes`);
      else parts.push(chunk);
    });
    stream.on("end", () => {
      if (headers[":path"] !== EXPORT_PATH) return end(GRPC.unimplemented, `unknown method ${String(headers[":path"]).slice(0, 200)}`);
      if (size > MAX_BODY_BYTES) return;
      try {
        const message = unframed(Buffer.concat(parts), headers["grpc-encoding"]);
        end(GRPC.ok, "", answerOf(take(spansOfProtobuf(message))));
      } catch (thrown) {
        end(GRPC.invalidArgument, errorText(thrown));
      }
    });
  });
  return server;
}

function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function unframed(body: Buffer, encoding: string | string[] | undefined): Buffer {
  if (body.length < 5 || body.readUInt32BE(1) !== body.length - 5) throw new ChainmailError("TRACES_UNREADABLE", "the gRPC message is cut off");
  const message = body.subarray(5);
  return body[0] === 0 ? message : unzipped(message, String(encoding));
}

function unzipped(body: Buffer, encoding: string | null): Buffer {
  if (encoding === null || encoding === "identity" || encoding === "") return body;
  if (encoding !== "gzip") throw new ChainmailError("TRACES_UNREADABLE", `content-encoding ${encoding} is not known, gzip is`);
  return gunzipSync(body, { maxOutputLength: MAX_BODY_BYTES });
}

/** ExportTraceServiceResponse: with what was rejected, and nothing where all was taken. */
function answerOf(rejected: number): Uint8Array<ArrayBuffer> {
  if (rejected === 0) return new Uint8Array();
  const response = create(ExportTraceServiceResponseSchema, { partialSuccess: { rejectedSpans: BigInt(rejected), errorMessage: REJECTED } });
  return toBinary(ExportTraceServiceResponseSchema, response);
}
