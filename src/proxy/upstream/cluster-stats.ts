import type { ResetReason } from "../http/codec.ts";
import type { Channel } from "../net/channel.ts";
import { Http2Stats } from "../http2/http2-stats.ts";
import type { TlsInfo } from "../net/connection-info.ts";
import { StatScope, type StatKind } from "../telemetry/stat-scope.ts";
import { Histogram } from "../telemetry/stats.ts";
import type { CircuitBreakerThresholds } from "../types.ts";
import type { Host } from "./host.ts";

/** What the statistics show of a cluster besides its counters. */
export interface ClusterGauges {
  readonly load: { readonly connections: number; readonly pending: number; readonly requests: number; readonly retries: number };
  readonly limits: CircuitBreakerThresholds;
  /** Whether what is left of the limits is shown too. */
  readonly tracksRemaining: boolean;
  readonly activeSubsets: number;
  hosts(): Iterable<Host>;
}

/** Who asked: Envoy counts requests from inside of the mesh (`x-envoy-internal`) apart. */
export type Origin = "internal" | "external";

/** What a cluster counts, under Envoy's names. It outlives the cluster's configuration. */
export class ClusterStats extends StatScope {
  bind_errors = 0;
  lb_healthy_panic = 0;
  lb_subsets_created = 0;
  lb_subsets_fallback = 0;
  lb_subsets_fallback_panic = 0;
  lb_subsets_removed = 0;
  lb_subsets_selected = 0;
  membership_change = 0;
  update_attempt = 0;
  update_failure = 0;
  update_success = 0;
  upstream_cx_connect_fail = 0;
  upstream_cx_connect_timeout = 0;
  upstream_cx_destroy = 0;
  upstream_cx_http1_total = 0;
  upstream_cx_http2_total = 0;
  upstream_cx_idle_timeout = 0;
  upstream_cx_max_requests = 0;
  upstream_cx_none_healthy = 0;
  upstream_cx_overflow = 0;
  upstream_cx_rx_bytes_total = 0;
  upstream_cx_total = 0;
  upstream_cx_tx_bytes_total = 0;
  upstream_rq_cancelled = 0;
  upstream_rq_completed = 0;
  upstream_rq_pending_failure_eject = 0;
  upstream_rq_pending_overflow = 0;
  upstream_rq_pending_total = 0;
  upstream_rq_per_try_timeout = 0;
  upstream_rq_retry = 0;
  upstream_rq_retry_backoff_exponential = 0;
  upstream_rq_retry_limit_exceeded = 0;
  upstream_rq_retry_overflow = 0;
  upstream_rq_retry_success = 0;
  upstream_rq_rx_reset = 0;
  upstream_rq_timeout = 0;
  upstream_rq_total = 0;
  upstream_rq_tx_reset = 0;
  /** From the end of a request to the end of its response, in ms; undefined when nobody looks. */
  readonly rqTime: Histogram | undefined;
  #http2: Http2Stats | undefined;
  /** By status, for each kind of caller, and for answers that were tried again. */
  readonly #responses = { internal: new Map<number, number>(), external: new Map<number, number>(), retry: new Map<number, number>() };
  gauges: ClusterGauges | undefined;

  constructor(name: string, measureTime: boolean) {
    super(`cluster.${name}`);
    this.rqTime = measureTime ? new Histogram() : undefined;
  }

