import { alpnWire, type BunSocket, type SocketEvents } from "../net/bun-socket.ts";
import { Channel, isTransportError } from "../net/channel.ts";
import { ConnectionInfo } from "../net/connection-info.ts";
import type { RefusalReason } from "../telemetry/refused-connections.ts";
import { readClientHello } from "../tls/client-hello.ts";
import { identityFor } from "../tls/contexts.ts";
import type { Services } from "../services.ts";
import type { Chain } from "./chain.ts";
import { inspectHttp } from "./http-inspector.ts";
import type { ListenerConfig } from "./listener-config.ts";
import { readProxyHeader, startsAsProxyHeader } from "./proxy-protocol.ts";

/** What a freshly accepted connection needs of its listener. */
export interface AcceptTarget {
  /** As it is now: an update counts for connections that are still being looked at. */
  readonly config: ListenerConfig;
  readonly services: Services;
  /** The connection that this one took in has its filters, or has ended before. */
  onSettled(accepted: boolean): void;
  /** The listener of an original destination, or this one. */
  route(connection: ConnectionInfo): AcceptTarget;
  /** A chain was found and its transport is up: `first` are bytes that have been read. */
  onAccepted(connection: ConnectionInfo, chain: Chain, channel: Channel, first: Buffer | undefined): void;
  onRefused(connection: ConnectionInfo, reason: RefusalReason, info: { startMono: number; startTime: number }): void;
}

/** A connection between accept and its filters: sniffing, choice of a chain, TLS handshake. */
export class Acceptance {
  readonly connection: ConnectionInfo;
  #target: AcceptTarget;
  #held: Buffer | undefined;
  #state: "sniffing" | "handshake" | "done" = "sniffing";
  #chain: Chain | undefined;
  #cancelTimer: (() => void) | undefined;
  #proxyHeaderDone = false;
  #localUriSans: readonly string[] = [];
  readonly #startMono: number;
  readonly #startTime: number;

  constructor(
    private socket: BunSocket,
    private readonly origin: AcceptTarget,
  ) {
    const target = origin;
    const { services, config } = target;
    this.#startMono = services.monotonic();
    this.#startTime = services.wall(this.#startMono);
    this.connection = new ConnectionInfo(
      { address: unmapped(socket.localAddress), port: socket.localPort },
      { address: unmapped(socket.remoteAddress), port: socket.remotePort },
    );
    this.#target = target;
    if (config.useOriginalDst || config.restoreOriginalDst) {
      const original = services.sockets.originalDestination(socket.fd);
      if (original) this.connection.restoreDestination(original);
      if (config.useOriginalDst && original) this.#target = target.route(this.connection);
    }
    socket.data = this;
    this.#begin();
  }

