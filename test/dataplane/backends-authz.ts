import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { HeaderValueOption_HeaderAppendAction as Append } from "../../src/proto/gen/envoy/config/core/v3/base_pb.ts";
import { CheckRequestSchema, CheckResponseSchema, type CheckRequest } from "../../src/proto/gen/envoy/service/auth/v3/external_auth_pb.ts";

/** An authorization service over gRPC: `x-authz-want` says what it decides, and a denial's body says what it was asked. */
export async function startGrpcAuthorizer(): Promise<{ port: number; stop: () => void }> {
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const chunks: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => void answer(stream, headers, Buffer.concat(chunks)));
  });
  server.on("sessionError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, stop: () => void server.close() };
}

const option = (key: string, value: string, appendAction = Append.OVERWRITE_IF_EXISTS_OR_ADD) => ({ header: { key, value }, appendAction });

async function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, bytes: Buffer): Promise<void> {
  const request = fromBinary(CheckRequestSchema, bytes.subarray(5));
  const want = request.attributes?.request?.http?.headers["x-authz-want"] ?? "";
  if (want === "slow") await Bun.sleep(400);
  if (stream.destroyed) return;
  if (want === "fail")
    return void stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "13", "grpc-message": "broken" }, { endStream: true });
  if (want === "no grpc") return void stream.respond({ ":status": 503 }, { endStream: true });
  const message = toBinary(CheckResponseSchema, create(CheckResponseSchema, decide(want, request, headers)));
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(frame);
}

function decide(want: string, request: CheckRequest, headers: IncomingHttpHeaders): MessageInitShape<typeof CheckResponseSchema> {
  switch (want) {
    case "add":
      return {
        status: { code: 0 },
        httpResponse: {
          case: "okResponse",
          value: {
            headers: [
              option("x-a", "set"),
              option("x-new", "new"),
              option("x-b", "appended", Append.APPEND_IF_EXISTS_OR_ADD),
              option("x-c", "absent", Append.ADD_IF_ABSENT),
              option("x-none", "if there", Append.OVERWRITE_IF_EXISTS),
            ],
            headersToRemove: ["x-gone"],
            responseHeadersToAdd: [
              option("x-from-authz", "yes", Append.APPEND_IF_EXISTS_OR_ADD),
              option("x-r", "replaced", Append.OVERWRITE_IF_EXISTS),
              option("x-nothing", "replaced", Append.OVERWRITE_IF_EXISTS),
              option("x-s", "set"),
            ],
          },
        },
        dynamicMetadata: { user: "joe", level: 3 },
      };
    case "deny":
      return {
        status: { code: 7 },
        httpResponse: {
          case: "deniedResponse",
          value: {
            status: { code: 401 as never },
            headers: [option("x-why", "policy"), option("www-authenticate", "Basic")],
            body: describe(request, headers),
          },
        },
      };
    case "deny without a word":
      return { status: { code: 7 } };
    case "deny with a body alone":
      return { status: { code: 7 }, httpResponse: { case: "deniedResponse", value: { body: "no" } } };
  }
  return { status: { code: 0 } };
}

function describe({ attributes }: CheckRequest, headers: IncomingHttpHeaders): string {
  const http = attributes?.request?.http;
  const sent = Object.entries(http?.headers ?? {})
    .filter(([name]) => name !== "x-request-id" && name !== "x-authz-want")
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    `${String(headers[":path"])} ${String(headers[":authority"])}`,
    `${http?.method} ${http?.path} ${http?.host} ${http?.scheme} ${http?.protocol} size=${http?.size}`,
    ...sent.map(([name, value]) => `${name}: ${value}`),
    `body=${http?.body}${Buffer.from(http?.rawBody ?? []).toString()}`,
    `context=${JSON.stringify(attributes?.contextExtensions)}`,
    `metadata=${JSON.stringify(attributes?.metadataContext?.filterMetadata ?? {})}`,
    `source=${attributes?.source?.principal} destination=${attributes?.destination?.principal}`,
  ].join("\n");
}
