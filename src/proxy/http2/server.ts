import type { Clock } from "../../base/index.ts";
import type { RequestSink, ServerHandler, ServerStream } from "../http/codec.ts";
import type { HeadLimits } from "../http/head-parser.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { Channel } from "../net/channel.ts";
import { contentLength, readRequestFields } from "./fields.ts";
import type { StreamLoss } from "../telemetry/stream-info.ts";
import { ErrorCode } from "./frames.ts";
import type { SessionOptions, StallLimits } from "./options.ts";
import { PrematureResets } from "./premature-resets.ts";
import { Session } from "./session.ts";
import type { SessionOwner, SessionStream, StreamHandler } from "./session-stream.ts";

/** Between the notice that a connection drains and its end: requests that crossed the notice still count. */
const DRAIN_GRACE_MS = 1000;
const MAX_STREAM_ID = 2 ** 31 - 1;

export interface Http2ServerOptions extends SessionOptions, StallLimits {
  readonly clock: Clock;
  /** See HeadLimits. */
  readonly underscores?: HeadLimits["underscores"];
}

/** The server side of an HTTP/2 connection: an exchange for each stream. */
export class Http2Server implements SessionOwner {
  readonly session: Session;
  readonly #resets = new PrematureResets();
  #draining = false;
  #finalGoaway = false;
  #cancelGrace: (() => void) | undefined;

  constructor(
    channel: Channel,
    readonly handler: ServerHandler,
    readonly options: Http2ServerOptions,
  ) {
    this.session = new Session(channel, "server", this, options);
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Tells the client to go in two steps (RFC 9113, 6.8) and closes when its requests are done. */
  drain(): void {
    if (this.#draining || this.session.closed) return;
    this.#draining = true;
    this.session.writer.goaway(MAX_STREAM_ID, ErrorCode.NO_ERROR);
    this.#cancelGrace = this.options.clock.after(this.session.streams.size === 0 ? 0 : DRAIN_GRACE_MS, () => {
      this.session.goaway(ErrorCode.NO_ERROR);
      this.#finalGoaway = true;
      this.#closeIfDone();
    });
  }

  tick(now: number): void {
    this.session.endStalled(now, this.options);
  }

  onStream(stream: SessionStream): StreamHandler {
    stream.openedAt = this.options.clock.now();
    return new Http2ServerStream(stream, this);
  }

  isAbuse(stream: SessionStream): boolean {
    // What is answered already cannot be given up: only the rest of the answer is not wanted.
    if (stream.localEnded || !this.#resets.reset(this.options.clock.now() - stream.openedAt)) return false;
    this.handler.onAbuse?.();
    return true;
  }

  onStreamGone(): void {
    this.#resets.ended();
    this.#closeIfDone();
    if (this.session.streams.size === 0) this.handler.onIdle();
  }

  onSessionClosed(error: Error | undefined): void {
    this.#cancelGrace?.();
    this.handler.onConnectionClosed(error);
  }

  #closeIfDone(): void {
    if (this.#finalGoaway && this.session.streams.size === 0 && !this.session.closed) this.session.close();
  }
}

const REMOTE_RESET: StreamLoss = { flag: "DR", details: "http2.remote_reset" };
const MALFORMED: StreamLoss = { flag: "DPE", details: "http2.violation.of.messaging.rule" };
const UNDERSCORE: StreamLoss = { flag: "DR", details: "http2.unexpected_underscore" };

const hasUnderscore = (name: string): boolean => name.includes("_");

class Http2ServerStream implements StreamHandler, ServerStream {
  readonly protocol = "HTTP/2";
  #sink: RequestSink | undefined;
  #bodyAllowed = true;
  #done = false;

  constructor(
    private readonly stream: SessionStream,
    private readonly server: Http2Server,
  ) {}

  // ---- from the session

  onFields(fields: HeaderMap, endStream: boolean, size: number): void {
    const { session, handler, options } = this.server;
    const length = contentLength(fields);
    const head = length === undefined ? undefined : readRequestFields(fields, options.allowConnect);
    if (!head || (endStream && (length as number) > 0)) {
      session.reset(this.stream, ErrorCode.PROTOCOL_ERROR);
      handler.onLostRequest?.(this, MALFORMED);
      return;
    }
    if (options.underscores !== undefined && options.underscores !== "allow" && head.headers.names.some(hasUnderscore)) {
      if (options.underscores === "refuse") {
        session.reset(this.stream, ErrorCode.INTERNAL_ERROR);
        handler.onLostRequest?.(this, UNDERSCORE);
        return;
      }
      for (const name of head.headers.names.filter(hasUnderscore)) head.headers.remove(name);
    }
    this.stream.expected = length as number;
    this.#bodyAllowed = head.method !== "HEAD";
    this.#sink = handler.onRequest(head, this, endStream, size);
    if (this.#done) this.#sink = undefined;
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    this.#sink?.onBody(bytes, start, end);
  }

  onEnd(trailers: HeaderMap | undefined): void {
    this.#sink?.onRequestEnd(trailers);
  }

  onReset(code: number): void {
    const sink = this.#sink;
    this.#sink = undefined;
    if (!this.#done) sink?.onRequestReset(undefined, code === -1 ? undefined : REMOTE_RESET);
    this.#done = true;
  }

  onWritable(): void {
    this.#sink?.onWritable();
  }

  // ---- ServerStream

  writeInformational(status: number, headers: HeaderMap): void {
    this.server.session.sendFields(this.stream, [[":status", String(status)]], headers, false);
  }

  writeHead(status: number, headers: HeaderMap, endStream: boolean): number {
    if (status === 204 || status === 304) this.#bodyAllowed = false;
    let code = status;
    if (status === 101) {
      // RFC 8441, 4: what HTTP/1 calls switching protocols is an ordinary success here.
      code = 200;
      headers.remove("connection");
      headers.remove("upgrade");
    }
    const size = this.server.session.sendFields(this.stream, [[":status", String(code)]], headers, endStream);
    if (endStream) this.#finish();
    return size;
  }

  writeBody(bytes: Uint8Array, start: number, end: number): boolean {
    return !this.#bodyAllowed || this.server.session.sendBody(this.stream, bytes, start, end);
  }

  writeEnd(trailers: HeaderMap | undefined): void {
    this.server.session.sendEnd(this.stream, trailers);
    this.#finish();
  }

  flush(): void {}

  reset(reason: "local_reset" | "protocol_error" | "connection_termination"): void {
    this.#done = true;
    this.#sink = undefined;
    this.server.session.reset(this.stream, reason === "protocol_error" ? ErrorCode.PROTOCOL_ERROR : ErrorCode.INTERNAL_ERROR);
  }

  pauseRequest(): void {
    this.server.session.pause(this.stream);
  }

  resumeRequest(): void {
    this.server.session.resume(this.stream);
  }

  upgrade(): void {}

  /** The response is complete; a request that is not shall stop (RFC 9113, 8.1). */
  #finish(): void {
    this.#done = true;
    if (this.stream.remoteEnded || this.stream.queuedEnd) return;
    this.#sink = undefined;
    this.server.session.reset(this.stream, ErrorCode.NO_ERROR);
  }
}
