import type { HeaderMap } from "../http/header-map.ts";
import type { Channel, ChannelHandler } from "../net/channel.ts";
import { validTrailers } from "./fields.ts";
import { ConnectionError, DEFAULT_WINDOW, ErrorCode, Flag, Frame, FRAME_HEADER, MAX_FRAME, MAX_WINDOW, PREFACE, Setting, unpad } from "./frames.ts";
import { FloodGuard } from "./flood-guard.ts";
import { Http2Stats } from "./http2-stats.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { FrameWriter } from "./frame-writer.ts";
import type { SessionOptions, StallLimits } from "./options.ts";
import { SendFlow } from "./send-flow.ts";
import { SessionStream, type SessionOwner, type StreamHandler } from "./session-stream.ts";

/** A header block of the allowed size needs so few CONTINUATION frames; more are a flood (CVE-2024-27316). As nghttp2. */
const MIN_CONTINUATIONS = 8;
/** There are six settings; nghttp2 takes no more than so many in one frame, each of which costs a walk over the streams. */
const MAX_SETTINGS = 32;

/** For connections that nobody counts. */
const UNSEEN = new Http2Stats("http2");

/** One HTTP/2 connection (RFC 9113), either side: framing, HPACK, both flow controls, limits against floods. */
export class Session implements ChannelHandler {
  readonly streams = new Map<number, SessionStream>();
  readonly writer: FrameWriter;
  peerMaxStreams = Number.POSITIVE_INFINITY;
  goingAway = false;
  closed = false;
  /** It ended because the peer's frames were wrong. */
  broken = false;
  readonly #decoder = new HpackDecoder();
  readonly #server: boolean;
  #prefaceDue: boolean;
  #settingsDue = true;
  #held: Buffer | undefined;
  #block: { stream: number; endStream: boolean; parts: Buffer[]; size: number; since: number } | undefined;
  readonly #flow: SendFlow;
  readonly #floods: FloodGuard;
  readonly #stats: Http2Stats;
  #receiveWindow: number;
  #unacknowledged = 0;
  #lastPeerId = 0;
  #nextId = 1;

