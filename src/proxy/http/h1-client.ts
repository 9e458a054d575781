import type { Channel, ChannelHandler } from "../net/channel.ts";
import { BodyReader, type BodySink } from "./body-reader.ts";
import type { ResetReason, ResponseSink, UpstreamStream } from "./codec.ts";
import { DEFAULT_LIMITS, findHeadEnd, parseResponseHead, type HeadLimits, type ParsedResponse } from "./head-parser.ts";
import { nameWriter, type HeaderCase } from "./header-case.ts";
import type { HeaderMap, RequestHead } from "./header-map.ts";
import { MessageError } from "./message-error.ts";

/** Who owns a client connection: the pool it goes back to. */
export interface Http1ClientOwner {
  /** The exchange is over and the connection can take another. */
  onReusable(connection: Http1Client): void;
  /** It is closed, or must not be used again; called once. */
  onGone(connection: Http1Client): void;
}

/** Methods whose requests have no body by meaning: no `content-length: 0` is added (RFC 9110, 8.6; as Envoy). */
const BODILESS = new Set(["GET", "HEAD", "DELETE", "TRACE", "CONNECT"]);

/** The client side of an HTTP/1.1 connection, established and idle: one exchange at a time. */
export class Http1Client implements ChannelHandler, BodySink, UpstreamStream {
  /** Requests sent so far. */
  requests = 0;
  /** When it became idle, in the pool's clock. */
  idleSince = 0;
  #sink: ResponseSink | undefined;
  readonly #body = new BodyReader(DEFAULT_LIMITS);
  readonly #limits: HeadLimits;
  #held: Buffer | undefined;
  #method = "";
  #headDone = false;
  #requestDone = true;
  #responseDone = true;
  #close = false;
  /** The sink knows that the response has ended: its head said so. */
  #endTold = false;
  #chunked = false;
  #raw = false;
  #upgradeAsked = false;
  #gone = false;
  /** Nobody keeps what is being read. */
  #spent = false;

  constructor(
    readonly channel: Channel,
    private readonly owner: Http1ClientOwner,
    private readonly headerCase?: HeaderCase,
    /** Trailers go on, to the server and from it: by default they are dropped, as few programs of HTTP/1 know them. */
    private readonly trailersAllowed = false,
  ) {
    this.#limits = headerCase?.keep ? { ...DEFAULT_LIMITS, keepCase: true } : DEFAULT_LIMITS;
    channel.handler = this;
  }

  // ---- requests

