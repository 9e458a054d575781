import { Http1Pool } from "./http1-pool.ts";
import { Http2Pool } from "./http2-pool.ts";
import { offering, type PoolTarget } from "./pool-connections.ts";
import type { PoolWaiter, UpstreamPool } from "./pool.ts";

/** What is offered where neither the TLS context nor the listener's filters say it. */
const BOTH = ["h2", "http/1.1"];

/**
 * Connections whose protocol the server chooses by ALPN, each for itself (`auto_config`). Requests wait in the HTTP/1 pool,
 * since a connection may turn out to carry only one of them; one that speaks HTTP/2 takes as many as it has room for.
 */
export class AlpnPool implements UpstreamPool {
  readonly #one: Http1Pool;
  readonly #two: Http2Pool;

  constructor(target: PoolTarget) {
    const both = offering(target, BOTH);
    this.#one = new Http1Pool(both, (connected) => {
      if (connected.tls?.alpn !== "h2") return false;
      target.cluster.stats.upstream_cx_http2_total++;
      this.#two.adopt(connected);
      return true;
    });
    this.#two = new Http2Pool(both, this.#one);
  }

  acquire(waiter: PoolWaiter): (() => void) | undefined {
    return this.#two.offer(waiter) ? undefined : this.#one.acquire(waiter);
  }

  sweep(before: number): boolean {
    const unused = this.#one.sweep(before);
    return this.#two.sweep(before) && unused;
  }

  drain(): void {
    this.#one.drain();
    this.#two.drain();
  }
}
