import http2 from "node:http2";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { ChainmailError, errorText, type Logger } from "../../../base/index.ts";
import type { Credentials } from "../auth/authenticator.ts";
import type { App, Incoming } from "./app.ts";
import { ClientPresence } from "./client-presence.ts";
import { credentialsOf, type Http1Request, incomingOf, serveHttp1 } from "./http1-exchange.ts";
import { serveHttp2 } from "./http2-exchange.ts";

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

/** Clients send a few hundred bytes of headers; a token is 2 KB. */
const MAX_HEADER_BYTES = 64 << 10;

/** A pod that opens connections without end must not take the descriptors of the whole cluster. */
const MAX_CONNECTIONS = 4096;

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
  server.on("stream", (stream, headers, flags) => void serveHttp2(parts.app, log, stream as http2.ServerHttp2Stream, headers, flags));
  // A listener for requests makes the server wrap each HTTP/2 stream for it too: it must not hear of this one.
  server.removeAllListeners("newListener");
  server.on("request", (request, response) => void serveHttp1(parts.app, log, request as unknown as Http1Request, response as unknown as ServerResponse));
  server.on("upgrade", (request: Http1Request, socket: Duplex, head: Buffer) => {
    socket.on("error", (error) => log.debug("upgraded connection failed", { error: errorText(error) }));
    const presence = new ClientPresence();
    socket.on("close", () => presence.leave());
    parts.upgrade(incomingOf(request, presence), credentialsOf(request), request, socket, head).catch((error: unknown) => {
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

function listenError(error: NodeJS.ErrnoException, target: ListenTarget): Error {
  const where = "fd" in target ? `descriptor ${target.fd}` : `${target.host}:${target.port}`;
  if (error.code === "EADDRINUSE") {
    return new ChainmailError("API_PORT_TAKEN", `the API server cannot listen on ${where}: another program uses the port`, { cause: error, hint: "ss -ltnp" });
  }
  return new ChainmailError("API_LISTEN_FAILED", `the API server cannot listen on ${where}: ${error.message}`, { cause: error });
}
