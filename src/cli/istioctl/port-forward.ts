import { connect as connectTcp, isIP } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { ChainmailError } from "../../base/index.ts";
import { encodeFrame, FrameParser, type Frame } from "../../cluster/streams/spdy/frames.ts";
import { HeaderEncoder } from "../../cluster/streams/spdy/headers.ts";
import { bearerToken, type HttpsTransportOptions } from "../../kube/https-transport.ts";
import type { PodRef } from "./kube-access.ts";

/** Protocol of the streams inside the SPDY session. */
const STREAM_PROTOCOL = "portforward.k8s.io";
/** What Go's io.Copy writes at once. */
const MAX_DATA = 32 * 1024;
/** A refusal is a Status of a few hundred bytes. */
const MAX_REFUSAL = 64 * 1024;
const ERROR_STREAM = 1;
const DATA_STREAM = 3;

/**
 * A connection to a port of a pod through the API server, by SPDY: every server speaks it, and the WebSocket that could
 * carry it has a subprotocol name that Bun's WebSocket refuses. One session a connection: simpler than sharing, and its end
 * is the connection's end. Rejects when the server refuses; a port where nobody listens ends the stream with the reason.
 */
export async function portForward(target: HttpsTransportOptions, pod: PodRef, port: number): Promise<Duplex> {
  const path = `/api/v1/namespaces/${encodeURIComponent(pod.namespace)}/pods/${encodeURIComponent(pod.name)}/portforward?timeout=15s`;
  const { socket, rest } = await upgrade(target, path);
  const tunnel = new TunnelStream(socket, port);
  tunnel.begin();
  if (rest.length > 0) tunnel.receive(rest);
  return tunnel;
}

/** Asks for the upgrade and resolves with the raw connection and the bytes that came after the answer. */
function upgrade(target: HttpsTransportOptions, path: string): Promise<{ socket: Duplex; rest: Buffer }> {
  const url = new URL(target.server);
  const secure = url.protocol === "https:";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port) || (secure ? 443 : 80);
  const serverName = target.serverName ?? (isIP(host) ? undefined : host);
  const { promise, resolve, reject } = Promise.withResolvers<{ socket: Duplex; rest: Buffer }>();
  const socket = secure
    ? connectTls({
        host,
        port,
        ALPNProtocols: ["http/1.1"],
        rejectUnauthorized: target.insecureSkipTlsVerify !== true,
        ...(serverName && { servername: serverName }),
        ...(target.ca && { ca: target.ca }),
        ...(target.clientCert && { cert: target.clientCert }),
        ...(target.clientKey && { key: target.clientKey }),
      })
    : connectTcp({ host, port });
  const token = bearerToken(target)();
  const lines = [
    `POST ${path} HTTP/1.1`,
    `Host: ${url.host}`,
    "User-Agent: istioctl",
    "Connection: Upgrade",
    "Upgrade: SPDY/3.1",
    `X-Stream-Protocol-Version: ${STREAM_PROTOCOL}`,
    "Content-Length: 0",
    ...(token ? [`Authorization: Bearer ${token}`] : []),
  ];
  let received: Buffer = Buffer.alloc(0);
  const refuse = (reason: string, cause?: unknown): void => {
    reject(new ChainmailError("PORT_FORWARD_REFUSED", `error upgrading connection: ${reason}`, { cause }));
    socket.destroy();
  };
  const refused = (): void => refuse(refusal(received));
  const onData = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk]);
    const end = received.indexOf("\r\n\r\n");
    if (end < 0) return received.length > MAX_REFUSAL ? refused() : undefined;
    if (!received.toString("latin1", 0, 13).startsWith("HTTP/1.1 101 ")) {
      if (received.length > MAX_REFUSAL) refused();
      return;
    }
    socket.off("data", onData);
    socket.off("end", refused);
    resolve({ socket, rest: received.subarray(end + 4) });
  };
  socket.once(secure ? "secureConnect" : "connect", () => socket.write(`${lines.join("\r\n")}\r\n\r\n`));
  socket.on("data", onData);
  socket.once("end", refused);
  socket.on("error", (error: Error) => refuse(error.message, error));
  return promise;
}

/** The message of a Status, or the status line. */
function refusal(answer: Buffer): string {
  const text = answer.toString("utf8");
  const message = /"message" *: *"((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
  return message ?? (text.split("\r\n")[0] || "the API server closed the connection");
}

/** The data stream of one forwarded connection; what comes on its error stream is the reason of its end. */
class TunnelStream extends Duplex {
  readonly #parser = new FrameParser();
  readonly #encoder = new HeaderEncoder();
  #problem = "";

  constructor(
    private readonly socket: Duplex,
    private readonly port: number,
  ) {
    super({ allowHalfOpen: true });
    socket.on("data", (chunk: Buffer) => this.receive(chunk));
    socket.on("end", () => this.ended());
    socket.on("close", () => this.ended());
    socket.on("error", () => this.ended());
  }

  begin(): void {
    const headers = { port: String(this.port), requestid: "0" };
    this.#send({ type: "syn_stream", streamId: ERROR_STREAM, fin: true, unidirectional: false, block: this.#encoder.encode({ streamtype: "error", ...headers }) });
    this.#send({ type: "syn_stream", streamId: DATA_STREAM, fin: false, unidirectional: false, block: this.#encoder.encode({ streamtype: "data", ...headers }) });
  }

  receive(bytes: Uint8Array): void {
    let frames: Frame[];
    try {
      frames = this.#parser.feed(bytes);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    for (const frame of frames) this.#handle(frame);
  }

  ended(): void {
    if (this.#problem) this.destroy(new ChainmailError("PORT_FORWARD_FAILED", this.#problem.trim()));
    else if (!this.readableEnded) this.push(null);
  }

  #handle(frame: Frame): void {
    if (frame.type === "ping") return void this.#send(frame);
    if (frame.type === "goaway") return this.ended();
    if (!("streamId" in frame)) return;
    if (frame.streamId === ERROR_STREAM) {
      if (frame.type === "data") this.#problem += frame.data.toString("utf8");
      if (this.#problem && (frame.type === "rst_stream" || ("fin" in frame && frame.fin))) this.ended();
      return;
    }
    // The other side knows no windows, so it is the connection that waits for a slow reader.
    if (frame.type === "data" && frame.data.length > 0 && !this.push(frame.data)) this.socket.pause();
    if (frame.type === "rst_stream" || ("fin" in frame && frame.fin)) this.ended();
  }

  override _read(): void {
    this.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    let flowing = true;
    for (let at = 0; at < chunk.length; at += MAX_DATA) flowing = this.#send({ type: "data", streamId: DATA_STREAM, fin: false, data: chunk.subarray(at, at + MAX_DATA) });
    if (flowing) done();
    else this.socket.once("drain", () => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#send({ type: "data", streamId: DATA_STREAM, fin: true, data: Buffer.alloc(0) });
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.socket.destroy();
    done(error);
  }

  /** False when the connection asks to wait. */
  #send(frame: Frame): boolean {
    return this.socket.destroyed || this.socket.write(encodeFrame(frame));
  }
}
