import { Http2Client, type Http2ClientOwner } from "../http2/client.ts";
import type { TlsInfo } from "../net/connection-info.ts";
import type { Cluster } from "./cluster.ts";
import { connectUpstream } from "./connect.ts";
import type { Host } from "./host.ts";
import type { PoolWaiter, UpstreamPool } from "./pool.ts";
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
  ) {}

  acquire(waiter: PoolWaiter): (() => void) | undefined {
    const connection = this.#connections.find((each) => each.client.hasRoom);
    if (connection) {
      this.#hand(waiter, connection);
      return undefined;
    }
    const { limits, load } = this.cluster;
    if (load.pending >= limits.maxPendingRequests) {
      this.cluster.stats.pendingOverflow++;
      waiter.onPoolFailure("overflow", "", this.host);
      return undefined;
    }
    this.#waiting.push(waiter);
    load.pending++;
    this.host.rqPendingActive++;
    this.#connect();
    return () => this.#forget(waiter);
  }

  onRoom(client: Http2Client): void {
    client.idleSince = this.cluster.services.monotonic();
    const { maxRequestsPerConnection } = this.cluster;
    if (this.#draining || (maxRequestsPerConnection > 0 && client.requests >= maxRequestsPerConnection)) {
      client.retire();
      return;
    }
    const connection = this.#connections.find((each) => each.client === client);
    while (connection && client.hasRoom && this.#waiting.length > 0) this.#hand(this.#take() as PoolWaiter, connection);
  }

  onGone(client: Http2Client): void {
    const at = this.#connections.findIndex((each) => each.client === client);
    if (at < 0) return;
    this.#connections.splice(at, 1);
    this.host.cxActive--;
    this.cluster.load.connections--;
    if (this.#waiting.length > 0) this.#connect();
  }

  sweep(before: number): boolean {
    for (const { client } of this.#connections.slice()) if (client.active === 0 && client.idleSince < before) client.retire();
    return this.#connections.length === 0 && this.#waiting.length === 0 && !this.#connecting;
  }

  drain(): void {
    this.#draining = true;
    for (const { client } of this.#connections.slice()) client.retire();
  }

  #hand(waiter: PoolWaiter, { client, localText, tls }: Connection): void {
    waiter.onPoolReady({ stream: client.stream(), localText, tls }, this.host);
  }

  #connect(): void {
    const { limits, load, stats } = this.cluster;
    if (this.#connecting) return;
    if (load.connections >= limits.maxConnections && this.host.cxActive > 0) {
      stats.connectionOverflow++;
      return;
    }
    this.#connecting = true;
    this.host.cxTotal++;
    this.host.cxActive++;
    load.connections++;
    stats.cxTotal++;
    connectUpstream(
      {
        host: this.host,
        transport: this.transport,
        alpn: this.alpn ?? (this.transport.kind === "tls" && this.transport.context.alpn.length === 0 ? ["h2"] : undefined),
        sni: undefined,
        bindAddress: this.cluster.bindAddress,
        timeoutMs: this.cluster.connectTimeoutMs,
        sessionKey: this.key,
        preamble: this.preamble,
      },
      this.cluster.services,
      {
        onConnected: ({ channel, localText, tls }) => {
          this.#connecting = false;
          const client = new Http2Client(channel, this, this.cluster.config.http2);
          this.#connections.push({ client, localText, tls });
          this.onRoom(client);
        },
        onConnectFailure: (reason, detail) => {
          this.#connecting = false;
          this.host.cxActive--;
          this.host.cxConnectFail++;
          load.connections--;
          stats.cxConnectFail++;
          // All of them waited for this connection.
          const failed = this.#waiting;
          this.#waiting = [];
          load.pending -= failed.length;
          this.host.rqPendingActive -= failed.length;
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
    this.cluster.load.pending--;
    this.host.rqPendingActive--;
  }
}
