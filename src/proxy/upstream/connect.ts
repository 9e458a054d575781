import { closeFd, connectResult, writeAll } from "../../linux/index.ts";
import { alpnWire, bunNet, type BunSocket, type SocketEvents } from "../net/bun-socket.ts";
import { Channel, isTransportError } from "../net/channel.ts";
import { addressText, type TlsInfo } from "../net/connection-info.ts";
import type { Services } from "../services.ts";
import type { ResetReason } from "../http/codec.ts";
import type { Host } from "./host.ts";
import { isFor } from "./request-name.ts";
import { nameMismatchText, sanMismatchText, tlsFailureText } from "./tls-failure.ts";
import type { TlsTransport, UpstreamTransport } from "./transport.ts";

export interface ConnectRequest {
  readonly host: Host;
  readonly transport: UpstreamTransport;
  /** Instead of the transport's own. */
  readonly alpn: readonly string[] | undefined;
  readonly sni: string | undefined;
  /** The certificate must be for this name or address, whatever else it must be. */
  readonly provenName: string | undefined;
  readonly bindAddress: string | undefined;
  /** For TCP and TLS together, as Envoy counts. */
  readonly timeoutMs: number;
  /** Under this key the host keeps a TLS session for the next connection. */
  readonly sessionKey: string;
  /** Sent before anything else, TLS included. */
  readonly preamble: Buffer | undefined;
}

export interface UpstreamConnected {
  readonly channel: Channel;
  readonly tls: TlsInfo | undefined;
  /** `ip:port` of our end. */
  readonly localText: string;
}

export interface ConnectCallbacks {
  onConnected(connected: UpstreamConnected): void;
  onConnectFailure(reason: ResetReason, detail: string): void;
}

/**
 * Opens a connection to a host: a marked socket, then TLS where the transport says so. The server's chain and names are
 * verified before the channel is handed out: a byte is written only to who proved to be the one that was meant.
 * The returned function gives the attempt up, without a callback.
 */
export function connectUpstream(request: ConnectRequest, services: Services, callbacks: ConnectCallbacks): () => void {
  return new Attempt(request, services, callbacks).start();
}

/** A connect that is not answered at once is asked after so many ms; peers on this machine answer at once. */
const FIRST_POLL_MS = 1;
const MAX_POLL_MS = 16;

class Attempt {
  #state: "connecting" | "adopted" | "done" = "connecting";
  #fd = -1;
  #channel: Channel | undefined;
  #cancelTimer: (() => void) | undefined;
  #cancelPoll: (() => void) | undefined;

  constructor(
    private readonly request: ConnectRequest,
    private readonly services: Services,
    private readonly callbacks: ConnectCallbacks,
  ) {}