  /** Of its HTTP/2 connections; made when there is one. */
  http2(): Http2Stats {
    return (this.#http2 ??= new Http2Stats(`${this.prefix}.http2`));
  }

  /** A request has its final answer, from the upstream or in its place. */
  answered(status: number, origin: Origin): void {
    this.upstream_rq_completed++;
    bump(this.#responses[origin], status);
  }

  /** The connection has carried more bytes. */
  carried(channel: Channel): void {
    this.upstream_cx_rx_bytes_total += channel.takeRead();
    this.upstream_cx_tx_bytes_total += channel.takeWritten();
  }

  connectFailed(reason: ResetReason): void {
    this.upstream_cx_connect_fail++;
    this.upstream_cx_destroy++;
    if (reason === "connection_timeout") this.upstream_cx_connect_timeout++;
  }

  connected(tls: TlsInfo | undefined): void {
    if (!tls) return;
    this.counter("ssl.handshake").inc();
    if (tls.resumed) this.counter("ssl.session_reused").inc();
  }

  /** An answer that the caller does not see: the request is tried again. */
  retried(status: number): void {
    bump(this.#responses.retry, status);
  }

  override resetCounters(): void {
    super.resetCounters();
    for (const counts of Object.values(this.#responses)) counts.clear();
    this.#http2?.resetCounters();
  }

  override *read(unwanted?: ReadonlySet<string>): IterableIterator<readonly [stat: string, kind: StatKind, value: number]> {
    yield* super.read(unwanted);
    for (const [stat, kind, value] of this.#http2?.read() ?? []) yield [`http2.${stat}`, kind, value];
    const { internal, external, retry } = this.#responses;
    const all = new Map(internal);
    for (const [status, count] of external) all.set(status, (all.get(status) ?? 0) + count);
    yield* responses("", all, false);
    yield* responses("internal.", internal, true);
    yield* responses("external.", external, true);
    yield* responses("retry.", retry, true);
    if (this.gauges) yield* gauges(this.gauges);
  }

  override *histograms(): IterableIterator<readonly [stat: string, histogram: Histogram]> {
    if (this.rqTime) yield ["upstream_rq_time", this.rqTime];
  }
}

function bump(counts: Map<number, number>, status: number): void {
  counts.set(status, (counts.get(status) ?? 0) + 1);
}

function* responses(prefix: string, counts: ReadonlyMap<number, number>, completed: boolean): IterableIterator<readonly [string, StatKind, number]> {
  const classes = new Map<number, number>();
  let sum = 0;
  for (const [status, count] of counts) {
    yield [`${prefix}upstream_rq_${status}`, "counter", count];
    const group = Math.floor(status / 100);
    classes.set(group, (classes.get(group) ?? 0) + count);
    sum += count;
  }
  for (const [group, count] of classes) yield [`${prefix}upstream_rq_${group}xx`, "counter", count];
  if (completed && sum > 0) yield [`${prefix}upstream_rq_completed`, "counter", sum];
}

function* gauges(cluster: ClusterGauges): IterableIterator<readonly [string, StatKind, number]> {
  const { load, limits } = cluster;
  let total = 0;
  let healthy = 0;
  let degraded = 0;
  for (const host of cluster.hosts()) {
    total++;
    if (host.healthy) healthy++;
    else if (host.degraded) degraded++;
  }
  const open = (used: number, limit: number): number => (used >= limit ? 1 : 0);
  yield ["membership_total", "gauge", total];
  yield ["membership_healthy", "gauge", healthy];
  yield ["membership_degraded", "gauge", degraded];
  yield ["lb_subsets_active", "gauge", cluster.activeSubsets];
  yield ["upstream_cx_active", "gauge", load.connections];
  yield ["upstream_rq_active", "gauge", load.requests];
  yield ["upstream_rq_pending_active", "gauge", load.pending];
  yield ["circuit_breakers.default.cx_open", "gauge", open(load.connections, limits.maxConnections)];
  yield ["circuit_breakers.default.rq_pending_open", "gauge", open(load.pending, limits.maxPendingRequests)];
  yield ["circuit_breakers.default.rq_open", "gauge", open(load.requests, limits.maxRequests)];
  yield ["circuit_breakers.default.rq_retry_open", "gauge", open(load.retries, limits.maxRetries)];
  if (!cluster.tracksRemaining) return;
  const remaining = (used: number, limit: number): number => Math.max(0, limit - used);
  yield ["circuit_breakers.default.remaining_cx", "gauge", remaining(load.connections, limits.maxConnections)];
  yield ["circuit_breakers.default.remaining_pending", "gauge", remaining(load.pending, limits.maxPendingRequests)];
  yield ["circuit_breakers.default.remaining_rq", "gauge", remaining(load.requests, limits.maxRequests)];
  yield ["circuit_breakers.default.remaining_retries", "gauge", remaining(load.retries, limits.maxRetries)];
}