  /** Writes the head; the body follows by `writeBody` and `writeEnd` unless `endStream`. Returns the head's size. */
  send(head: RequestHead, endStream: boolean, sink: ResponseSink): number {
    this.requests++;
    this.#sink = sink;
    this.#method = head.method;
    this.#headDone = false;
    this.#responseDone = false;
    this.#requestDone = endStream;
    this.#chunked = false;
    this.#upgradeAsked = head.upgrade !== undefined;
    const nameOf = nameWriter(head.headers, this.headerCase);
    let text = `${head.method} ${head.upgrade === "connect" ? head.authority : head.path} HTTP/1.1\r\n${nameOf ? nameOf("host") : "host"}: ${head.authority}\r\n`;
    const { names, values } = head.headers;
    let hasLength = false;
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string;
      if (name === "content-length") hasLength = true;
      text += `${nameOf ? nameOf(name) : name}: ${values[i]}\r\n`;
    }
    if (!hasLength && !this.#upgradeAsked) {
      if (!endStream) {
        text += "transfer-encoding: chunked\r\n";
        this.#chunked = true;
      } else if (!BODILESS.has(head.method)) text += "content-length: 0\r\n";
    }
    text += "\r\n";
    this.channel.writeText(text);
    if (endStream) this.channel.flush();
    return text.length;
  }

  writeBody(bytes: Uint8Array, start: number, end: number): boolean {
    if (start === end) return !this.channel.congested;
    if (!this.#chunked) return this.channel.write(bytes, start, end);
    this.channel.writeText(`${(end - start).toString(16)}\r\n`);
    const flowing = this.channel.write(bytes, start, end);
    this.channel.writeText("\r\n");
    return flowing;
  }

  writeEnd(trailers: HeaderMap | undefined): void {
    this.#requestDone = true;
    if (this.#raw) {
      this.channel.finish();
      return;
    }
    if (this.#chunked) this.channel.writeText(trailers && this.trailersAllowed ? `0\r\n${trailers.toLines()}\r\n` : "0\r\n\r\n");
    this.channel.flush();
    if (this.#responseDone) this.#settle();
  }

  flush(): void {
    this.channel.flush();
  }

  pauseResponse(): void {
    this.channel.pause();
  }

  resumeResponse(): void {
    this.channel.resume();
  }

  /** Gives the exchange up; the connection cannot be used again. */
  abandon(): void {
    this.#sink = undefined;
    this.#leave();
    this.channel.reset();
  }

  /** Closes an idle connection. */
  retire(): void {
    this.#sink = undefined;
    this.#leave();
    this.channel.close();
  }

  // ---- from the channel

  onData(chunk: Buffer): boolean {
    const sink = this.#sink;
    if (!sink) {
      // A server that talks out of turn (RFC 9112, 9.2), such as a 408 on an idle connection.
      this.retire();
      return true;
    }
    if (this.#raw) return sink.onResponseBody(chunk, 0, chunk.length);
    // A head's bytes are few: only what is nothing but body is worth a look.
    this.#spent = this.#headDone;
    try {
      this.#consume(chunk, sink);
      return this.#spent && !this.#body.keeps;
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.#fail("protocol_error", "");
      return false;
    }
  }

  onEnd(): void {
    const sink = this.#sink;
    // A server that leaves a tunnel first has broken it off: HTTP/1 has no half-closed ones.
    if (this.#raw && !this.#requestDone) {
      this.#fail("connection_termination", "");
      return;
    }
    if (this.#raw) {
      this.#responseDone = true;
      this.#sink = undefined;
      this.#leave();
      sink?.onResponseEnd(undefined);
      this.channel.close();
      return;
    }
    if (!sink) {
      this.retire();
      return;
    }
    if (this.#headDone && this.#body.untilClose) {
      this.#close = true;
      this.#finishResponse(sink);
      this.channel.close();
      return;
    }
    // As Envoy: an end before the head is a termination, an end inside a body breaks the protocol.
    this.#fail(this.#headDone || this.#held ? "protocol_error" : "connection_termination", "");
  }

  onDrain(): void {
    this.#sink?.onUpstreamWritable();
  }

  onClose(error: Error | undefined): void {
    const sink = this.#sink;
    this.#sink = undefined;
    this.#leave();
    if (!sink) return;
    if (error === undefined && ((this.#raw && this.#requestDone) || (this.#headDone && this.#body.untilClose))) sink.onResponseEnd(undefined);
    else sink.onUpstreamReset(!this.#raw && (this.#headDone || this.#held) ? "protocol_error" : "connection_termination", "");
  }

  // ---- from the body reader

  onBody(bytes: Buffer, start: number, end: number): void {
    if (this.#sink?.onResponseBody(bytes, start, end) === false) this.#spent = false;
  }

  onFramed(bytes: Buffer, start: number, end: number, size: number): void {
    if (this.#sink?.onResponseBody(bytes, start, end, size) === false) this.#spent = false;
  }

  // ---- reading responses

  #consume(chunk: Buffer, sink: ResponseSink): void {
    let bytes = chunk;
    if (this.#held) {
      bytes = Buffer.concat([this.#held, chunk]);
      this.#held = undefined;
    }
    let at = 0;
    while (!this.#headDone) {
      const end = findHeadEnd(bytes, at);
      if (end < 0 || end - at > DEFAULT_LIMITS.maxBytes) {
        if (bytes.length - at > DEFAULT_LIMITS.maxBytes) throw MessageError.headersTooLarge();
        refuseNonHttp(bytes, at);
        if (at < bytes.length) this.#held = at === 0 ? bytes : bytes.subarray(at);
        return;
      }
      const response = parseResponseHead(bytes, at, end, this.#method, this.#limits);
      at = end;
      if (response.status === 101 || (this.#method === "CONNECT" && response.status >= 200 && response.status < 300)) {
        if (!this.#upgradeAsked) throw MessageError.malformed("an upgrade that was not asked for");
        this.#raw = true;
        this.#headDone = true;
        sink.onResponseHead(response.status, response.headers, false, response.size);
        if (at < bytes.length) this.#sink?.onResponseBody(bytes, at, bytes.length);
        this.#sink?.onBatchEnd();
        return;
      }
      if (response.status < 200) {
        sink.onInformational(response.status, response.headers);
        if (this.#sink !== sink) return;
        continue;
      }
      this.#startResponse(response, sink);
    }
    if (this.#sink !== sink) return;
    if (!this.#body.done) at = this.#body.read(bytes, at, this);
    if (this.#sink !== sink) return;
    // Bytes beyond the response: this server's framing cannot be trusted any more.
    if (at < bytes.length) this.#close = true;
    if (this.#body.done) this.#finishResponse(sink);
    else sink.onBatchEnd();
  }

  #startResponse(response: ParsedResponse, sink: ResponseSink): void {
    // RFC 9112, 6.1: a server must not frame what has no body.
    if (response.status === 204 && response.headers.has("transfer-encoding")) throw MessageError.bodyDisallowed();
    this.#headDone = true;
    this.#close = response.close;
    this.#body.begin(response.bodyLength);
    response.headers.remove("transfer-encoding");
    this.#endTold = this.#body.done;
    sink.onResponseHead(response.status, response.headers, this.#endTold, response.size);
    if (sink.takesFraming) this.#body.passFraming();
  }

  #finishResponse(sink: ResponseSink): void {
    this.#responseDone = true;
    if (!this.#endTold) sink.onResponseEnd(this.trailersAllowed ? this.#body.trailers : undefined);
    if (this.#sink !== sink) return;
    if (this.#requestDone) this.#settle();
    else {
      // The server answered before it had the whole request: do not go on sending into this connection.
      this.#sink = undefined;
      this.#leave();
      this.channel.close();
    }
  }

  #settle(): void {
    this.#sink = undefined;
    // The client of this response may have been slower than its server; the next one shall not wait for that.
    this.channel.resume();
    if (this.#close || this.channel.closed) {
      this.#leave();
      this.channel.close();
    } else this.owner.onReusable(this);
  }

  #fail(reason: ResetReason, detail: string): void {
    const sink = this.#sink;
    this.#sink = undefined;
    this.#leave();
    this.channel.reset();
    sink?.onUpstreamReset(reason, detail);
  }

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.owner.onGone(this);
  }
}

/** What does not begin as a status line never becomes one: do not wait for its end. */
function refuseNonHttp(bytes: Buffer, start: number): void {
  const wanted = "HTTP/1.";
  const length = Math.min(wanted.length, bytes.length - start);
  if (bytes.toString("latin1", start, start + length) !== wanted.slice(0, length)) throw MessageError.malformed("not an HTTP/1 response");
}
