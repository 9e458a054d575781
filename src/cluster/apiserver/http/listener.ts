import { randomUUID, type X509Certificate } from "node:crypto";
import http2 from "node:http2";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { ChainmailError, errorText, type Logger } from "../../../base/index.ts";
import type { CertificateIdentity, Credentials } from "../auth/authenticator.ts";
import type { App, Incoming } from "./app.ts";
import { type ApiResponse, MAX_BODY_BYTES, type Sink } from "./exchange.ts";
import { tooLarge } from "./status.ts";

export interface TlsMaterial {
  /** PEM. */
  cert: string;
  key: string;
  /** The CA that signs client certificates. */
  clientCa: string;
}

export interface ListenerParts {
  app: App;
  tls: TlsMaterial;
  log: Logger;
  /** Takes over requests to upgrade (exec, attach, port-forward). */
  upgrade(incoming: Incoming, credentials: Credentials, raw: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
}

export interface Listener {
  /** The port bound; 0 where a descriptor was adopted. */
  port: number;
  close(): Promise<void>;
}

/** Where to listen: an address, or a descriptor that already listens (in another network namespace). */
export type ListenTarget = { host: string; port: number } | { fd: number };

/** Real servers compress lists from this size on; smaller ones cost more than they save. */
const GZIP_THRESHOLD = 128 << 10;
/** As the real server: lists are big and the network is usually near. */
const GZIP_LEVEL = 1;
/** Clients send a few hundred bytes of headers; a token is 2 KB. */
const MAX_HEADER_BYTES = 64 << 10;

/** As the real server's request timeout: a body that takes longer is not coming. */
const BODY_TIMEOUT_MS = 60_000;
/** A pod that opens connections without end must not take the descriptors of the whole cluster. */
const MAX_CONNECTIONS = 4096;

const compress = promisify(gzip);
/** Of HTTP/2 the stream as well: its `socket` is a new face of the same connection at each request. */
type Request = IncomingMessage & { socket: TLSSocket; stream?: { session?: object } };

/**
 * HTTPS with HTTP/2 and 1.1 on one port. Client certificates are asked for and not required: whether one is good is the
 * authenticator's concern. Throws API_PORT_TAKEN.
 */
export async function listen(parts: ListenerParts, target: ListenTarget): Promise<Listener> {
  const { tls, log } = parts;
  const server = http2.createSecureServer({
    allowHTTP1: true,
    cert: tls.cert,
    key: tls.key,
    ca: tls.clientCa,
    requestCert: true,
    rejectUnauthorized: false,
    maxHeaderSize: MAX_HEADER_BYTES,
  } as http2.SecureServerOptions);
  const sockets = new Set<Duplex>();
  server.on("secureConnection", (socket: Duplex) => {
    if (sockets.size >= MAX_CONNECTIONS) {
      log.warn("too many connections to the API server: one is refused", { open: sockets.size });
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", (error) => log.debug("connection failed", { error: errorText(error) }));
  });
  server.on("tlsClientError", (error) => log.debug("TLS handshake failed", { error: errorText(error) }));
  server.on("sessionError", (error) => log.debug("HTTP/2 session failed", { error: errorText(error) }));
  server.on("request", (request, response) => {
    // Bun's and Node's compatibility classes have the members of their HTTP/1 models.
    void serve(parts, request as unknown as Request, response as unknown as ServerResponse);
  });
  server.on("upgrade", (request: Request, socket: Duplex, head: Buffer) => {
    socket.on("error", (error) => log.debug("upgraded connection failed", { error: errorText(error) }));
    const gone = new AbortController();
    socket.on("close", () => gone.abort());
    parts.upgrade(incomingOf(request, gone.signal), credentialsOf(request), request, socket, head).catch((error: unknown) => {
      log.error("upgrade failed", { error: errorText(error) });
      socket.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(error, target)));
    server.listen("fd" in target ? { fd: target.fd } : target, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

async function serve(parts: ListenerParts, request: Request, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  response.on("error", () => gone.abort());
  try {
    const answer = await parts.app.handle(incomingOf(request, gone.signal), credentialsOf(request));
    await send(request, response, answer, gone.signal);
  } catch (error) {
    parts.log.error("response failed", { error: errorText(error) });
    response.destroy();
  }
}

function incomingOf(request: IncomingMessage, signal: AbortSignal): Incoming {
  const { method = "GET", url = "/", headers } = request;
  const at = url.indexOf("?");
  return {
    method,
    path: at < 0 ? url : url.slice(0, at),
    query: new URLSearchParams(at < 0 ? "" : url.slice(at + 1)),
    header(name) {
      const value = headers[name];
      return Array.isArray(value) ? value.join(", ") : value;
    },
    headers: () => Object.entries(headers).flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]])),
    body: once(() => readBody(request)),
    signal,
  };
}

async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > MAX_BODY_BYTES) throw bodyTooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => request.destroy(new Error("the body did not arrive in time")), BODY_TIMEOUT_MS);
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) throw bodyTooLarge();
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timer);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}