  constructor(
    readonly channel: Channel,
    role: "server" | "client",
    private readonly owner: SessionOwner,
    private readonly options: SessionOptions,
  ) {
    this.#server = role === "server";
    this.#prefaceDue = this.#server;
    this.#receiveWindow = Math.max(options.connectionWindow, DEFAULT_WINDOW);
    this.#stats = options.stats ?? UNSEEN;
    this.writer = new FrameWriter(channel, this.#stats);
    this.#flow = new SendFlow(channel, this.writer, (stream) => this.#localEnd(stream));
    this.#floods = new FloodGuard(options.floods, this.writer, this.#stats);
    channel.handler = this;
    if (!this.#server) this.writer.raw(PREFACE);
    this.writer.settings([
      ...(this.#server ? [[Setting.MAX_CONCURRENT_STREAMS, options.maxConcurrentStreams] as const] : [[Setting.ENABLE_PUSH, 0] as const]),
      ...(this.#server && options.allowConnect ? [[Setting.ENABLE_CONNECT_PROTOCOL, 1] as const] : []),
      [Setting.INITIAL_WINDOW_SIZE, options.streamWindow],
      [Setting.MAX_HEADER_LIST_SIZE, options.maxHeaderBytes],
    ]);
    if (this.#receiveWindow > DEFAULT_WINDOW) this.writer.windowUpdate(0, this.#receiveWindow - DEFAULT_WINDOW);
  }

  get lastPeerId(): number {
    return this.#lastPeerId;
  }

  // ---- sending

  /** Client: a new stream; its fields follow by `sendFields`. */
  open(handler: StreamHandler): SessionStream {
    const stream = new SessionStream(this.#nextId, this.#flow.initialWindow, this.options.streamWindow);
    this.#nextId += 2;
    this.#floods.opened++;
    stream.handler = handler;
    this.streams.set(stream.id, stream);
    return stream;
  }

  /** `first` are pseudo-header fields. Returns the block's size. */
  sendFields(stream: SessionStream, first: readonly (readonly [string, string])[], headers: HeaderMap, endStream: boolean): number {
    const size = this.writer.fields(stream.id, first, headers, endStream);
    if (endStream) this.#localEnd(stream);
    return size;
  }

  /** False when the source should wait for `onWritable`. */
  sendBody(stream: SessionStream, bytes: Uint8Array, start: number, end: number): boolean {
    return this.#flow.send(stream, bytes, start, end);
  }

  sendEnd(stream: SessionStream, trailers: HeaderMap | undefined): void {
    this.#flow.end(stream, trailers);
  }

  /** Ends a stream in both directions. */
  reset(stream: SessionStream, code: number): void {
    if (!this.streams.has(stream.id)) return;
    this.writer.reset(stream.id, code);
    this.#remove(stream);
  }

  /** Ends a stream that the peer knows nothing of, or has ended already; its handler is told. */
  drop(stream: SessionStream, code: number): void {
    this.#remove(stream);
    stream.handler?.onReset(code);
  }

  /** The stream's data are not read for a while: its window is not given back. */
  pause(stream: SessionStream): void {
    stream.paused = true;
  }

  resume(stream: SessionStream): void {
    if (!stream.paused) return;
    stream.paused = false;
    this.#acknowledge(stream);
  }

  goaway(code: number, lastId = this.#lastPeerId): void {
    this.goingAway = true;
    this.writer.goaway(lastId, code);
  }

  /** Ends what has waited for the peer for longer than allowed, in monotonic milliseconds. */
  endStalled(now: number, { headTimeoutMs = Infinity, flushTimeoutMs = Infinity }: StallLimits): void {
    for (const stream of this.#flow.stalled(now, flushTimeoutMs)) this.reset(stream, ErrorCode.INTERNAL_ERROR);
    const block = this.#block;
    if (!block) return;
    if (block.since === 0) block.since = now;
    else if (now - block.since > headTimeoutMs) this.#fail(new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "a header block without an end"));
  }

  /** Closes after what is under way has been sent. */
  close(): void {
    this.writer.flush();
    this.channel.close();
  }

  // ---- from the channel

  onData(chunk: Buffer): boolean {
    let bytes = chunk;
    if (this.#held) {
      bytes = Buffer.concat([this.#held, chunk]);
      this.#held = undefined;
    }
    try {
      const at = this.#frames(bytes);
      if (at < bytes.length) this.#held = at === 0 ? bytes : bytes.subarray(at);
      this.owner.onBatchEnd?.();
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.broken = true;
      this.#fail(error);
    }
    return false;
  }

  onEnd(): void {
    this.channel.abort();
  }

  onDrain(): void {
    this.writer.drained();
    this.#flow.pumpAll();
  }

  onClose(error: Error | undefined): void {
    this.closed = true;
    const streams = [...this.streams.values()];
    this.streams.clear();
    this.#flow.clear();
    for (const stream of streams) stream.handler?.onReset(-1);
    this.owner.onSessionClosed(error);
  }

  // ---- frames

  #frames(bytes: Buffer): number {
    let at = 0;
    if (this.#prefaceDue) {
      const have = Math.min(bytes.length, PREFACE.length);
      if (!bytes.subarray(0, have).equals(PREFACE.subarray(0, have))) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "not HTTP/2's preface");
      if (have < PREFACE.length) return 0;
      this.#prefaceDue = false;
      at = PREFACE.length;
    }
    while (bytes.length - at >= FRAME_HEADER && !this.closed) {
      const length = bytes.readUIntBE(at, 3);
      const type = bytes[at + 3] as number;
      if (length > MAX_FRAME) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "a frame above the limit");
      const end = at + FRAME_HEADER + length;
      if (end > bytes.length) break;
      this.#frame(type, bytes[at + 4] as number, bytes.readUInt32BE(at + 5) & 0x7fffffff, bytes, at + FRAME_HEADER, end);
      at = end;
    }
    return at;
  }

  #frame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (this.channel.congested) this.#floods.outbound();
    if (this.#settingsDue && (type !== Frame.SETTINGS || flags & Flag.ACK))
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS");
    if (this.#block && (type !== Frame.CONTINUATION || id !== this.#block.stream))
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "a header block is interrupted");
    switch (type) {
      case Frame.DATA:
        this.#onData(flags, id, bytes, start, end);
        break;
      case Frame.HEADERS:
        this.#onHeaders(flags, id, bytes, start, end);
        break;
      case Frame.PRIORITY:
        this.#onPriority(id, bytes, start, end);
        break;
      case Frame.RST_STREAM:
        this.#onReset(id, bytes, start, end);
        break;
      case Frame.SETTINGS:
        this.#onSettings(flags, id, bytes, start, end);
        break;
      case Frame.PUSH_PROMISE:
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "a push that nobody allowed");
      case Frame.PING:
        if (id !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "PING on a stream");
        if (end - start !== 8) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "PING of another size");
        if (!(flags & Flag.ACK)) this.writer.pingAck(bytes, start);
        break;
      case Frame.GOAWAY:
        if (id !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream");
        if (end - start < 8) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "a short GOAWAY");
        this.goingAway = true;
        this.owner.onGoaway?.(bytes.readUInt32BE(start) & 0x7fffffff, bytes.readUInt32BE(start + 4));
        break;
      case Frame.WINDOW_UPDATE:
        this.#onWindowUpdate(id, bytes, start, end);
        break;
      case Frame.CONTINUATION:
        this.#onContinuation(flags, id, bytes, start, end);
        break;
      // RFC 9113, 4.1: frames of unknown types are ignored.
    }
  }

  #onData(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "DATA without a stream");
    const size = to - from;
    this.#receiveWindow -= size;
    if (this.#receiveWindow < 0) throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "more than the connection's window");
    this.#unacknowledged += size;
    if (this.#unacknowledged >= this.options.connectionWindow / 2) {
      this.writer.windowUpdate(0, this.#unacknowledged);
      this.#receiveWindow += this.#unacknowledged;
      this.#unacknowledged = 0;
    }
    const [start, end] = unpad(flags, bytes, from, to);
    const stream = this.streams.get(id);
    if (!stream) {
      if (this.#isIdle(id)) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "DATA on an idle stream");
      // Of a stream that we have reset: its frames may still be on the way.
      this.#closedStream(id);
      return;
    }
    if (stream.remoteEnded || !stream.headersSeen) return this.#streamError(stream, stream.remoteEnded ? ErrorCode.STREAM_CLOSED : ErrorCode.PROTOCOL_ERROR);
    stream.receiveWindow -= size;
    if (stream.receiveWindow < 0) {
      this.#streamError(stream, ErrorCode.FLOW_CONTROL_ERROR);
      return;
    }
    stream.unacknowledged += size;
    stream.received += end - start;
    const endStream = (flags & Flag.END_STREAM) !== 0;
    this.#floods.payload(start === end && !endStream);
    if (stream.expected >= 0 && (stream.received > stream.expected || (endStream && stream.received !== stream.expected))) {
      this.#streamError(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    if (end > start) stream.handler?.onBody(bytes, start, end);
    if (!stream.paused) this.#acknowledge(stream);
    if (endStream) this.#remoteEnd(stream, undefined);
  }

  #onHeaders(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "HEADERS without a stream");
    let [start, end] = unpad(flags, bytes, from, to);
    let selfDependent = false;
    if (flags & Flag.PRIORITY) {
      if (end - start < 5) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short for its priority");
      selfDependent = (bytes.readUInt32BE(start) & 0x7fffffff) === id;
      start += 5;
    }
    const endStream = (flags & Flag.END_STREAM) !== 0;
    this.#floods.payload(start === end && !endStream);
    if (!(flags & Flag.END_HEADERS)) {
      this.#block = { stream: id, endStream, parts: [bytes.subarray(start, end)], size: end - start, since: 0 };
      return;
    }
    this.#fields(id, bytes, start, end, endStream, selfDependent);
  }

  #onContinuation(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const block = this.#block;
    if (!block) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of nothing");
    block.parts.push(bytes.subarray(start, end));
    block.size += end - start;
    this.#floods.payload(start === end);
    // Compressed fields above the limit for plain ones: nobody needs that, and a flood of CONTINUATION does.
    const { maxHeaderBytes } = this.options;
    if (block.size > maxHeaderBytes || block.parts.length > Math.max(MIN_CONTINUATIONS, (2 * maxHeaderBytes) / MAX_FRAME))
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "an endless header block");
    if (!(flags & Flag.END_HEADERS)) return;
    this.#block = undefined;
    const whole = Buffer.concat(block.parts);
    this.#fields(id, whole, 0, whole.length, block.endStream, false);
  }

  #fields(id: number, bytes: Buffer, start: number, end: number, endStream: boolean, selfDependent: boolean): void {
    const headers = this.#decoder.decode(bytes, start, end, this.options.maxHeaderBytes, this.options.maxHeaders);
    let stream = this.streams.get(id);
    if (!stream) {
      if (!this.#server) {
        if (this.#isIdle(id)) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "HEADERS on an idle stream");
        return;
      }
      if (id % 2 === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "an even stream from a client");
      if (id <= this.#lastPeerId) throw new ConnectionError(ErrorCode.STREAM_CLOSED, "HEADERS on a closed stream");
      this.#lastPeerId = id;
      this.#floods.opened++;
      stream = new SessionStream(id, this.#flow.initialWindow, this.options.streamWindow);
      if (this.goingAway || this.streams.size >= this.options.maxConcurrentStreams) {
        this.writer.reset(id, ErrorCode.REFUSED_STREAM);
        return;
      }
      this.streams.set(id, stream);
      stream.handler = this.owner.onStream?.(stream);
    } else if (stream.remoteEnded) {
      this.#streamError(stream, ErrorCode.STREAM_CLOSED);
      return;
    }
    if (selfDependent || !headers) {
      // As Envoy: fields beyond the limits end their stream, not the connection.
      this.#streamError(stream, headers ? ErrorCode.PROTOCOL_ERROR : ErrorCode.INTERNAL_ERROR);
      return;
    }
    const trailers = stream.headersSeen;
    if (trailers) {
      if (!endStream || !validTrailers(headers) || (stream.expected >= 0 && stream.received !== stream.expected)) {
        this.#streamError(stream, ErrorCode.PROTOCOL_ERROR);
        return;
      }
      this.#remoteEnd(stream, headers);
      return;
    }
    const informational = !this.#server && headers.names[0] === ":status" && (headers.values[0] as string).startsWith("1");
    if (!informational) stream.headersSeen = true;
    else if (endStream) {
      this.#streamError(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    if (endStream) stream.remoteEnded = true;
    stream.handler?.onFields(headers, endStream, end - start);
    if (endStream) this.#maybeRemove(stream);
  }

  #onPriority(id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "PRIORITY without a stream");
    const wrongSize = end - start !== 5;
    if (!wrongSize && (bytes.readUInt32BE(start) & 0x7fffffff) !== id) {
      this.#floods.priority();
      return;
    }
    const stream = this.streams.get(id);
    const code = wrongSize ? ErrorCode.FRAME_SIZE_ERROR : ErrorCode.PROTOCOL_ERROR;
    if (stream) this.#streamError(stream, code);
    else throw new ConnectionError(code, "a bad PRIORITY");
  }

  #onReset(id: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM of another size");
    if (id === 0 || this.#isIdle(id)) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "RST_STREAM of no stream");
    const stream = this.streams.get(id);
    if (!stream) return;
    this.#stats.rx_reset++;
    if (this.owner.isAbuse?.(stream)) throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "too many streams are reset as soon as they are opened");
    this.drop(stream, bytes.readUInt32BE(start));
  }

  #onSettings(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream");
    if (flags & Flag.ACK) {
      if (end !== start) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "an acknowledgement with settings");
      return;
    }
    if ((end - start) % 6 !== 0) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS of another size");
    if (end - start > MAX_SETTINGS * 6) throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "too many settings in one frame");
    for (let at = start; at < end; at += 6) this.#applySetting(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2));
    this.#settingsDue = false;
    this.writer.settingsAck();
    this.owner.onSettings?.();
    this.#flow.pumpAll();
  }

  #applySetting(name: number, value: number): void {
    switch (name) {
      case Setting.ENABLE_PUSH:
        if (value > 1) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "ENABLE_PUSH is neither 0 nor 1");
        break;
      case Setting.MAX_CONCURRENT_STREAMS:
        this.peerMaxStreams = value;
        break;
      case Setting.INITIAL_WINDOW_SIZE:
        this.#flow.changeInitialWindow(value, this.streams.values());
        break;
      case Setting.MAX_FRAME_SIZE:
        if (value < MAX_FRAME || value > 0xffffff) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "MAX_FRAME_SIZE out of range");
        break;
    }
  }

  #onWindowUpdate(id: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE of another size");
    this.#floods.windowUpdate();
    const increment = bytes.readUInt32BE(start) & 0x7fffffff;
    if (id === 0) {
      if (increment === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "a window update of nothing");
      this.#flow.widen(increment);
      return;
    }
    const stream = this.streams.get(id);
    if (!stream) {
      if (this.#isIdle(id)) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream");
      return;
    }
    if (increment === 0) {
      this.#streamError(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    stream.sendWindow += increment;
    if (stream.sendWindow > MAX_WINDOW) this.#streamError(stream, ErrorCode.FLOW_CONTROL_ERROR);
    else this.#flow.pump(stream);
  }

  // ---- flow and ends

  #acknowledge(stream: SessionStream): void {
    if (stream.unacknowledged < this.options.streamWindow / 2 || stream.remoteEnded) return;
    this.writer.windowUpdate(stream.id, stream.unacknowledged);
    stream.receiveWindow += stream.unacknowledged;
    stream.unacknowledged = 0;
  }

  #remoteEnd(stream: SessionStream, trailers: HeaderMap | undefined): void {
    stream.remoteEnded = true;
    stream.handler?.onEnd(trailers);
    this.#maybeRemove(stream);
  }

  #localEnd(stream: SessionStream): void {
    stream.localEnded = true;
    this.#maybeRemove(stream);
  }

  #maybeRemove(stream: SessionStream): void {
    if (stream.localEnded && stream.remoteEnded) this.#remove(stream);
  }

  #remove(stream: SessionStream): void {
    this.#flow.forget(stream);
    if (this.streams.delete(stream.id)) this.owner.onStreamGone();
  }

  #streamError(stream: SessionStream, code: number): void {
    this.writer.reset(stream.id, code);
    this.drop(stream, code);
  }

  #closedStream(id: number): void {
    if (this.#server && id > this.#lastPeerId) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "DATA on an idle stream");
    this.writer.reset(id, ErrorCode.STREAM_CLOSED);
  }

  #isIdle(id: number): boolean {
    if (this.#server) return id % 2 === 0 || id > this.#lastPeerId;
    return id % 2 === 0 || id >= this.#nextId;
  }

  #fail(error: ConnectionError): void {
    this.goaway(error.code);
    this.writer.flush();
    this.channel.finish();
    // What is still to come is not worth reading.
    this.closed = true;
    this.channel.abort();
  }
}
