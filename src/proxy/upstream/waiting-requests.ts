import type { ResetReason } from "../http/codec.ts";
import type { Cluster } from "./cluster.ts";
import type { Host } from "./host.ts";
import type { PoolWaiter } from "./pool.ts";

/** Requests that wait for a connection to a host, the first first, as the cluster's circuit breaker and gauges count them. */
export class WaitingRequests {
  readonly #waiters: PoolWaiter[] = [];

  constructor(
    private readonly cluster: Cluster,
    private readonly host: Host,
  ) {}

  get length(): number {
    return this.#waiters.length;
  }

  /** The returned function withdraws it; undefined when there are too many already, which the waiter has been told. */
  add(waiter: PoolWaiter): (() => void) | undefined {
    const { limits, load, stats } = this.cluster;
    if (load.pending >= limits.maxPendingRequests) {
      stats.upstream_rq_pending_overflow++;
      waiter.onPoolFailure("overflow", "", this.host);
      return undefined;
    }
    this.#waiters.push(waiter);
    load.pending++;
    stats.upstream_rq_pending_total++;
    this.host.rqPendingActive++;
    return () => this.#withdraw(waiter);
  }

  next(): PoolWaiter | undefined {
    const waiter = this.#waiters.shift();
    if (waiter) this.#discount();
    return waiter;
  }

  /** Tells so many of them, or all, that their connection did not come to be. */
  fail(reason: ResetReason, detail: string, most = this.#waiters.length): void {
    // Those who come while they are told wait for another connection.
    const failed = this.#waiters.splice(0, most);
    for (const _ of failed) this.#discount();
    this.cluster.stats.upstream_rq_pending_failure_eject += failed.length;
    for (const waiter of failed) waiter.onPoolFailure(reason, detail, this.host);
  }

  #withdraw(waiter: PoolWaiter): void {
    const at = this.#waiters.indexOf(waiter);
    if (at < 0) return;
    this.#waiters.splice(at, 1);
    this.cluster.stats.upstream_rq_cancelled++;
    this.#discount();
  }

  #discount(): void {
    this.cluster.load.pending--;
    this.host.rqPendingActive--;
  }
}