function bodyTooLarge(): Error {
  return tooLarge(`Request entity too large: limit is ${MAX_BODY_BYTES}`);
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

const identities = new WeakMap<object, { certificate: CertificateIdentity | undefined }>();

function credentialsOf(request: Request): Credentials {
  const { authorization } = request.headers;
  const certificate = certificateOf(request.socket, request.stream?.session ?? request.socket);
  return { ...(certificate ? { certificate } : {}), ...(authorization ? { authorization } : {}) };
}

/** Parsed once a connection: that takes longer than all the rest of a read. */
function certificateOf(socket: TLSSocket, connection: object): CertificateIdentity | undefined {
  let known = identities.get(connection);
  if (!known) identities.set(connection, (known = { certificate: socket.authorized ? identityOf(socket) : undefined }));
  return known.certificate;
}

function identityOf(socket: TLSSocket): CertificateIdentity | undefined {
  const certificate = socket.getPeerX509Certificate() as X509Certificate | undefined;
  if (!certificate) return undefined;
  const subject = certificate.subject.split("\n");
  const values = (name: string) => subject.filter((line) => line.startsWith(`${name}=`)).map((line) => line.slice(name.length + 1));
  return { commonName: values("CN")[0] ?? "", organizations: values("O"), fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase() };
}

async function send(request: Request, response: ServerResponse, answer: ApiResponse, signal: AbortSignal): Promise<void> {
  const { status, headers = {}, body, stream } = answer;
  if (signal.aborted) return;
  response.statusCode = status;
  response.setHeader("audit-id", request.headers["audit-id"] ?? randomUUID());
  response.setHeader("cache-control", "no-cache, private");
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (stream) {
    response.flushHeaders();
    stream(sinkOf(response), signal);
    return;
  }
  if (body === undefined || request.method === "HEAD" || status === 304) {
    response.end();
    return;
  }
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  if (bytes.length > GZIP_THRESHOLD && /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""))) {
    const packed = await compress(bytes, { level: GZIP_LEVEL });
    response.setHeader("content-encoding", "gzip");
    response.setHeader("vary", "Accept-Encoding");
    response.setHeader("content-length", packed.length);
    response.end(packed);
    return;
  }
  response.setHeader("content-length", bytes.length);
  response.end(bytes);
}

function sinkOf(response: ServerResponse): Sink {
  return {
    write: (chunk) => response.write(chunk),
    onDrain: (callback) => response.once("drain", callback),
    end: () => response.end(),
  };
}

function listenError(error: NodeJS.ErrnoException, target: ListenTarget): Error {
  const where = "fd" in target ? `descriptor ${target.fd}` : `${target.host}:${target.port}`;
  if (error.code === "EADDRINUSE") {
    return new ChainmailError("API_PORT_TAKEN", `the API server cannot listen on ${where}: another program uses the port`, { cause: error, hint: "ss -ltnp" });
  }
  return new ChainmailError("API_LISTEN_FAILED", `the API server cannot listen on ${where}: ${error.message}`, { cause: error });
}
