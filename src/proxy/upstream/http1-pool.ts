import type { UpstreamStream } from "../http/codec.ts";
import type { HeaderCase } from "../http/header-case.ts";
import { Http1Client, type Http1ClientOwner } from "../http/h1-client.ts";
import type { TlsInfo } from "../net/connection-info.ts";
import type { UpstreamConnected } from "./connect.ts";
import { closed, offering, open, type PoolTarget } from "./pool-connections.ts";
import type { PooledConnection, PoolWaiter, UpstreamPool } from "./pool.ts";
import { WaitingRequests } from "./waiting-requests.ts";

class Pooled extends Http1Client implements PooledConnection {
  constructor(connected: UpstreamConnected, owner: Http1ClientOwner, headerCase: HeaderCase | undefined, trailers: boolean) {
    super(connected.channel, owner, headerCase, trailers);
    this.localText = connected.localText;
    this.tls = connected.tls;
  }
  readonly version = 1;
  readonly localText: string;
  readonly tls: TlsInfo | undefined;
  get stream(): UpstreamStream {
    return this;
  }
}

/** Keep-alive connections to one host over one transport. Requests wait while a connection is made for them. */
export class Http1Pool implements Http1ClientOwner, UpstreamPool {
  /** The last is the one used last: taken first, so that what is not needed grows old. */
  readonly #idle: Pooled[] = [];
  readonly #waiting: WaitingRequests;
  readonly #target: PoolTarget;
  #connecting = 0;
  #draining = false;

  constructor(
    target: PoolTarget,
    /** Where the server chooses the protocol: who takes a connection that is not for HTTP/1. */
    private readonly divert: ((connected: UpstreamConnected) => boolean) | undefined,
  ) {
    // As Envoy offers it, and so that a server that speaks both does not take this for HTTP/2.
    this.#target = offering(target, ["http/1.1"]);
    this.#waiting = new WaitingRequests(target.cluster, target.host);
  }

  acquire(waiter: PoolWaiter): (() => void) | undefined {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      if (idle.channel.closed) continue;
      waiter.onPoolReady(idle, this.#target.host);
      return undefined;
    }
    const withdraw = this.#waiting.add(waiter);
    if (!withdraw) return undefined;
    if (this.#mayConnect()) this.#connect();
    else this.#target.cluster.stats.upstream_cx_overflow++;
    return withdraw;
  }

  /** The next who waits, for a connection that is not of this pool. */
  next(): PoolWaiter | undefined {
    return this.#waiting.next();
  }

  /** A connection was lost: those who wait must not wait for one that nobody makes. */
  replenish(): void {
    if (this.#waiting.length > this.#connecting && this.#mayConnect()) this.#connect();
  }

  /** Envoy lets a host have one connection whatever the limit says, or its requests would wait for ever. */
  #mayConnect(): boolean {
    const { cluster, host } = this.#target;
    return cluster.load.connections < cluster.limits.maxConnections || host.cxActive === 0;
  }

  onReusable(client: Http1Client): void {
    const connection = client as Pooled;
    const { cluster, host } = this.#target;
    const { maxRequestsPerConnection, stats } = cluster;
    stats.carried(connection.channel);
    // A pool that drains still serves those who wait for it: nobody else will.
    const full = maxRequestsPerConnection > 0 && connection.requests >= maxRequestsPerConnection;
    if ((this.#draining && this.#waiting.length === 0) || full) {
      if (full && !this.#draining) stats.upstream_cx_max_requests++;
      connection.retire();
      return;
    }
    const next = this.#waiting.next();
    if (next) {
      next.onPoolReady(connection, host);
      return;
    }
    connection.idleSince = cluster.services.monotonic();
    this.#idle.push(connection);
  }

  onGone(client: Http1Client): void {
    const at = this.#idle.indexOf(client as Pooled);
    if (at >= 0) this.#idle.splice(at, 1);
    closed(this.#target, client.channel);
    this.replenish();
  }

  sweep(before: number): boolean {
    while (this.#idle.length > 0 && (this.#idle[0] as Pooled).idleSince < before) {
      this.#target.cluster.stats.upstream_cx_idle_timeout++;
      this.#idle.shift()?.retire();
    }
    return this.#idle.length === 0 && this.#waiting.length === 0 && this.#connecting === 0;
  }

  drain(): void {
    this.#draining = true;
    for (const idle of this.#idle.splice(0)) idle.retire();
  }

  #connect(): void {
    const { config, stats } = this.#target.cluster;
    this.#connecting++;
    if (!this.divert) stats.upstream_cx_http1_total++;
    open(this.#target, {
      onConnected: (connected) => {
        this.#connecting--;
        if (this.divert?.(connected)) return;
        if (this.divert) stats.upstream_cx_http1_total++;
        this.onReusable(new Pooled(connected, this, config.headerCase, config.http1Trailers));
      },
      onConnectFailure: (reason, detail) => {
        this.#connecting--;
        this.#waiting.fail(reason, detail, 1);
        this.replenish();
      },
    });
  }
}
