import { ChainmailError } from "../../base/index.ts";
import type { ByteSink } from "./http2.ts";

export interface DialHandlers {
  data(bytes: Uint8Array): void;
  /** The socket takes bytes again after a short write. */
  drain(): void;
  closed(reason: string): void;
}

/** Makes one connection ready for use: TLS done and verified. Handlers may fire before the promise resolves. */
export type Dial = (handlers: DialHandlers) => Promise<ByteSink>;

export interface TlsDialOptions {
  readonly host: string;
  readonly port: number;
  /** The name that the server's certificate must carry; also the SNI. */
  readonly serverName: string;
  /** Roots, read anew for each connection so that a rotated bundle counts. */
  readonly rootsPem: () => string;
  /** The client's certificate, where one is to be shown. */
  readonly identity?: () => { certificateChainPem: string; privateKeyPem: string } | undefined;
  /** Default: Bun's own connect. The agent marks its sockets. */
  readonly connect?: ConnectFd;
  /** The whole of look-up, connect and handshake. */
  readonly timeoutMs?: number;
}

/** Starts a non-blocking connect to an address and hands over the descriptor. */
export type ConnectFd = (target: { address: string; port: number }) => number;

/** The connection could not be made; the message names the address and the reason. */
export class DialError extends ChainmailError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super("DIAL_FAILED", message, options);
  }
}

/** TLS with ALPN h2. The server is refused unless its chain leads to our roots and its certificate carries the name. */
export function tlsDial(options: TlsDialOptions): Dial {
  return async (handlers) => {
    const where = `${options.host}:${options.port}`;
    const identity = options.identity?.();
    return open(where, { ...(await target(options)) }, handlers, options.timeoutMs ?? DIAL_TIMEOUT_MS, {
      ca: options.rootsPem(),
      serverName: options.serverName,
      ...(identity && { cert: identity.certificateChainPem, key: identity.privateKeyPem }),
    });
  };
}

/** Plain bytes to a Unix socket. */
export function unixDial(path: string): Dial {
  return (handlers) => open(path, { unix: path }, handlers, DIAL_TIMEOUT_MS);
}

/** Plain bytes over TCP. */
export function tcpDial(options: { host: string; port: number; connect?: ConnectFd; timeoutMs?: number }): Dial {
  return async (handlers) => open(`${options.host}:${options.port}`, await target(options), handlers, options.timeoutMs ?? DIAL_TIMEOUT_MS);
}

type Target = { fd: number } | { unix: string } | { hostname: string; port: number };

async function target(options: { host: string; port: number; connect?: ConnectFd }): Promise<Target> {
  if (!options.connect) return { hostname: options.host, port: options.port };
  const address = await resolve(options.host);
  try {
    return { fd: options.connect({ address, port: options.port }) };
  } catch (cause) {
    throw new DialError(`${options.host}:${options.port} (${address}): ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** IPv4 only: pods have no IPv6 until it is captured too. */
async function resolve(host: string): Promise<string> {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return host;
  try {
    const answers = await Bun.dns.lookup(host, { family: 4 });
    const first = answers[0];
    if (first) return first.address;
  } catch (cause) {
    throw new DialError(`${host} could not be resolved: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  throw new DialError(`${host} has no IPv4 address`);
}

interface Tls {
  ca: string;
  serverName: string;
  cert?: string;
  key?: string;
}

async function open(where: string, target: Target, handlers: DialHandlers, timeoutMs: number, tls?: Tls): Promise<ByteSink> {
  const { promise, resolve, reject } = Promise.withResolvers<ByteSink>();
  let ready = false;
  let failed = false;
  let socket: Bun.Socket | undefined;
  let lastError: string | undefined;
  const fail = (reason: string, cause?: unknown): void => {
    failed = true;
    clearTimeout(timer);
    reject(new DialError(`${where}: ${reason}`, { cause }));
    socket?.terminate();
  };
  const timer = setTimeout(() => fail(`no connection within ${timeoutMs} ms`), timeoutMs);
  const succeed = (connected: Bun.Socket): void => {
    if (failed) return;
    ready = true;
    clearTimeout(timer);
    resolve({ write: (bytes) => connected.write(bytes), end: () => void connected.end() });
  };
  const events: Bun.SocketHandler<undefined, "buffer"> = {
    binaryType: "buffer",
    open(opened) {
      socket = opened;
      if (failed) opened.terminate();
      else if (!tls) succeed(opened);
    },
    handshake(connected, _ok, error) {
      // `ok` is true even for peers that were not verified: only `authorized` counts.
      if (error || !connected.authorized) fail(`the server's certificate was not accepted: ${error?.message ?? "not authorized"}`, error);
      else succeed(connected);
    },
    data: (_, bytes) => handlers.data(bytes),
    drain: () => handlers.drain(),
    end(ending) {
      ending.end();
    },
    error(_, error) {
      lastError = error.message;
    },
    connectError(_, error) {
      fail(error.message, error);
    },
    close(_, error) {
      const reason = error?.message ?? lastError ?? "connection closed by the server";
      if (!ready) fail(reason, error);
      else handlers.closed(reason);
    },
  };
  const secure = tls && {
    tls: {
      ca: tls.ca,
      servername: tls.serverName,
      // Untyped in bun-types though documented for node:tls: a Buffer in wire format.
      ALPNProtocols: ALPN_H2,
      rejectUnauthorized: true,
      ...(tls.cert !== undefined && { cert: tls.cert }),
      ...(tls.key !== undefined && { key: tls.key }),
    },
  };
  try {
    const options = { socket: events, ...target, ...secure } as unknown as Bun.TCPSocketConnectOptions<undefined>;
    await Promise.race([Bun.connect(options), promise]);
  } catch (cause) {
    if (!failed) fail(cause instanceof Error ? cause.message : String(cause), cause);
  }
  return promise;
}

/** "h2", length-prefixed. */
const ALPN_H2 = Buffer.from("\x02h2", "latin1");
/** Long enough for a lost SYN and its first retransmissions, short enough that a retry comes while someone still watches. */
const DIAL_TIMEOUT_MS = 10_000;
