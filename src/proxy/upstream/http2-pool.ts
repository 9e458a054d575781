import { Http2Client, type Http2ClientOwner } from "../http2/client.ts";
import type { TlsInfo } from "../net/connection-info.ts";
import type { Cluster } from "./cluster.ts";
import { connectUpstream, type UpstreamConnected } from "./connect.ts";
import type { Host } from "./host.ts";
import type { PoolWaiter, UpstreamPool } from "./pool.ts";
import { serverNameOf } from "./request-name.ts";
import type { UpstreamTransport } from "./transport.ts";

interface Connection {
  readonly client: Http2Client;
  readonly localText: string;
  readonly tls: TlsInfo | undefined;
}

/** Multiplexed connections to one host: one serves all, until its streams are used up or the server wants it gone. */
export class Http2Pool implements UpstreamPool, Http2ClientOwner {
  readonly #connections: Connection[] = [];
  #waiting: PoolWaiter[] = [];
  #connecting = false;
  #draining = false;

  constructor(
    private readonly cluster: Cluster,
    readonly host: Host,
    private readonly transport: UpstreamTransport,
    private readonly alpn: readonly string[] | undefined,
    private readonly key: string,
    private readonly preamble: Buffer | undefined,
    /** The host that requests name, where the server is asked for by it. */
    private readonly name: string | undefined,
    /** Where the server chooses the protocol: the pool that makes connections, and in which requests wait. */
    private readonly source: { next(): PoolWaiter | undefined; replenish(): void } | undefined,
  ) {}

  acquire(waiter: PoolWaiter): (() => void) | undefined {
    if (this.offer(waiter)) return undefined;
    const { limits, load } = this.cluster;
    if (load.pending >= limits.maxPendingRequests) {
      this.cluster.stats.upstream_rq_pending_overflow++;
      waiter.onPoolFailure("overflow", "", this.host);
      return undefined;
    }
    this.#waiting.push(waiter);
    load.pending++;
    this.cluster.stats.upstream_rq_pending_total++;
    this.host.rqPendingActive++;
    this.#connect();
    return () => this.#forget(waiter);
  }

  /** Hands out a place if there is one. */
  offer(waiter: PoolWaiter): boolean {
    const connection = this.#connections.find((each) => each.client.hasRoom);
    if (connection) this.#hand(waiter, connection);
    return connection !== undefined;
  }

  /** A connection that has come to be. */
  adopt({ channel, localText, tls }: UpstreamConnected): void {
    const client = new Http2Client(channel, this, { ...this.cluster.config.http2, stats: this.cluster.stats.http2() });
    this.#connections.push({ client, localText, tls });
    this.onRoom(client);
  }

  onRoom(client: Http2Client): void {
    client.idleSince = this.cluster.services.monotonic();
    const { maxRequestsPerConnection, stats } = this.cluster;
    stats.carried(client.channel);
    const full = (): boolean => maxRequestsPerConnection > 0 && client.requests >= maxRequestsPerConnection;
    // A pool that drains still serves those who wait for it: nobody else will.
    const connection = this.#connections.find((each) => each.client === client);
    while (connection && client.hasRoom && !full()) {
      const next = this.source ? this.source.next() : this.#take();
      if (!next) break;
      this.#hand(next, connection);
    }
    if (this.#draining || full()) {
      if (!this.#draining) stats.upstream_cx_max_requests++;
      client.retire();
    }
  }

  onStreamReset(by: "remote" | "local"): void {
    if (by === "remote") this.cluster.stats.upstream_rq_rx_reset++;
    else this.cluster.stats.upstream_rq_tx_reset++;
  }

  onGone(client: Http2Client): void {
    const at = this.#connections.findIndex((each) => each.client === client);
    if (at < 0) return;
    this.#connections.splice(at, 1);
    this.host.cxActive--;
    this.cluster.stats.upstream_cx_destroy++;
    this.cluster.stats.carried(client.channel);
    this.cluster.load.connections--;
    if (this.source) this.source.replenish();
    else if (this.#waiting.length > 0) this.#connect();
  }

  sweep(before: number): boolean {
    for (const { client } of this.#connections.slice()) {
      if (client.active > 0 || client.idleSince >= before) continue;
      this.cluster.stats.upstream_cx_idle_timeout++;
      client.retire();
    }
    return this.#connections.length === 0 && this.#waiting.length === 0 && !this.#connecting;
  }

  drain(): void {
    this.#draining = true;
    for (const { client } of this.#connections.slice()) client.retire();
  }

  #hand(waiter: PoolWaiter, { client, localText, tls }: Connection): void {
    waiter.onPoolReady({ stream: client.stream(), version: 2, localText, tls }, this.host);
  }

  #connect(): void {
    const { limits, load, stats } = this.cluster;
    if (this.#connecting) return;
    if (load.connections >= limits.maxConnections && this.host.cxActive > 0) {
      stats.upstream_cx_overflow++;
      return;
    }
    this.#connecting = true;
    this.host.cxTotal++;
    this.host.cxActive++;
    load.connections++;
    stats.upstream_cx_total++;
    stats.upstream_cx_http2_total++;
    connectUpstream(
      {
        host: this.host,
        transport: this.transport,
        alpn: this.alpn ?? (this.transport.kind === "tls" && this.transport.context.alpn.length === 0 ? ["h2"] : undefined),
        sni: this.name === undefined || !this.cluster.config.autoSni ? undefined : serverNameOf(this.name),
        provenName: this.cluster.config.autoSanValidation ? this.name : undefined,
        bindAddress: this.cluster.bindAddress,
        timeoutMs: this.cluster.connectTimeoutMs,
        sessionKey: this.key,
        preamble: this.preamble,
      },
      this.cluster.services,
      {
        onConnected: (connected) => {
          this.#connecting = false;
          stats.connected(connected.tls);
          this.adopt(connected);
        },
        onConnectFailure: (reason, detail) => {
          this.#connecting = false;
          this.host.cxActive--;
          this.host.cxConnectFail++;
          load.connections--;
          stats.connectFailed(reason);
          // All of them waited for this connection.
          const failed = this.#waiting;
          this.#waiting = [];
          load.pending -= failed.length;
          this.host.rqPendingActive -= failed.length;
          stats.upstream_rq_pending_failure_eject += failed.length;
          for (const waiter of failed) waiter.onPoolFailure(reason, detail, this.host);
        },
      },
    );
  }

  #take(): PoolWaiter | undefined {
    const waiter = this.#waiting.shift();
    if (waiter) {
      this.cluster.load.pending--;
      this.host.rqPendingActive--;
    }
    return waiter;
  }

  #forget(waiter: PoolWaiter): void {
    const at = this.#waiting.indexOf(waiter);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    this.cluster.stats.upstream_rq_cancelled++;
    this.cluster.load.pending--;
    this.host.rqPendingActive--;
  }
}
