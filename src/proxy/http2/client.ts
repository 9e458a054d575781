import type { ResetReason, ResponseSink, UpstreamStream } from "../http/codec.ts";
import type { HeaderMap, RequestHead } from "../http/header-map.ts";
import type { Channel } from "../net/channel.ts";
import { contentLength, readStatus } from "./fields.ts";
import { ErrorCode } from "./frames.ts";
import type { SessionOptions } from "./options.ts";
import { Session } from "./session.ts";
import type { SessionOwner, SessionStream, StreamHandler } from "./session-stream.ts";

/** Who owns a client session: the pool that its streams come from. */
export interface Http2ClientOwner {
  /** There is room for another stream, or the last one has gone. */
  onRoom(client: Http2Client): void;
  /** A stream was reset before its end: by the server, or by us. */
  onStreamReset(by: "remote" | "local"): void;
  /** No new streams: the server said so, or the connection is gone. Called once. */
  onGone(client: Http2Client): void;
}

/** The client side of an HTTP/2 connection: many exchanges at once. */
export class Http2Client implements SessionOwner {
  readonly session: Session;
  /** Streams opened so far. */
  requests = 0;
  idleSince = 0;
  /** Whose heads have come, without their bodies so far. */
  readonly #heads: ResponseSink[] = [];
  #gone = false;
  /** The server's settings have come. */
  settled = false;

  constructor(
    readonly channel: Channel,
    private readonly owner: Http2ClientOwner,
    private readonly options: SessionOptions,
    /** How many streams the server is taken to allow until it has said so. */
    private readonly expectedStreams = Number.POSITIVE_INFINITY,
  ) {
    this.session = new Session(channel, "client", this, options);
  }

  get active(): number {
    return this.session.streams.size;
  }

  get hasRoom(): boolean {
    return (
      !this.#gone &&
      !this.session.goingAway &&
      this.active < Math.min(this.settled ? this.session.peerMaxStreams : this.expectedStreams, this.options.maxConcurrentStreams)
    );
  }

  /** A place for one exchange. */
  stream(): UpstreamStream {
    return new Http2ClientStream(this);
  }

  /** Takes no more exchanges and closes when those under way are done. */
  retire(): void {
    this.#leave();
    if (this.active === 0) this.session.close();
  }

  onGoaway(lastId: number): void {
    this.#leave();
    for (const stream of this.session.streams.values()) {
      // The server has not looked at these: they may be sent again elsewhere.
      if (stream.id > lastId) this.session.drop(stream, ErrorCode.REFUSED_STREAM);
    }
    if (this.active === 0) this.session.close();
  }

