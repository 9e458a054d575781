import type { UpstreamStream } from "../http/codec.ts";
import type { HeaderCase } from "../http/header-case.ts";
import { Http1Client, type Http1ClientOwner } from "../http/h1-client.ts";
import type { TlsInfo } from "../net/connection-info.ts";
import type { Cluster } from "./cluster.ts";
import { connectUpstream, type UpstreamConnected } from "./connect.ts";
import type { Host } from "./host.ts";
import type { PooledConnection, PoolWaiter, UpstreamPool } from "./pool.ts";
import { serverNameOf } from "./request-name.ts";
import type { UpstreamTransport } from "./transport.ts";

interface Pending {
  readonly waiter: PoolWaiter;
}

class Pooled extends Http1Client implements PooledConnection {
  constructor(
    connected: UpstreamConnected,
    owner: Http1ClientOwner,
    headerCase: HeaderCase | undefined,
    trailers: boolean,
  ) {
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
  readonly #pending: Pending[] = [];
  #connecting = 0;
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
    /** Where the server chooses the protocol: who takes a connection that is not for HTTP/1. */
    private readonly divert: ((connected: UpstreamConnected) => boolean) | undefined,
  ) {}

  acquire(waiter: PoolWaiter): (() => void) | undefined {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      if (idle.channel.closed) continue;
      waiter.onPoolReady(idle, this.host);
      return undefined;
    }
    const { limits, load } = this.cluster;
    if (load.pending >= limits.maxPendingRequests) {
      this.cluster.stats.upstream_rq_pending_overflow++;
      waiter.onPoolFailure("overflow", "", this.host);
      return undefined;
    }
    const pending: Pending = { waiter };
    this.#pending.push(pending);
    load.pending++;
    this.cluster.stats.upstream_rq_pending_total++;
    this.host.rqPendingActive++;
    // Envoy lets a host have one connection whatever the limit says, or its requests would wait for ever.
    if (load.connections < limits.maxConnections || this.host.cxActive === 0) this.#connect();
    else this.cluster.stats.upstream_cx_overflow++;
    return () => this.#withdraw(pending);
  }

  /** The next who waits, for a connection that is not of this pool. */
  next(): PoolWaiter | undefined {
    return this.#takePending()?.waiter;
  }

  /** A connection was lost: those who wait must not wait for one that nobody makes. */
  replenish(): void {
    if (this.#pending.length > this.#connecting && this.cluster.load.connections < this.cluster.limits.maxConnections) this.#connect();
  }

  onReusable(client: Http1Client): void {
    const connection = client as Pooled;
    const { maxRequestsPerConnection, stats } = this.cluster;
    stats.carried(connection.channel);
    // A pool that drains still serves those who wait for it: nobody else will.
    const full = maxRequestsPerConnection > 0 && connection.requests >= maxRequestsPerConnection;
    if ((this.#draining && this.#pending.length === 0) || full) {
      if (full && !this.#draining) this.cluster.stats.upstream_cx_max_requests++;
      connection.retire();
      return;
    }
    const next = this.#takePending();
    if (next) {
      next.waiter.onPoolReady(connection, this.host);
      return;
    }
    connection.idleSince = this.cluster.services.monotonic();
    this.#idle.push(connection);
  }

  onGone(client: Http1Client): void {
    const at = this.#idle.indexOf(client as Pooled);
    if (at >= 0) this.#idle.splice(at, 1);
    this.host.cxActive--;
    this.cluster.stats.upstream_cx_destroy++;
    this.cluster.stats.carried(client.channel);
    this.cluster.load.connections--;
    this.replenish();
  }

  sweep(before: number): boolean {
    while (this.#idle.length > 0 && (this.#idle[0] as Pooled).idleSince < before) {
      this.cluster.stats.upstream_cx_idle_timeout++;
      this.#idle.shift()?.retire();
    }
    return this.#idle.length === 0 && this.#pending.length === 0 && this.#connecting === 0;
  }

  drain(): void {
    this.#draining = true;
    for (const idle of this.#idle.splice(0)) idle.retire();
  }

  #connect(): void {
    this.#connecting++;
    this.host.cxTotal++;
    this.host.cxActive++;
    this.cluster.load.connections++;
    this.cluster.stats.upstream_cx_total++;
    if (!this.divert) this.cluster.stats.upstream_cx_http1_total++;
    connectUpstream(
      {
        host: this.host,
        transport: this.transport,
        // As Envoy offers it, and so that a server that speaks both does not take this for HTTP/2.
        alpn: this.alpn ?? (this.transport.kind === "tls" && this.transport.context.alpn.length === 0 ? ["http/1.1"] : undefined),
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
          this.#connecting--;
          this.cluster.stats.connected(connected.tls);
          if (this.divert?.(connected)) return;
          if (this.divert) this.cluster.stats.upstream_cx_http1_total++;
          this.onReusable(new Pooled(connected, this, this.cluster.config.headerCase, this.cluster.config.http1Trailers));
        },
        onConnectFailure: (reason, detail) => {
          this.#connecting--;
          this.host.cxActive--;
          this.host.cxConnectFail++;
          this.cluster.load.connections--;
          this.cluster.stats.connectFailed(reason);
          const pending = this.#takePending();
          if (!pending) return;
          this.cluster.stats.upstream_rq_pending_failure_eject++;
          pending.waiter.onPoolFailure(reason, detail, this.host);
        },
      },
    );
  }

  #takePending(): Pending | undefined {
    const pending = this.#pending.shift();
    if (pending) {
      this.cluster.load.pending--;
      this.host.rqPendingActive--;
    }
    return pending;
  }

  #withdraw(pending: Pending): void {
    const at = this.#pending.indexOf(pending);
    if (at < 0) return;
    this.#pending.splice(at, 1);
    this.cluster.stats.upstream_rq_cancelled++;
    this.cluster.load.pending--;
    this.host.rqPendingActive--;
  }
}