  onData(chunk: Buffer): void {
    if (this.#state !== "sniffing") return;
    this.#held = this.#held ? Buffer.concat([this.#held, chunk]) : chunk;
    if (this.#chain) this.#awaitHello(this.#chain);
    else this.#sniff();
  }

  /** The client has sent FIN, or is gone, before there was a chain. */
  onGone(): void {
    if (this.#chain) this.#refuse("tls_handshake_failed");
    else this.#finish();
  }

  /** An exception of ours while the connection was being looked at. */
  onFault(error: Error): void {
    this.#target.services.onFault(error);
    this.#finish();
    this.socket.terminate();
  }

  onHandshake(success: boolean, error: (Error & { code?: string }) | null): void {
    if (this.#state !== "handshake") return;
    const chain = this.#chain as Chain;
    const reason = success ? this.#verify(chain, error) : "tls_handshake_failed";
    if (reason) {
      this.#refuse(reason);
      this.socket.end();
      return;
    }
    this.#accepted(chain, undefined);
  }

  #begin(): void {
    const { config, services } = this.#target;
    const { port } = this.connection.local;
    const waits = config.proxyProtocol?.(port) || config.inspectTls?.(port) || config.inspectHttp?.(port);
    if (!waits) {
      this.#choose();
      return;
    }
    if (config.sniffTimeoutMs !== undefined) {
      this.#cancelTimer = services.clock.after(config.sniffTimeoutMs, () => {
        // A server-first protocol says nothing: without a first byte it is opaque TCP.
        if (config.continueOnTimeout) this.#choose();
        else {
          this.#finish();
          this.socket.end();
        }
      });
    }
  }

  #sniff(): void {
    const { config } = this.#target;
    const { connection } = this;
    let bytes = this.#held as Buffer;
    const { port } = connection.local;
    if (!this.#proxyHeaderDone && config.proxyProtocol?.(port)) {
      const header = readProxyHeader(bytes);
      if (header.kind === "incomplete") return;
      if (header.kind === "invalid" && !(config.proxyHeaderOptional && !startsAsProxyHeader(bytes))) {
        this.#refuse("proxy_header_invalid");
        this.socket.terminate();
        return;
      }
      this.#proxyHeaderDone = true;
      if (header.kind !== "invalid") {
        bytes = bytes.subarray(header.length);
        this.#held = bytes;
      }
      if (header.kind !== "invalid" && header.source && header.destination) connection.restoreProxied(header.source, header.destination);
    }
    if (config.inspectTls?.(port)) {
      if (bytes.length === 0) return;
      const result = readClientHello(bytes);
      if (result.kind === "incomplete") return;
      if (result.kind === "hello") {
        connection.transportProtocol = "tls";
        connection.serverName = result.hello.serverName;
        connection.applicationProtocols = result.hello.alpn;
      }
    }
    if (connection.transportProtocol === "raw_buffer" && config.inspectHttp?.(port)) {
      const result = inspectHttp(bytes);
      if (result.kind === "incomplete") return;
      if (result.kind === "http") connection.applicationProtocols = [result.protocol];
    }
    this.#choose();
  }

