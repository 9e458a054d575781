import type { Clock } from "../../base/index.ts";
import type { Channel, ChannelHandler } from "../net/channel.ts";
import { BodyReader, type BodySink } from "./body-reader.ts";
import type { RequestSink, ServerHandler, ServerStream } from "./codec.ts";
import { CHUNKED, DEFAULT_LIMITS, findHeadEnd, mayBeRequest, parseRequestHead, type HeadLimits, type ParsedRequest } from "./head-parser.ts";
import { nameWriter, type HeaderCase } from "./header-case.ts";
import type { HeaderMap, RequestHead } from "./header-map.ts";
import { MessageError } from "./message-error.ts";
import { statusLine } from "./status-text.ts";

export interface Http1ServerOptions {
  readonly limits: HeadLimits;
  /** Requests of HTTP/1.0 are answered instead of being refused with 426. */
  readonly acceptHttp10: boolean;
  /** Targets may be whole URLs: they may, without. */
  readonly allowAbsoluteUrl?: boolean;
  readonly clock: Clock;
  /** From the first byte of a head to its end, at most; without limit when undefined. */
  readonly headTimeoutMs?: number | undefined;
  /** How response header names are written; lower-case without. */
  readonly headerCase?: HeaderCase | undefined;
}

/** Envoy's delayed_close_timeout: so long may a client that was told to go neither close nor read, before it is cut off. */
const DELAYED_CLOSE_MS = 1000;
/** Pipelined bytes that are kept while a response is open, or not read by the client; reading pauses beyond. */
const MAX_PIPELINED = 64 * 1024;

/**
 * The server side of an HTTP/1.1 connection: one exchange at a time, strict parsing, keep-alive, pipelining by holding the
 * next request back, upgrades to raw bytes.
 */
export class Http1Server implements ChannelHandler, ServerStream, BodySink {
  readonly protocol = "HTTP/1.1";
  #sink: RequestSink | undefined;
  readonly #body: BodyReader;
  #held: Buffer | undefined;
  #requestDone = true;
  #responseDone = true;
  #closeAfter = false;
  #chunked = false;
  #bodyAllowed = true;
  #headRequest = false;
  #http10 = false;
  /** An exchange is open; `#beginning` while the handler is being told of it. */
  #open = false;
  #beginning = false;
  /** The request asks for another protocol: what follows its head waits for the answer. */
  #upgrading = false;
  #mode: "http" | "raw" | "closing" = "http";
  #peerEnded = false;
  /** Nobody keeps what is being read. */
  #spent = false;
  #cancelClose: (() => void) | undefined;
  #cancelHead: (() => void) | undefined;

  constructor(
    private readonly channel: Channel,
    private readonly handler: ServerHandler,
    private readonly options: Http1ServerOptions,
  ) {
    this.#body = new BodyReader(options.limits ?? DEFAULT_LIMITS);
    channel.handler = this;
  }

  /** No exchange is open and nothing of a next request has come. */
  get idle(): boolean {
    return this.#requestDone && this.#responseDone && this.#held === undefined;
  }

  /** Closes now if idle, else after the open exchange. */
  drain(): void {
    if (this.idle) this.#delayedClose();
    else this.#closeAfter = true;
  }

  get draining(): boolean {
    return this.#closeAfter || this.#mode === "closing";
  }

  // ---- from the channel

