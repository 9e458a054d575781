/**
 * portforward is the client of pods' port-forward: SPDY/3.1 inside a WebSocket, as kubectl speaks it since 1.31.
 * One call is one connection to the API server and one connection to the pod's port.
 * The two stream kinds, error and data, are all it knows of SPDY.
 */
import { Duplex } from "node:stream";
import { ChainmailError } from "../../base/index.ts";
import { PODS, resourcePath } from "../gvr.ts";
import type { HttpsTransportOptions } from "../https-transport.ts";
import { dataFrame, pingFrame, SpdyFrameParser, SynStreamEncoder, type SpdyFrame } from "./spdy-frames.ts";
import { openWebSocket } from "./upgrade.ts";
import { BINARY, CLOSE, encodeWebSocketFrame, PING, PONG, WebSocketFrameParser } from "./websocket-frames.ts";

const PROTOCOL = "SPDY/3.1+portforward.k8s.io";
/** A client's streams are odd; error comes first. */
const ERROR_STREAM = 1;
const DATA_STREAM = 3;
/** What Go's copying uses too. */
const MAX_DATA = 32 * 1024;
/** The reason of a reset comes on the other stream, maybe a moment later. */
const REASON_WITHIN_MS = 500;
/** The error stream carries a sentence. */
const MAX_ERROR_TEXT = 8 * 1024;

/**
 * A connection to `port` on the loopback of a pod. Ends and half-closes travel both ways; a port that nobody listens on
 * destroys the stream with PORT_FORWARD_FAILED. Throws ApiError when the API server refuses.
 */
export async function portForward(connection: HttpsTransportOptions, namespace: string, pod: string, port: number): Promise<Duplex> {
  const { socket, head } = await openWebSocket(connection, resourcePath(PODS, namespace, pod, "portforward"), PROTOCOL);
  const stream = new ForwardedPort(socket, port);
  await stream.open(head);
  return stream;
}

class ForwardedPort extends Duplex {
  readonly #frames = new WebSocketFrameParser();
  readonly #spdy = new SpdyFrameParser();
  #errorText = "";
  #opened: () => void = () => {};
  #failed: (error: Error) => void = () => {};

  constructor(
    private readonly socket: Duplex,
    private readonly port: number,
  ) {
    super({ allowHalfOpen: true });
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error: Error) => this.#fail(error));
    socket.on("close", () => this.#fail(new ChainmailError("PORT_FORWARD_LOST", "the API server closed the port-forward")));
  }

  /** Resolves when the server has taken the data stream. */
  open(head: Buffer): Promise<void> {
    const opened = new Promise<void>((resolve, reject) => {
      this.#opened = resolve;
      this.#failed = reject;
    });
    const encoder = new SynStreamEncoder();
    const common = { port: String(this.port), requestid: "0" };
    this.#send(encoder.encode(ERROR_STREAM, { streamtype: "error", ...common }));
    this.#send(dataFrame(ERROR_STREAM, Buffer.alloc(0), true)); // nothing will be written to it
    this.#send(encoder.encode(DATA_STREAM, { streamtype: "data", ...common }));
    if (head.length > 0) this.#receive(head);
    this.socket.resume();
    return opened;
  }

  override _read(): void {
    this.socket.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    let flowing = true;
    for (let at = 0; at < chunk.length; at += MAX_DATA) flowing = this.#send(dataFrame(DATA_STREAM, chunk.subarray(at, at + MAX_DATA), false));
    if (flowing) done();
    else this.socket.once("drain", () => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#send(dataFrame(DATA_STREAM, Buffer.alloc(0), true));
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.socket.destroyed) this.socket.end(encodeWebSocketFrame(CLOSE, Buffer.from([0x03, 0xe8]))); // 1000, normal
    this.#failed(error ?? new ChainmailError("PORT_FORWARD_CLOSED", "the port-forward was closed before it was open"));
    done(error);
  }

  #send(frame: Buffer): boolean {
    return this.socket.destroyed ? true : this.socket.write(encodeWebSocketFrame(BINARY, frame));
  }

  #receive(chunk: Buffer): void {
    try {
      for (const { opcode, payload } of this.#frames.feed(chunk)) {
        if (opcode === PING) this.socket.write(encodeWebSocketFrame(PONG, payload));
        else if (opcode === CLOSE) this.socket.end();
        else if (opcode === BINARY) for (const frame of this.#spdy.feed(payload)) this.#handle(frame);
      }
    } catch (thrown) {
      this.#fail(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  }

  #handle(frame: SpdyFrame): void {
    if (frame.type === "ping") this.#send(pingFrame(frame.id));
    else if (frame.type === "goaway") this.#fail(new ChainmailError("PORT_FORWARD_LOST", "the API server is ending the port-forward"));
    else if (frame.type === "syn_reply") {
      if (frame.streamId === DATA_STREAM) this.#opened();
    } else if (frame.type === "rst_stream") {
      if (frame.streamId === DATA_STREAM) this.#reset();
    } else if (frame.streamId === ERROR_STREAM) this.#handleError(frame.data, frame.fin);
    else if (frame.streamId === DATA_STREAM) {
      if (frame.data.length > 0 && !this.push(frame.data)) this.socket.pause();
      if (frame.fin) this.push(null);
    }
  }

  #reset(): void {
    const timer = setTimeout(() => this.#fail(new ChainmailError("PORT_FORWARD_RESET", `the connection to port ${this.port} was reset`)), REASON_WITHIN_MS);
    this.once("close", () => clearTimeout(timer));
  }

  #handleError(data: Buffer, fin: boolean): void {
    if (this.#errorText.length < MAX_ERROR_TEXT) this.#errorText += data.toString("utf8");
    if (fin && this.#errorText !== "") this.#fail(new ChainmailError("PORT_FORWARD_FAILED", this.#errorText));
  }

  #fail(error: Error): void {
    if (this.destroyed) return;
    // Not at once: whoever has just been given the stream must first have the chance to listen for its errors.
    setImmediate(() => {
      // A connection that has ended both ways needs no reason to close.
      if (this.readableEnded && this.writableFinished) this.destroy();
      else this.destroy(error);
    });
  }
}
