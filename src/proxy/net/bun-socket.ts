import type { X509Certificate } from "node:crypto";

/**
 * The calls of Bun's sockets that the data plane relies on, some of them undocumented (`upgradeTLS` with `initialData`,
 * `Bun.connect({fd})`). Bun is pinned; `bun-socket.test.ts` tries each, so that an upgrade shows what broke.
 */
export interface BunSocket {
  readonly fd: number;
  data: unknown;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly authorized: boolean;
  readonly alpnProtocol: string | false | null;
  /** Bytes taken; fewer than given when the kernel's buffer is full, -1 when the socket is closed. */
  write(data: Uint8Array, offset?: number, length?: number): number;
  end(): number;
  /** Sends FIN and goes on reading; needs `allowHalfOpen`. */
  shutdown(): void;
  pause(): void;
  resume(): void;
  /** Closes with RST. */
  terminate(): void;
  setKeepAlive(on: boolean, initialDelayMs?: number): boolean;
  upgradeTLS(options: UpgradeOptions): [BunSocket, BunSocket];
  /** Costs 2 us with its `raw`; `getPeerCertificate`, which reads every field, 25. */
  getPeerX509Certificate(): X509Certificate | undefined;
  getTLSVersion(): string;
  getCipher(): { name: string } | undefined;
  isSessionReused(): boolean;
  setSession(session: Buffer): void;
}

export interface SocketEvents {
  readonly binaryType: "buffer";
  open(socket: BunSocket): void;
  data(socket: BunSocket, chunk: Buffer): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket, error?: Error): void;
  error(socket: BunSocket, error: Error): void;
  connectError?(socket: BunSocket, error: Error): void;
  handshake?(socket: BunSocket, success: boolean, error: (Error & { code?: string }) | null): void;
  session?(socket: BunSocket, session: Buffer): void;
}

/** What Bun takes as `secureContext`: the inner `context` of node:tls's SecureContext, made once per certificate. */
export type NativeSecureContext = object;

export interface ServerTlsOptions {
  readonly secureContext: NativeSecureContext;
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
  /** Wire format: each name after its length. */
  readonly ALPNProtocols?: Buffer;
}

export interface ClientTlsOptions {
  readonly secureContext: NativeSecureContext;
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
  readonly ALPNProtocols?: Buffer;
}

interface UpgradeOptions {
  readonly isServer: true;
  /** Bytes already read from the socket: the start of the ClientHello. */
  readonly initialData?: Buffer;
  readonly data?: unknown;
  readonly tls: ServerTlsOptions;
  readonly socket: SocketEvents;
}

export interface BunListener {
  readonly port: number;
  readonly hostname: string;
  readonly fd: number;
  stop(closeActive?: boolean): void;
}

interface BunNet {
  listen(
    options: ({ hostname: string; port: number } | { fd: number }) & {
      allowHalfOpen: boolean;
      reusePort?: boolean;
      socket: SocketEvents;
    },
  ): BunListener;
  connect(options: { fd: number; allowHalfOpen: boolean; data: unknown; tls?: ClientTlsOptions; socket: SocketEvents }): Promise<BunSocket>;
}

/** Bun's listen and connect under the types above, which the published ones lack. */
export const bunNet: BunNet = Bun as unknown as BunNet;

/** ALPN names in the form that TLS and Bun take: a length byte before each. */
export function alpnWire(protocols: readonly string[]): Buffer {
  return Buffer.concat(protocols.map((name) => Buffer.concat([Buffer.from([name.length]), Buffer.from(name, "latin1")])));
}