  onStreamGone(): void {
    if (!this.#gone) this.owner.onRoom(this);
    else if (this.active === 0 && !this.session.closed) this.session.close();
  }

  /** A response has begun: its head may wait for its body until the read is over, and no longer. */
  began(sink: ResponseSink): void {
    this.#heads.push(sink);
  }

  onBatchEnd(): void {
    if (this.#heads.length === 0) return;
    for (const sink of this.#heads) sink.onBatchEnd();
    this.#heads.length = 0;
  }

  onStreamReset(by: "remote" | "local"): void {
    this.owner.onStreamReset(by);
  }

  onSettings(): void {
    this.settled = true;
    this.owner.onRoom(this);
  }

  onSessionClosed(): void {
    this.#leave();
  }

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.owner.onGone(this);
  }
}

class Http2ClientStream implements UpstreamStream, StreamHandler {
  #stream: SessionStream | undefined;
  #sink: ResponseSink | undefined;
  #headRequest = false;
  /** What the request asked to go over to. */
  #upgrade: string | undefined;

  constructor(private readonly client: Http2Client) {}

  // ---- UpstreamStream

  send(head: RequestHead, endStream: boolean, sink: ResponseSink): number {
    const { session } = this.client;
    this.client.requests++;
    this.#sink = sink;
    this.#headRequest = head.method === "HEAD";
    this.#stream = session.open(this);
    return session.sendFields(this.#stream, this.#pseudoFields(head), head.headers, endStream);
  }

  #pseudoFields(head: RequestHead): [string, string][] {
    if (head.method === "CONNECT")
      return [
        [":method", "CONNECT"],
        [":authority", head.authority],
      ];
    const target: [string, string][] = [
      [":scheme", head.scheme],
      [":authority", head.authority],
      [":path", head.path],
    ];
    if (head.upgrade === undefined) return [[":method", head.method], ...target];
    // An upgrade is a CONNECT with a protocol (RFC 8441); the head stays as it is, for another try.
    this.#upgrade = head.headers.get("upgrade") ?? head.upgrade;
    head.headers.remove("connection");
    head.headers.remove("upgrade");
    return [[":method", "CONNECT"], ...target, [":protocol", this.#upgrade]];
  }

  writeBody(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#stream === undefined || this.client.session.sendBody(this.#stream, bytes, start, end);
  }

  writeEnd(trailers: HeaderMap | undefined): void {
    if (this.#stream) this.client.session.sendEnd(this.#stream, trailers);
  }

  flush(): void {}

  pauseResponse(): void {
    if (this.#stream) this.client.session.pause(this.#stream);
  }

  resumeResponse(): void {
    if (this.#stream) this.client.session.resume(this.#stream);
  }

  abandon(): void {
    this.#sink = undefined;
    if (!this.#stream) return;
    this.client.onStreamReset("local");
    this.client.session.reset(this.#stream, ErrorCode.CANCEL);
  }

  // ---- from the session

  onFields(fields: HeaderMap, endStream: boolean, size: number): void {
    const status = readStatus(fields);
    const length = contentLength(fields);
    if (status === undefined || length === undefined || status === 101) {
      this.#fail(ErrorCode.PROTOCOL_ERROR, "protocol_error");
      return;
    }
    if (status < 200) {
      this.#sink?.onInformational(status, fields);
      return;
    }
    if (this.#stream && !endStream && !this.#headRequest && status !== 304) this.#stream.expected = length;
    let shown = status;
    if (this.#upgrade !== undefined && status === 200) {
      shown = 101;
      fields.append("connection", "upgrade");
      fields.append("upgrade", this.#upgrade);
    }
    const sink = this.#sink;
    sink?.onResponseHead(shown, fields, endStream, size);
    if (endStream) this.#finish();
    else if (sink) this.client.began(sink);
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    this.#sink?.onResponseBody(bytes, start, end);
  }

  onEnd(trailers: HeaderMap | undefined): void {
    this.#sink?.onResponseEnd(trailers);
    this.#finish();
  }

  onReset(code: number): void {
    const sink = this.#sink;
    this.#sink = undefined;
    if (code !== -1) this.client.onStreamReset("remote");
    sink?.onUpstreamReset(code === -1 && this.client.session.broken ? "protocol_error" : resetReason(code), "");
  }

  onWritable(): void {
    this.#sink?.onUpstreamWritable();
  }

  /** The server has answered; if it did not want the whole request, it need not get it. */
  #finish(): void {
    this.#sink = undefined;
    const stream = this.#stream;
    if (stream && !stream.localEnded) this.client.session.reset(stream, ErrorCode.NO_ERROR);
  }

  #fail(code: number, reason: ResetReason): void {
    const sink = this.#sink;
    this.#sink = undefined;
    if (this.#stream) this.client.session.reset(this.#stream, code);
    sink?.onUpstreamReset(reason, "");
  }
}

function resetReason(code: number): ResetReason {
  if (code === -1) return "connection_termination";
  if (code === ErrorCode.REFUSED_STREAM) return "remote_refused_stream_reset";
  return code === ErrorCode.PROTOCOL_ERROR ? "protocol_error" : "remote_reset";
}