  onData(chunk: Buffer): boolean {
    if (this.#mode === "raw") return this.#sink?.onBody(chunk, 0, chunk.length) ?? true;
    if (this.#mode === "closing") return true;
    // A head's bytes are few: only what is nothing but body is worth a look.
    this.#spent = !this.#requestDone && this.#held === undefined;
    this.#consume(chunk);
    return this.#spent && this.#held === undefined && !this.#body.keeps;
  }

  onEnd(): void {
    this.#peerEnded = true;
    if (this.#mode === "raw") {
      this.#sink?.onRequestEnd(undefined);
      if (this.#responseDone) this.channel.close();
      return;
    }
    // A client that sent FIN has gone for Envoy, which knows no half-open HTTP connections.
    this.channel.abort();
  }

  onDrain(): void {
    this.#sink?.onWritable();
    const held = this.#held;
    if (!held || !this.#requestDone || !this.#responseDone || this.#mode !== "http") return;
    // Requests that waited for the client to read the answers to those before.
    this.#held = undefined;
    this.channel.resume();
    this.#consume(held);
  }

  onClose(error: Error | undefined): void {
    this.#cancelClose?.();
    this.#cancelHead?.();
    const sink = this.#sink;
    const cut = this.#mode === "http" && this.#held !== undefined && this.#requestDone && this.#responseDone;
    this.#sink = undefined;
    this.#mode = "closing";
    sink?.onRequestReset(undefined);
    if (cut) this.handler.onLostRequest?.(this);
    this.handler.onConnectionClosed(error);
  }

  // ---- from the body reader

  onBody(bytes: Buffer, start: number, end: number): void {
    if (this.#sink?.onBody(bytes, start, end) === false) this.#spent = false;
  }

  // ---- ServerStream

  writeInformational(status: number, headers: HeaderMap): void {
    this.channel.writeText(`${statusLine(status)}${headers.toLines()}\r\n`);
    this.channel.flush();
  }

  writeHead(status: number, headers: HeaderMap, endStream: boolean, closeAfter: boolean): number {
    if (closeAfter) this.#closeAfter = true;
    let text = statusLine(status);
    // A client of HTTP/1.0 that asked for it must hear that the connection stays.
    if (this.#http10 && !this.#closeAfter) text += "connection: keep-alive\r\n";
    const { names, values } = headers;
    const nameOf = nameWriter(headers, this.options.headerCase);
    let hasLength = false;
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string;
      if (name === "content-length") hasLength = true;
      text += `${nameOf ? nameOf(name) : name}: ${values[i]}\r\n`;
    }
    this.#chunked = false;
    this.#bodyAllowed = this.#mode === "raw" || (!this.#headRequest && status >= 200 && status !== 204 && status !== 304);
    if (!hasLength && this.#mode !== "raw" && status >= 200 && status !== 204) {
      if (endStream && !this.#headRequest) text += status === 304 ? "" : "content-length: 0\r\n";
      else if (this.#http10) this.#closeAfter = true;
      else if (status !== 304) {
        text += "transfer-encoding: chunked\r\n";
        this.#chunked = this.#bodyAllowed;
      }
    }
    this.channel.writeText(`${text}\r\n`);
    if (endStream) this.#finishResponse();
    return text.length + 2;
  }

  get takesFraming(): boolean {
    return this.#chunked;
  }

  writeBody(bytes: Uint8Array, start: number, end: number, framed = false): boolean {
    if (!this.#bodyAllowed || start === end) return !this.channel.congested;
    if (!this.#chunked || framed) return this.channel.write(bytes, start, end);
    this.channel.writeText(`${(end - start).toString(16)}\r\n`);
    const flowing = this.channel.write(bytes, start, end);
    this.channel.writeText("\r\n");
    return flowing;
  }

  writeEnd(trailers: HeaderMap | undefined): void {
    if (this.#mode === "raw") {
      this.channel.finish();
      this.#responseDone = true;
      if (this.#peerEnded) this.channel.close();
      return;
    }
    if (this.#chunked) this.channel.writeText(trailers ? `0\r\n${trailers.toLines()}\r\n` : "0\r\n\r\n");
    this.#finishResponse();
  }

  flush(): void {
    this.channel.flush();
  }

  reset(): void {
    this.#sink = undefined;
    this.#mode = "closing";
    this.channel.flush();
    // Without its last chunk or its full length the client knows that the response was cut off; where only the close
    // ends it, that must not look regular.
    if (this.#http10 && !this.#responseDone) this.channel.reset();
    else if (this.channel.unsent > 0) this.#closeLater(this.channel.unsent);
    else this.channel.close();
  }

  pauseRequest(): void {
    this.channel.pause();
  }

  resumeRequest(): void {
    this.channel.resume();
  }

  upgrade(): void {
    this.#mode = "raw";
    this.#upgrading = false;
    const held = this.#held;
    this.#held = undefined;
    if (held) this.#sink?.onBody(held, 0, held.length);
  }

  // ---- reading requests

  #consume(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#held) {
      bytes = Buffer.concat([this.#held, chunk]);
      this.#held = undefined;
    }
    let at = 0;
    try {
      while (at < bytes.length && this.#mode === "http") {
        if (this.#upgrading) break;
        if (!this.#requestDone) {
          at = this.#body.read(bytes, at, this);
          if (this.#body.done && this.#mode === "http") this.#endRequest();
        } else if (!this.#responseDone || this.channel.congested) break;
        else {
          this.#spent = false;
          // RFC 9112, 2.2: ignore empty lines before a request line.
          while (bytes[at] === 0x0d && bytes[at + 1] === 0x0a) at += 2;
          if (at === bytes.length) break;
          const end = this.#readHead(bytes, at);
          if (end < 0) break;
          at = end;
        }
      }
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.#refuse(error);
      return;
    }
    if (at >= bytes.length) return;
    this.#spent = false;
    if (this.#mode === "raw") this.#sink?.onBody(bytes, at, bytes.length);
    else if (this.#mode === "http") {
      this.#held = at === 0 ? bytes : bytes.subarray(at);
      if (this.#requestDone && this.#responseDone && !this.channel.congested) this.#awaitHead();
      else if (this.#held.length > MAX_PIPELINED) this.channel.pause();
    }
  }

  /** The offset after the head, or -1 when more bytes are needed. */
  #readHead(bytes: Buffer, start: number): number {
    const end = findHeadEnd(bytes, start);
    if (end < 0 || end - start > this.options.limits.maxBytes) {
      if (bytes.length - start > this.options.limits.maxBytes) throw MessageError.headersTooLarge();
      refuseBareLineFeed(bytes, start);
      if (end < 0 && !mayBeRequest(bytes, start)) throw MessageError.malformed("unknown method");
      return end < 0 ? -1 : end;
    }
    const request = parseRequestHead(bytes, start, end, this.options.limits);
    if (request.minorVersion === 0 && !this.options.acceptHttp10) throw MessageError.lowVersion();
    this.#begin(request);
    return end;
  }

  /** A head has begun: its client shall not take for ever to finish it. */
  #awaitHead(): void {
    const { clock, headTimeoutMs } = this.options;
    if (headTimeoutMs === undefined || this.#cancelHead) return;
    this.#cancelHead = clock.after(headTimeoutMs, () => {
      this.#held = undefined;
      this.#headRequest = false;
      this.#responseDone = false;
      this.handler.onHeadTimeout(this);
      this.#delayedClose();
    });
  }

  #begin(request: ParsedRequest): void {
    if (this.#cancelHead) {
      this.#cancelHead();
      this.#cancelHead = undefined;
    }
    const head = toRequestHead(request, this.options.allowAbsoluteUrl ?? true);
    this.#headRequest = request.method === "HEAD";
    this.#http10 = request.minorVersion === 0;
    this.#closeAfter = this.#closeAfter || request.close;
    this.#responseDone = false;
    if (head.upgrade === "h2c") dropUpgrade(head);
    this.#upgrading = head.upgrade !== undefined;
    const endStream = request.bodyLength === 0 && !this.#upgrading;
    this.#requestDone = endStream;
    this.#body.begin(request.bodyLength);
    this.#sink = undefined;
    this.#open = true;
    this.#beginning = true;
    const sink = this.handler.onRequest(head, this, endStream, request.size);
    this.#beginning = false;
    if (!this.#requestDone || !this.#responseDone) this.#sink = this.#mode === "closing" ? undefined : sink;
    else this.#settle();
  }

  #endRequest(): void {
    this.#requestDone = true;
    this.#sink?.onRequestEnd(this.#body.trailers);
    if (this.#responseDone) this.#settle();
  }

  #refuse(error: MessageError): void {
    const sink = this.#sink;
    if (sink && !this.#responseDone) {
      this.#requestDone = true;
      sink.onRequestReset(error);
    } else {
      this.#headRequest = false;
      this.#responseDone = false;
      this.handler.onBadRequest(error, this);
    }
    if (this.#mode !== "closing") this.#delayedClose();
  }

  // ---- after a response

  #finishResponse(): void {
    this.channel.flush();
    this.#responseDone = true;
    if (!this.#requestDone) {
      // The answer came before the end of the request: HTTP/1 has no other way to stop it than to close.
      this.#delayedClose();
      return;
    }
    if (!this.#beginning) this.#settle();
  }

  #settle(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#sink = undefined;
    if (this.#closeAfter) {
      this.#delayedClose();
      return;
    }
    // Whatever made this request wait is over with it.
    this.channel.resume();
    this.handler.onIdle();
    if (this.#mode !== "http") return;
    const held = this.#held;
    if (!held) return;
    this.#held = undefined;
    // Not in this call: the caller is in the middle of writing a response.
    queueMicrotask(() => {
      if (this.#mode === "http" && !this.channel.closed) this.#consume(held);
    });
  }

  #delayedClose(): void {
    if (this.#mode === "closing") return;
    this.#mode = "closing";
    this.#sink = undefined;
    this.#cancelHead?.();
    this.channel.finish();
    this.channel.resume();
    this.#closeLater(this.channel.unsent);
  }

  /** A client that goes on reading what was written for it gets all of it. */
  #closeLater(unsent: number): void {
    this.#cancelClose = this.options.clock.after(DELAYED_CLOSE_MS, () => {
      const left = this.channel.unsent;
      if (left > 0 && left < unsent) this.#closeLater(left);
      else if (left > 0) this.channel.abort();
      else this.channel.close();
    });
  }
}

/** An incomplete head with a bare LF will never get its end: say so now instead of waiting for the limit. */
function refuseBareLineFeed(bytes: Buffer, start: number): void {
  for (let at = bytes.indexOf(0x0a, start); at >= 0; at = bytes.indexOf(0x0a, at + 1)) {
    if (at === start || bytes[at - 1] !== 0x0d) throw MessageError.malformed("a line ends with a bare LF");
  }
}

/** What hosts, ports and user information are written with (RFC 3986, 3.2). */
const AUTHORITY = /^[-._~%!$&'()*+,;=:@[\]0-9A-Za-z]*$/;

/** HTTP/2 is found by its preface only; an offer to change to it is not passed on. */
function dropUpgrade(head: RequestHead): void {
  head.upgrade = undefined;
  head.headers.remove("http2-settings");
}

/** Splits a request target by its form (RFC 9112, 3.2). Throws MessageError for none of the four. */
function toRequestHead(request: ParsedRequest, allowAbsolute: boolean): RequestHead {
  const { method, target, headers } = request;
  const protocol = request.minorVersion === 1 ? "HTTP/1.1" : "HTTP/1.0";
  let scheme = "";
  let path = target;
  let authority = request.host ?? "";
  let upgrade = request.upgrade?.toLowerCase();
  if (method === "CONNECT") {
    // RFC 9110, 9.3.6: no body; some readers would take it for the first bytes of the tunnel.
    if (request.bodyLength !== 0) throw MessageError.bodyDisallowed();
    path = "";
    authority = target;
    upgrade = "connect";
    if (!/:\d+$/.test(target)) throw MessageError.invalidUrl();
  } else if (target.charCodeAt(0) !== 0x2f) {
    const absolute = allowAbsolute && /^(https?):\/\/([^/?#]+)(.*)$/i.exec(target);
    if (absolute) {
      scheme = (absolute[1] as string).toLowerCase();
      authority = absolute[2] as string;
      const rest = absolute[3] as string;
      path = rest.startsWith("/") ? rest : `/${rest}`;
    } else if (/^[a-z][a-z0-9+.-]*:\/\//i.test(target)) {
      // Where it is not allowed, the target is a path that is none.
      if (allowAbsolute) throw MessageError.invalidScheme();
    } else if (target === "*" ? method !== "OPTIONS" : true)
      throw target === "*" ? MessageError.invalidUrl() : MessageError.malformed("the request target is in no known form");
  }
  if (!AUTHORITY.test(authority)) throw MessageError.invalidAuthority();
  if (request.bodyLength === CHUNKED) headers.remove("transfer-encoding");
  return { method, path, authority, scheme, protocol, headers, upgrade };
}
