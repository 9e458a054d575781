import { chmodSync, existsSync, unlinkSync } from "node:fs";
import { frameMessage, MessageReader } from "./framing.ts";
import { Http2Connection } from "./http2.ts";
import { GRPC_CODES } from "../../proto/index.ts";
import type { GrpcStatus } from "./status.ts";

export interface GrpcCall {
  /** `package.Service/Method`. */
  readonly method: string;
  send(message: Uint8Array): void;
  /** Ends the call; nothing is sent after it. */
  end(status: GrpcStatus): void;
}

export interface GrpcCallHandlers {
  message(bytes: Uint8Array): void;
  /** The client has said all; the call stays open until `end`. */
  halfClosed?(): void;
  /** The call is over, whoever ended it. Once. */
  closed(): void;
}

/** Takes a call, or gives undefined for a method that is not there. */
export type GrpcCallAcceptor = (call: GrpcCall) => GrpcCallHandlers | undefined;

/** A plaintext gRPC server on a Unix socket, for local peers such as an Envoy in the same pod. The file is private to the user. */
export function serveGrpcUnix(path: string, accept: GrpcCallAcceptor): { stop: () => void } {
  // A socket file outlives the process that made it.
  if (existsSync(path)) unlinkSync(path);
  const listener = Bun.listen<{ connection: Http2Connection }>({
    unix: path,
    socket: {
      binaryType: "buffer",
      open(socket) {
        const sink = { write: (bytes: Uint8Array) => socket.write(bytes), end: () => void socket.end() };
        socket.data = { connection: serverConnection(sink, accept) };
      },
      data: (socket, bytes) => socket.data.connection.receive(bytes),
      drain: (socket) => socket.data.connection.drained(),
      end: (socket) => void socket.end(),
      close: (socket) => socket.data.connection.ended("closed by the peer"),
      error: (socket, error) => socket.data.connection.ended(error.message),
    },
  });
  chmodSync(path, 0o660);
  return { stop: () => listener.stop(true) };
}

function serverConnection(sink: { write(bytes: Uint8Array): number; end(): void }, accept: GrpcCallAcceptor): Http2Connection {
  return new Http2Connection("server", sink, {
    closed() {},
    stream(stream, headers, endStream) {
      const method = (headers.find(([name]) => name === ":path")?.[1] ?? "").slice(1);
      let started = false;
      let over = false;
      const start = (): void => {
        if (started) return;
        started = true;
        stream.sendHeaders([
          [":status", "200"],
          ["content-type", "application/grpc"],
        ]);
      };
      const call: GrpcCall = {
        method,
        send(message) {
          if (over) return;
          start();
          stream.sendData(frameMessage(message));
        },
        end(status) {
          if (over) return;
          over = true;
          start();
          stream.sendHeaders(
            [
              ["grpc-status", String(GRPC_CODES.indexOf(status.code))],
              ["grpc-message", encodeURIComponent(status.message)],
            ],
            true,
          );
          handlers?.closed();
        },
      };
      const handlers = accept(call);
      const reader = new MessageReader((message) => {
        if (!over) handlers?.message(message);
      }, MAX_REQUEST);
      if (!handlers) call.end({ code: "UNIMPLEMENTED", message: `unknown method ${method}` });
      else if (endStream) queueMicrotask(() => handlers.halfClosed?.());
      return {
        headers() {},
        data(chunk, end) {
          if (over) return;
          try {
            reader.push(chunk);
          } catch (error) {
            return call.end({ code: "RESOURCE_EXHAUSTED", message: error instanceof Error ? error.message : String(error) });
          }
          if (end) handlers?.halfClosed?.();
        },
        reset() {
          if (over) return;
          over = true;
          handlers?.closed();
        },
      };
    },
  });
}

/** Requests on local sockets are names and ACKs. */
const MAX_REQUEST = 4 << 20;
