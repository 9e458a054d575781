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

/** Multiplexed connections to one host: one serves all, until its streams are used up or the server wants it gone. */
export class Http2Pool implements UpstreamPool, Http2ClientOwner {
  readonly #connections: Connection[] = [];
  readonly #waiting: WaitingRequests;
  readonly #target: PoolTarget;
  #connecting = false;
  #draining = false;

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
    const client = new Http2Client(channel, this, { ...config.http2, stats: stats.http2() });
    this.#connections.push({ client, localText, tls });
    this.onRoom(client);
  }

  onRoom(client: Http2Client): void {
    const { maxRequestsPerConnection, services, stats } = this.#target.cluster;
    client.idleSince = services.monotonic();
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
    else if (this.#waiting.length > 0) this.#connect();
  }

  sweep(before: number): boolean {
    for (const { client } of this.#connections.slice()) {
      if (client.active > 0 || client.idleSince >= before) continue;
      this.#target.cluster.stats.upstream_cx_idle_timeout++;
      client.retire();
    }
    return this.#connections.length === 0 && this.#waiting.length === 0 && !this.#connecting;
  }

  drain(): void {
    this.#draining = true;
    for (const { client } of this.#connections.slice()) client.retire();
  }

  #hand(waiter: PoolWaiter, { client, localText, tls }: Connection): void {
    waiter.onPoolReady({ stream: client.stream(), version: 2, localText, tls }, this.#target.host);
  }

  #connect(): void {
    const { cluster, host } = this.#target;
    if (this.#connecting) return;
    if (cluster.load.connections >= cluster.limits.maxConnections && host.cxActive > 0) {
      cluster.stats.upstream_cx_overflow++;
      return;
    }
    this.#connecting = true;
    cluster.stats.upstream_cx_http2_total++;
    open(this.#target, {
      onConnected: (connected) => {
        this.#connecting = false;
        this.adopt(connected);
      },
      onConnectFailure: (reason, detail) => {
        this.#connecting = false;
        // All of them waited for this connection.
        this.#waiting.fail(reason, detail);
      },
    });
  }
}