  start(): () => void {
    const { request, services } = this;
    try {
      this.#fd = services.sockets.connect(request.host.address, request.bindAddress === undefined ? {} : { bindAddress: request.bindAddress });
    } catch (error) {
      this.#failLater(`immediate connect error: ${errorReason(error)}`);
      return () => this.#abandon();
    }
    this.#poll(FIRST_POLL_MS, true);
    if (this.#state !== "done") this.#cancelTimer = services.clock.after(request.timeoutMs, () => this.#fail("connection_timeout", ""));
    return () => this.#abandon();
  }

  /** Whoever asks for a connection goes on first: with the request's body that came with its head, say. */
  #failLater(detail: string): void {
    queueMicrotask(() => this.#fail("remote_connection_failure", detail));
  }

  #poll(wait: number, first = false): void {
    const result = connectResult(this.#fd, this.request.host.text);
    if (result.state === "connecting") {
      this.#cancelPoll = this.services.clock.after(wait, () => this.#poll(Math.min(wait * 2, MAX_POLL_MS)));
      return;
    }
    if (result.state === "failed") {
      const detail = `delayed connect error: ${errorReason(result.error)}`;
      if (first) this.#failLater(detail);
      else this.#fail("remote_connection_failure", detail);
      return;
    }
    this.#adopt();
  }

  #adopt(): void {
    const { transport, alpn, sni, host, sessionKey, preamble } = this.request;
    if (preamble) {
      try {
        // Some hundred bytes always fit into the buffer of a fresh connection.
        writeAll(this.#fd, preamble);
      } catch (error) {
        this.#fail("remote_connection_failure", `delayed connect error: ${errorReason(error)}`);
        return;
      }
    }
    this.#state = "adopted";
    if (transport.kind === "raw") {
      void bunNet.connect({ fd: this.#fd, allowHalfOpen: true, data: this, socket: RAW_EVENTS }).catch((error: unknown) => this.failed(error));
      return;
    }
    const context = transport.context.current();
    if (!context) {
      this.#state = "connecting";
      this.#fail("remote_connection_failure", "TLS_error:Secret is not supplied by SDS");
      return;
    }
    const protocols = alpn ?? transport.context.alpn;
    const servername = sni ?? transport.sni;
    const tls = {
      secureContext: context.native,
      // Bun checks names against the SNI, which a SPIFFE certificate never matches: `verified` decides.
      rejectUnauthorized: false,
      ...(servername === "" ? {} : { servername }),
      ...(protocols.length === 0 ? {} : { ALPNProtocols: alpnWire(protocols) }),
    };
    this.session = host.sessions.get(sessionKey);
    void bunNet.connect({ fd: this.#fd, allowHalfOpen: true, data: this, tls, socket: TLS_EVENTS }).catch((error: unknown) => this.failed(error));
  }

  session: Buffer | undefined;

  opened(socket: BunSocket): void {
    if (this.#state === "done") {
      socket.terminate();
      return;
    }
    if (this.request.transport.kind === "raw") {
      this.#connected(socket, undefined);
      return;
    }
    this.#channel = new Channel(socket, this.services.onFault);
    if (this.session) socket.setSession(this.session);
  }

  handshaken(socket: BunSocket, success: boolean, error: (Error & { code?: string }) | null): void {
    if (this.#state === "done") return;
    const transport = this.request.transport as TlsTransport;
    const failure = verified(socket, success, error, transport, this.services, this.request.provenName);
    if (typeof failure === "string") {
      this.request.host.sessions.delete(this.request.sessionKey);
      this.#fail("remote_connection_failure", failure);
    } else this.#connected(socket, failure);
  }

  keepSession(ticket: Buffer): void {
    this.request.host.sessions.set(this.request.sessionKey, ticket);
  }

  failed(error: unknown): void {
    if (error instanceof Error && !isTransportError(error)) this.services.onFault(error);
    if (this.#state === "done") return;
    const code = (error as { code?: string } | undefined)?.code;
    const message = error instanceof Error ? error.message : "";
    const detail =
      this.request.transport.kind === "tls" && code !== "ECONNRESET" ? tlsFailureText(code, message) : code === undefined ? "" : errorReason(error);
    this.#fail("remote_connection_failure", detail);
  }

  #connected(socket: BunSocket, tls: TlsInfo | undefined): void {
    this.#state = "done";
    this.#cancelTimer?.();
    const channel = this.#channel ?? new Channel(socket, this.services.onFault);
    socket.data = channel;
    if (tls) channel.onSession = (ticket) => this.keepSession(ticket);
    const localText = addressText({ address: socket.localAddress, port: socket.localPort });
    this.callbacks.onConnected({ channel, tls, localText });
  }

  #fail(reason: ResetReason, detail: string): void {
    if (this.#state === "done") return;
    this.#abandon();
    this.callbacks.onConnectFailure(reason, detail);
  }

  #abandon(): void {
    if (this.#state === "done") return;
    const adopted = this.#state === "adopted";
    this.#state = "done";
    this.#cancelTimer?.();
    this.#cancelPoll?.();
    if (adopted) this.#channel?.socket.terminate();
    else if (this.#fd >= 0) closeFd(this.#fd);
  }
}

/** What TLS says of the server, or why it is refused, in Envoy's words. */
function verified(
  socket: BunSocket,
  success: boolean,
  error: (Error & { code?: string }) | null,
  transport: TlsTransport,
  services: Services,
  provenName: string | undefined,
): TlsInfo | string {
  const { context } = transport;
  const ready = context.current();
  // A chain failure takes precedence over a name mismatch in Bun, so this code means that the chain is good.
  const chainGood = error === null || error === undefined || error.code === "ERR_TLS_CERT_ALTNAME_INVALID";
  // Bun calls a handshake with a foreign name unsuccessful too: only one without any error must not pass for a good one.
  if ((!success && !error) || (ready?.verifies && !chainGood && !context.acceptsUntrusted)) return tlsFailureText(error?.code, error?.message ?? "");
  const der = socket.getPeerX509Certificate()?.raw;
  if (!der) return chainGood ? sanMismatchText([]) : tlsFailureText(error?.code, error?.message ?? "");
  let peer;
  try {
    peer = services.peers.read(der);
  } catch {
    return tlsFailureText("CERT_REJECTED", "");
  }
  if (provenName !== undefined && !isFor(peer, provenName)) return nameMismatchText(provenName, [...peer.uriSans, ...peer.dnsSans, ...peer.ipSans]);
  if (!context.accepts(peer)) return sanMismatchText([...peer.uriSans, ...peer.dnsSans, ...peer.ipSans]);
  return {
    version: socket.getTLSVersion(),
    cipher: socket.getCipher()?.name ?? "",
    alpn: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "",
    resumed: socket.isSessionReused(),
    peer,
    localUriSans: ready?.localUriSans ?? [],
  };
}

/** strerror's words, as Envoy prints them. */
const REASONS: Record<string, string> = {
  ECONNREFUSED: "Connection refused",
  ECONNRESET: "Connection reset by peer",
  ENETUNREACH: "Network is unreachable",
  EHOSTUNREACH: "No route to host",
  ETIMEDOUT: "Connection timed out",
  EADDRNOTAVAIL: "Cannot assign requested address",
  EACCES: "Permission denied",
  EPERM: "Operation not permitted",
  EMFILE: "Too many open files",
};

function errorReason(error: unknown): string {
  const code = (error as { code?: string } | undefined)?.code ?? "";
  return REASONS[code] ?? code;
}

const ownerOf = (socket: BunSocket): Attempt | Channel => socket.data as Attempt | Channel;

const RAW_EVENTS: SocketEvents = {
  binaryType: "buffer",
  open(socket) {
    const owner = ownerOf(socket);
    if (owner instanceof Attempt) owner.opened(socket);
  },
  data(socket, chunk) {
    const owner = ownerOf(socket);
    if (owner instanceof Channel) owner.socketData(chunk);
  },
  drain(socket) {
    const owner = ownerOf(socket);
    if (owner instanceof Channel) owner.socketDrained();
  },
  end(socket) {
    const owner = ownerOf(socket);
    if (owner instanceof Channel) owner.socketEnded();
    else {
      owner.failed(undefined);
      socket.end();
    }
  },
  close(socket, error) {
    const owner = ownerOf(socket);
    if (owner instanceof Channel) owner.socketClosed(error);
    else owner.failed(error);
  },
  error(socket, error) {
    const owner = ownerOf(socket);
    if (owner instanceof Channel) owner.socketFailed(error);
    else owner.failed(error);
  },
  connectError(socket, error) {
    const owner = ownerOf(socket);
    if (owner instanceof Attempt) owner.failed(error);
  },
};

const TLS_EVENTS: SocketEvents = {
  ...RAW_EVENTS,
  handshake(socket, success, error) {
    const owner = ownerOf(socket);
    if (owner instanceof Attempt) owner.handshaken(socket, success, error);
  },
  session(socket, ticket) {
    const owner = ownerOf(socket);
    if (owner instanceof Attempt) owner.keepSession(ticket);
    else owner.onSession?.(ticket);
  },
};
