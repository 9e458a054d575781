import { bunNet, type BunListener, type BunSocket } from "../net/bun-socket.ts";
import type { Channel } from "../net/channel.ts";
import { addressText, type ConnectionInfo } from "../net/connection-info.ts";
import type { Services } from "../services.ts";
import type { AccessLogger } from "../telemetry/access-log.ts";
import type { RefusalReason } from "../telemetry/refused-connections.ts";
import type { ListenerStats } from "../telemetry/stat-scope.ts";
import { StreamInfo } from "../telemetry/stream-info.ts";
import { InvalidResource, type ListenerSnapshot, type SocketAddress } from "../types.ts";
import { errorText } from "../../base/index.ts";
import { Acceptance, acceptEvents, type AcceptTarget } from "./accept.ts";
import type { Chain } from "./chain.ts";
import { disposeChain, type ListenerConfig } from "./listener-config.ts";
import { LiveConnection } from "./live-connection.ts";

/** How a redirected connection finds the listener of its destination. */
export type RouteByDestination = (destination: SocketAddress) => Listener | undefined;

/** A listener in force: its sockets, and the connections that came in through it. */
export class Listener implements AcceptTarget {
  readonly #connections = new Set<LiveConnection>();
  readonly stats: ListenerStats;
  #sockets: BunListener[] = [];
  #draining = false;

  constructor(
    public config: ListenerConfig,
    readonly services: Services,
    private readonly byDestination: RouteByDestination,
  ) {
    const [first] = config.addresses;
    this.stats = services.core.listener(config.statPrefix !== "" ? config.statPrefix : first ? addressText(first).replaceAll(":", "_") : config.name);
  }

  get accessLog(): AccessLogger | undefined {
    return this.config.accessLog;
  }

  /** Binds and accepts. Throws InvalidResource when an address cannot be bound; then none is. */
  listen(): void {
    if (!this.config.bind || this.#sockets.length > 0) return;
    const made: BunListener[] = [];
    try {
      for (const address of this.config.addresses) {
        const { sockets, reusePort = false } = this.services;
        const where = sockets.listen({ ...address, reusePort });
        made.push(bunNet.listen({ ...where, ...(reusePort && { reusePort }), allowHalfOpen: true, socket: acceptEvents((socket) => this.#accept(socket)) }));
      }
    } catch (cause) {
      for (const socket of made) socket.stop(true);
      const [first] = this.config.addresses;
      throw new InvalidResource("CANNOT_BIND", `cannot bind '${first?.address}:${first?.port}': ${errorText(cause)}`, { cause });
    }
    this.#sockets = made;
  }

  /** Puts a new configuration in force: for new connections, and for those that stand. */
  update(config: ListenerConfig): void {
    const previous = this.config;
    this.config = config;
    for (const connection of this.#connections) {
      connection.update(config.choose(connection.info));
    }
    const kept = new Set([...config.chains, config.defaultChain]);
    for (const chain of [...previous.chains, previous.defaultChain]) if (chain && !kept.has(chain)) disposeChain(chain);
  }

  #accept(socket: BunSocket): void {
    // A client that has reset its connection before it was looked at has no address any more.
    if (!socket.remoteAddress) {
      socket.terminate();
      return;
    }
    const { overload } = this.services;
    const refusal = overload?.refuses(this.config, this.#connections.size + this.stats.downstream_pre_cx_active);
    if (refusal === undefined) {
      overload?.opened();
      this.stats.downstream_pre_cx_active++;
      new Acceptance(socket, this);
      return;
    }
    if (refusal === "global_limit") this.stats.downstream_global_cx_overflow++;
    else if (refusal === "listener_limit") this.stats.downstream_cx_overflow++;
    else this.stats.downstream_cx_overload_reject++;
    socket.end();
  }

  onSettled(accepted: boolean): void {
    this.stats.downstream_pre_cx_active--;
    if (!accepted) this.services.overload?.closed();
  }

  route(connection: ConnectionInfo): AcceptTarget {
    return this.byDestination(connection.local) ?? this;
  }

  onAccepted(connection: ConnectionInfo, chain: Chain, channel: Channel, first: Buffer | undefined): void {
    this.stats.downstream_cx_total++;
    this.stats.downstream_cx_active++;
    if (connection.tls) {
      this.stats.counter("ssl.handshake").inc();
      if (connection.tls.resumed) this.stats.counter("ssl.session_reused").inc();
    }
    const live = new LiveConnection(connection, chain, channel, first, this);
    if (live.gone) {
      this.stats.downstream_cx_active--;
      this.stats.downstream_cx_destroy++;
      this.services.overload?.closed();
      return;
    }
    // What terminates its TLS behind this proxy is no plaintext.
    if (this.config.direction === "inbound" && connection.transportProtocol === "raw_buffer")
      live.onGone = this.services.plaintext.opened(connection.remote.address, connection.local.port);
    this.#connections.add(live);
    if (this.#draining) live.goAfterRequest();
  }

  onRefused(connection: ConnectionInfo, reason: RefusalReason, { startMono, startTime }: { startMono: number; startTime: number }): void {
    this.services.refused.count(connection.remote.address, connection.local.port, reason);
    if (reason === "filter_chain_not_found") this.stats.no_filter_chain_match++;
    else if (reason === "tls_handshake_failed") this.stats.counter("ssl.connection_error").inc();
    else if (reason === "peer_not_trusted") this.stats.counter("ssl.fail_verify_error").inc();
    else if (reason === "peer_certificate_required") this.stats.counter("ssl.fail_verify_no_cert").inc();
    else if (reason === "peer_san_mismatch") this.stats.counter("ssl.fail_verify_san").inc();
    const { accessLog } = this;
    if (!accessLog) return;
    const info = new StreamInfo(connection, startTime, startMono);
    if (reason === "filter_chain_not_found") {
      info.addFlag("NR");
      info.details = "filter_chain_not_found";
    }
    info.durationMs = this.services.monotonic() - startMono;
    accessLog(info);
  }

  onConnectionGone(connection: LiveConnection): void {
    if (!this.#connections.delete(connection)) return;
    connection.onGone?.();
    this.services.overload?.closed();
    this.stats.downstream_cx_active--;
    this.stats.downstream_cx_destroy++;
  }

  /** Lets no more in and asks those inside to go. */
  drain(): void {
    this.#draining = true;
    this.stopAccepting();
    for (const connection of this.#connections) connection.drain();
  }

  stopAccepting(): void {
    for (const socket of this.#sockets) socket.stop();
    this.#sockets = [];
  }

  /** Connections, those to come too, end after their next request. */
  askToGo(): void {
    this.#draining = true;
    for (const connection of this.#connections) connection.goAfterRequest();
  }

  /** Ends everything at once. */
  close(): void {
    for (const socket of this.#sockets) socket.stop(true);
    this.#sockets = [];
    for (const connection of this.#connections) connection.close();
    for (const chain of [...this.config.chains, this.config.defaultChain]) if (chain) disposeChain(chain);
  }

  tick(now: number): void {
    for (const connection of this.#connections) connection.tick(now);
  }

  get openConnections(): number {
    return this.#connections.size;
  }

  snapshot(state: "active" | "warming"): ListenerSnapshot {
    const [socket] = this.#sockets;
    return {
      name: this.config.name,
      addresses: this.config.addresses,
      ...(socket ? { bound: { address: socket.hostname, port: socket.port } } : {}),
      state,
      openConnections: this.#connections.size,
    };
  }
}