  #choose(): void {
    this.#cancelTimer?.();
    const { config } = this.#target;
    const chain = config.choose(this.connection);
    if (!chain) {
      this.#refuse("filter_chain_not_found");
      // With bytes unread by anybody a kernel would reset; a silent client sees a plain end.
      if (this.#held && this.#held.length > 0) this.socket.terminate();
      else this.socket.end();
      return;
    }
    this.#chain = chain;
    this.connection.chainName = chain.name;
    if (!chain.tls) {
      this.#accepted(chain, this.#held);
      return;
    }
    if (chain.handshakeTimeoutMs !== undefined) {
      this.#cancelTimer = this.#target.services.clock.after(chain.handshakeTimeoutMs, () => {
        this.#refuse("tls_handshake_failed");
        this.socket.terminate();
      });
    }
    this.#awaitHello(chain);
  }

  /** What the client offers decides on certificate and ALPN; where the inspector has not looked, it is looked at here. */
  #awaitHello(chain: Chain): void {
    const tls = chain.tls as NonNullable<Chain["tls"]>;
    const { connection } = this;
    if (connection.transportProtocol === "tls" || !(tls.requireSni || tls.context.hasChoice || tls.context.alpn.length > 0)) {
      this.#startTls(chain, tls, connection.serverName, connection.applicationProtocols);
      return;
    }
    const result = readClientHello(this.#held ?? Buffer.alloc(0));
    if (result.kind === "incomplete") return;
    if (result.kind === "hello") this.#startTls(chain, tls, result.hello.serverName, result.hello.alpn);
    else this.#startTls(chain, tls, "", []);
  }

  #startTls(chain: Chain, tls: NonNullable<Chain["tls"]>, serverName: string, offered: readonly string[]): void {
    const ready = tls.context.current();
    if (!ready || (tls.requireSni && serverName === "")) {
      // Fails closed: without its secrets a chain cannot tell friend from foe.
      this.#refuse("tls_handshake_failed");
      this.socket.terminate();
      return;
    }
    // Without overlap Bun would send a fatal alert, where Envoy goes on without ALPN.
    const protocols = tls.context.alpn.filter((name) => offered.includes(name));
    const identity = identityFor(ready, serverName);
    this.#localUriSans = identity.localUriSans;
    this.#state = "handshake";
    const raw = this.socket;
    const [, secure] = raw.upgradeTLS({
      isServer: true,
      ...(this.#held ? { initialData: this.#held } : {}),
      data: this,
      tls: {
        secureContext: identity.native,
        requestCert: ready.verifies || tls.requireClientCertificate,
        rejectUnauthorized: ready.verifies && tls.requireClientCertificate && !tls.context.acceptsUntrusted,
        ...(protocols.length > 0 ? { ALPNProtocols: alpnWire(protocols) } : {}),
      },
      socket: TLS_EVENTS,
    });
    // From now on the plain socket's events only repeat the ciphertext.
    raw.data = undefined;
    this.socket = secure;
    this.#held = undefined;
  }

  /** Why the peer is refused; undefined and the connection's TLS facts are set when it is welcome. */
  #verify(chain: Chain, error: (Error & { code?: string }) | null): RefusalReason | undefined {
    const tls = chain.tls as NonNullable<Chain["tls"]>;
    const { services } = this.#target;
    const ready = tls.context.current();
    if (!ready) return "tls_handshake_failed";
    const der = this.socket.getPeerX509Certificate()?.raw;
    if (!der && tls.requireClientCertificate) return "peer_certificate_required";
    let peer;
    if (der) {
      if (ready.verifies && !tls.context.acceptsUntrusted && (error || !this.socket.authorized)) return "peer_not_trusted";
      try {
        peer = services.peers.read(der);
      } catch {
        return "peer_not_trusted";
      }
      if (!tls.context.accepts(peer)) return "peer_san_mismatch";
    }
    const { alpnProtocol } = this.socket;
    this.connection.transportProtocol = "tls";
    this.connection.tls = {
      version: this.socket.getTLSVersion(),
      cipher: this.socket.getCipher()?.name ?? "",
      alpn: typeof alpnProtocol === "string" ? alpnProtocol : "",
      resumed: this.socket.isSessionReused(),
      peer,
      localUriSans: this.#localUriSans,
    };
    return undefined;
  }

  #accepted(chain: Chain, first: Buffer | undefined): void {
    this.#finish(true);
    const channel = new Channel(this.socket, this.#target.services.onFault);
    this.socket.data = channel;
    if (first) channel.bytesRead += first.length;
    this.#target.onAccepted(this.connection, chain, channel, first);
  }

  #refuse(reason: RefusalReason): void {
    if (this.#state === "done") return;
    this.#finish();
    this.#target.onRefused(this.connection, reason, { startMono: this.#startMono, startTime: this.#startTime });
  }

  #finish(accepted = false): void {
    if (this.#state === "done") return;
    this.#state = "done";
    this.#cancelTimer?.();
    this.origin.onSettled(accepted);
  }
}

/** `::ffff:10.0.0.1` of a dual-stack listener is 10.0.0.1. */
function unmapped(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

type Owner = Acceptance | Channel | undefined;

/** Events of accepted sockets, plain ones; `onOpen` makes the Acceptance. */
export function acceptEvents(onOpen: (socket: BunSocket) => void): SocketEvents {
  return { ...CHANNEL_EVENTS, open: onOpen };
}

const CHANNEL_EVENTS: SocketEvents = {
  binaryType: "buffer",
  open() {},
  data(socket, chunk) {
    const owner = socket.data as Owner;
    if (owner instanceof Channel) owner.socketData(chunk);
    else owner?.onData(chunk);
  },
  drain(socket) {
    const owner = socket.data as Owner;
    if (owner instanceof Channel) owner.socketDrained();
  },
  end(socket) {
    const owner = socket.data as Owner;
    if (owner instanceof Channel) owner.socketEnded();
    else if (owner) {
      owner.onGone();
      socket.end();
    }
  },
  close(socket, error) {
    const owner = socket.data as Owner;
    if (owner instanceof Channel) owner.socketClosed(error);
    else owner?.onGone();
  },
  error(socket, error) {
    const owner = socket.data as Owner;
    if (owner instanceof Channel) owner.socketFailed(error);
    else if (owner && !isTransportError(error)) owner.onFault(error);
  },
};

const TLS_EVENTS: SocketEvents = {
  ...CHANNEL_EVENTS,
  handshake(socket, success, error) {
    const owner = socket.data as Owner;
    if (owner instanceof Acceptance) owner.onHandshake(success, error);
  },
};
