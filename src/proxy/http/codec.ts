import type { HeaderMap, HttpProtocol, RequestHead } from "./header-map.ts";
import type { StreamLoss } from "../telemetry/stream-info.ts";
import type { MessageError } from "./message-error.ts";

/** Why an exchange ended before its end, on either side. The names are Envoy's reset reasons. */
export type ResetReason =
  | "local_reset"
  | "remote_reset"
  | "local_refused_stream_reset"
  | "remote_refused_stream_reset"
  | "local_connection_failure"
  | "remote_connection_failure"
  | "connection_timeout"
  | "connection_termination"
  | "overflow"
  | "protocol_error"
  | "connect_error";

/** The codec's side of an exchange with a client: what answers it. One per HTTP/2 stream, or the HTTP/1 connection. */
export interface ServerStream {
  readonly protocol: HttpProtocol;
  /** 1xx. */
  writeInformational(status: number, headers: HeaderMap): void;
  /**
   * `closeAfter`: HTTP/1 closes after this response (the header that says so is the caller's). Returns the head's size.
   */
  writeHead(status: number, headers: HeaderMap, endStream: boolean, closeAfter: boolean): number;
  /** False asks the source to pause until `RequestSink.onWritable`; true says as well that the bytes were not kept. */
  writeBody(bytes: Uint8Array, start: number, end: number, framed?: boolean): boolean;
  writeEnd(trailers: HeaderMap | undefined): void;
  /** The response goes out chunked: `writeBody` takes `framed` bytes, with chunk framing in them, from its first byte on. */
  readonly takesFraming?: boolean;
  /** Sends what was held back to be joined with more. */
  flush(): void;
  /** Gives the exchange up: HTTP/1 closes the connection, HTTP/2 resets the stream. */
  reset(reason: "local_reset" | "protocol_error" | "connection_termination"): void;
  pauseRequest(): void;
  resumeRequest(): void;
  /** From now on bytes pass unframed both ways (101, or 200 to CONNECT). */
  upgrade(): void;
}

/** Who takes a request's body and learns of its fate. */
export interface RequestSink {
  /** True when nobody keeps the bytes. */
  onBody(bytes: Buffer, start: number, end: number): boolean;
  onRequestEnd(trailers: HeaderMap | undefined): void;
  /** The client broke the protocol (`error`), went away, or this stream of its connection was lost (`loss`). */
  onRequestReset(error: MessageError | undefined, loss?: StreamLoss): void;
  /** The response may flow again. */
  onWritable(): void;
}

/** Who takes new requests of a connection. */
export interface ServerHandler {
  /** `endStream`: no body follows. `size`: bytes of the head on the wire. */
  onRequest(head: RequestHead, stream: ServerStream, endStream: boolean, size: number): RequestSink;
  /** A request's head has begun and not come to its end in time; the codec has not answered, and closes after the answer. */
  onHeadTimeout(stream: ServerStream): void;
  /** Bytes that are no HTTP while no exchange was open; the codec has not answered. */
  onBadRequest(error: MessageError, stream: ServerStream): void;
  /** The client resets its requests as soon as they are made: its connection is about to be closed for it. */
  onAbuse?(): void;
  /** No exchange is open any more: a moment to close a draining connection. */
  onIdle(): void;
  /** The connection is gone. */
  onConnectionClosed(error: Error | undefined): void;
  /** There will be no request: the client has gone in the middle of its head, or the head was refused. */
  onLostRequest?(stream: ServerStream, loss?: StreamLoss): void;
}

/** Who takes the response to a request that was sent upstream. */
export interface ResponseSink {
  onInformational(status: number, headers: HeaderMap): void;
  /** `size`: bytes of the head on the wire. */
  onResponseHead(status: number, headers: HeaderMap, endStream: boolean, size: number): void;
  /** True when nobody keeps the bytes. With `size` there is chunk framing in them, and so many are the body's. */
  onResponseBody(bytes: Buffer, start: number, end: number, size?: number): boolean;
  /** After the head: a chunked body may come with its framing. */
  readonly takesFraming?: boolean;
  onResponseEnd(trailers: HeaderMap | undefined): void;
  /** All that one read brought has been delivered: the moment to write what was held back to be joined. */
  onBatchEnd(): void;
  /** The exchange ended before its end. `detail` is the transport's own words. */
  onUpstreamReset(reason: ResetReason, detail: string): void;
  /** The request may flow again. */
  onUpstreamWritable(): void;
}

/** The codec's side of an exchange with a server: an HTTP/2 stream, or the whole HTTP/1 connection. */
export interface UpstreamStream {
  /** Writes the head; the body follows by `writeBody` and `writeEnd` unless `endStream`. Returns the head's size. */
  send(head: RequestHead, endStream: boolean, sink: ResponseSink): number;
  /** False asks the source to pause until `onUpstreamWritable`; true says as well that the bytes were not kept. */
  writeBody(bytes: Uint8Array, start: number, end: number): boolean;
  writeEnd(trailers: HeaderMap | undefined): void;
  flush(): void;
  pauseResponse(): void;
  resumeResponse(): void;
  /** Gives the exchange up: HTTP/1 closes the connection, HTTP/2 resets the stream. */
  abandon(): void;
}
