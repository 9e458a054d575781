import { Http2Client, type Http2ClientOwner } from "../http2/client.ts";
import type { TlsInfo } from "../net/connection-info.ts";
import type { UpstreamConnected } from "./connect.ts";
import { closed, offering, open, type PoolTarget } from "./pool-connections.ts";
import type { PoolWaiter, UpstreamPool } from "./pool.ts";
import { WaitingRequests } from "./waiting-requests.ts";

interface Connection {
  readonly client: Http2Client;
  readonly localText: string;
  readonly tls: TlsInfo | undefined;
}

/** Multiplexed connections to one host: one serves all, as long as it has streams for them and the server does not want it gone. */
export class Http2Pool implements UpstreamPool, Http2ClientOwner {
  readonly #connections: Connection[] = [];
  readonly #waiting: WaitingRequests;
  readonly #target: PoolTarget;
  /** Connections that are being made. */
  #connecting = 0;
  #draining = false;
  /** What the host allowed on its last connection. */
  #streams = Number.POSITIVE_INFINITY;

  constructor(
    target: PoolTarget,
    /** Where the server chooses the protocol: the pool that makes connections, and in which requests wait. */
    private readonly source: { next(): PoolWaiter | undefined; replenish(): void } | undefined,
  ) {
    this.#target = offering(target, ["h2"]);
    this.#waiting = new WaitingRequests(target.cluster, target.host);
  }

  acquire(waiter: PoolWaiter): (() => void) | undefined {
    if (this.offer(waiter)) return undefined;
    const withdraw = this.#waiting.add(waiter);
    if (withdraw) this.#connect();
    return withdraw;
  }

  /** Hands out a place if there is one. */
  offer(waiter: PoolWaiter): boolean {
    const connection = this.#connections.find((each) => each.client.hasRoom);
    if (connection) this.#hand(waiter, connection);
    return connection !== undefined;
  }

  /** A connection that has come to be. */
  adopt({ channel, localText, tls }: UpstreamConnected): void {
    const { config, stats } = this.#target.cluster;
    const client = new Http2Client(channel, this, { ...config.http2, stats: stats.http2() }, this.#streams);
    this.#connections.push({ client, localText, tls });
    this.onRoom(client);
  }

  onRoom(client: Http2Client): void {
    const { maxRequestsPerConnection, services, stats } = this.#target.cluster;
    client.idleSince = services.monotonic();
    if (client.settled) this.#streams = client.session.peerMaxStreams;
    stats.carried(client.channel);
    const full = (): boolean => maxRequestsPerConnection > 0 && client.requests >= maxRequestsPerConnection;
    // A pool that drains still serves those who wait for it: nobody else will.
    const connection = this.#connections.find((each) => each.client === client);
    while (connection && client.hasRoom && !full()) {
      const next = (this.source ?? this.#waiting).next();
      if (!next) break;
      this.#hand(next, connection);
    }
    if (this.#draining || full()) {
      if (!this.#draining) stats.upstream_cx_max_requests++;
      client.retire();
    }
    this.#connect();
  }

  onStreamReset(by: "remote" | "local"): void {
    const { stats } = this.#target.cluster;
    if (by === "remote") stats.upstream_rq_rx_reset++;
    else stats.upstream_rq_tx_reset++;
  }

  onGone(client: Http2Client): void {
    const at = this.#connections.findIndex((each) => each.client === client);
    if (at < 0) return;
    this.#connections.splice(at, 1);
    closed(this.#target, client.channel);
    if (this.source) this.source.replenish();
    else this.#connect();
  }

  sweep(before: number): boolean {
    for (const { client } of this.#connections.slice()) {
      if (client.active > 0 || client.idleSince >= before) continue;
      this.#target.cluster.stats.upstream_cx_idle_timeout++;
      client.retire();
    }
    return this.#connections.length === 0 && this.#waiting.length === 0 && this.#connecting === 0;
  }

  drain(): void {
    this.#draining = true;
    for (const { client } of this.#connections.slice()) client.retire();
  }

  #hand(waiter: PoolWaiter, { client, localText, tls }: Connection): void {
    waiter.onPoolReady({ stream: client.stream(), version: 2, localText, tls }, this.#target.host);
  }

  /** Makes connections until those to come have streams for all who wait, as far as the cluster's circuit breaker lets it. */
  #connect(): void {
    const { cluster } = this.#target;
    // One that allows no stream now may do so soon: it is asked for one.
    const each = Math.max(1, Math.min(this.#streams, cluster.config.http2.maxConcurrentStreams));
    for (let made = 0; made < MAX_AT_ONCE && this.#waiting.length > this.#connecting * each; made++) {
      if (!this.#open()) return;
    }
  }

  /** False when the circuit breaker is open. */
  #open(): boolean {
    const { cluster, host } = this.#target;
    if (cluster.load.connections >= cluster.limits.maxConnections && host.cxActive > 0) {
      cluster.stats.upstream_cx_overflow++;
      return false;
    }
    this.#connecting++;
    cluster.stats.upstream_cx_http2_total++;
    open(this.#target, {
      onConnected: (connected) => {
        this.#connecting--;
        this.adopt(connected);
      },
      onConnectFailure: (reason, detail) => {
        this.#connecting--;
        // All of them waited for this connection.
        this.#waiting.fail(reason, detail);
      },
    });
    return true;
  }
}

/** As Envoy: more are made when these are. */
const MAX_AT_ONCE = 3;
