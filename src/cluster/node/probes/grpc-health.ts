import { connect, constants } from "node:http2";
import type { Duplex } from "node:stream";
import { ChainmailError } from "../../../base/index.ts";

/** grpc.health.v1.HealthCheckResponse.ServingStatus by number. */
const STATUSES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
/** A status answer has a few bytes. */
const MAX_ANSWER = 4096;

/** Asks `grpc.health.v1.Health/Check` on a connection that it closes; answers the serving status' name. */
export function grpcHealthCheck(connection: Duplex, service: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const session = connect("http://pod", { createConnection: () => connection });
    const finish = (act: () => void) => {
      session.destroy();
      connection.destroy();
      act();
    };
    session.on("error", (error: Error) => finish(() => reject(error)));
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: "/grpc.health.v1.Health/Check",
      [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc",
      te: "trailers",
    });
    let received = Buffer.alloc(0);
    let grpcStatus: string | undefined;
    stream.on("response", (headers) => (grpcStatus = textOf(headers["grpc-status"])));
    stream.on("trailers", (headers) => (grpcStatus = textOf(headers["grpc-status"])));
    stream.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length > MAX_ANSWER) stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.on("error", (error: Error) => finish(() => reject(error)));
    stream.on("end", () =>
      finish(() => {
        if (grpcStatus !== undefined && grpcStatus !== "0") reject(new ChainmailError("PROBE_GRPC", `health check answered with gRPC status ${grpcStatus}`));
        else resolve(STATUSES[servingStatus(received)] ?? "UNKNOWN");
      }),
    );
    stream.end(frame(service));
  });
}

/** A gRPC message frame around HealthCheckRequest{service = 1}. Service names are short: one length byte is enough below 128. */
function frame(service: string): Buffer {
  const name = Buffer.from(service).subarray(0, 127);
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Field 1 (varint) of the first message; absent means 0, as proto3 leaves defaults out. */
function servingStatus(received: Buffer): number {
  return received[5] === 0x08 ? (received[6] ?? 0) : 0;
}

function textOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
