import { Counter, Histogram } from "./stats.ts";

export type StatKind = "counter" | "gauge";

/**
 * Statistics under one dotted prefix. Subclasses have a numeric field for each, called as Envoy calls it: counting is an
 * increment, and names matter only when somebody reads. What has a dot in its name is made with
 * `counter`; whether one is a gauge is told from its name.
 */
export class StatScope {
  readonly #counters = new Map<string, Counter>();

  constructor(readonly prefix: string) {}

  counter(stat: string): Counter {
    let counter = this.#counters.get(stat);
    if (!counter) {
      counter = new Counter();
      this.#counters.set(stat, counter);
    }
    return counter;
  }

  resetCounters(): void {
    const fields = this as unknown as Record<string, unknown>;
    for (const [stat, value] of Object.entries(fields)) if (typeof value === "number" && !GAUGE.test(stat)) fields[stat] = 0;
    for (const [stat, counter] of this.#counters) if (!GAUGE.test(stat)) counter.value = 0;
  }

  /** Each statistic with its value now; those that nobody wants may be left out, or not. */
  *read(unwanted?: ReadonlySet<string>): IterableIterator<readonly [stat: string, kind: StatKind, value: number]> {
    // Read every second by who watches a mesh: no list of what it has is made for that.
    for (const stat in this) {
      if (unwanted?.has(stat)) continue;
      const value: unknown = this[stat];
      if (typeof value === "number") yield [stat, GAUGE.test(stat) ? "gauge" : "counter", value];
    }
    for (const [stat, { value }] of this.#counters) if (!unwanted?.has(stat)) yield [stat, GAUGE.test(stat) ? "gauge" : "counter", value];
  }

  *histograms(): IterableIterator<readonly [stat: string, histogram: Histogram]> {}
}

const GAUGE = /(?:^|_)active$|^active_connections$|active_faults$|_buffered$|_open$|^pressure$|^membership_(?!change)/;

/** What an HTTP connection manager counts under its `stat_prefix`. */
export class HttpStats extends StatScope {
  downstream_cx_active = 0;
  downstream_cx_destroy = 0;
  downstream_cx_http1_active = 0;
  downstream_cx_http1_total = 0;
  downstream_cx_http2_active = 0;
  downstream_cx_http2_total = 0;
  downstream_cx_idle_timeout = 0;
  downstream_cx_overload_disable_keepalive = 0;
  downstream_cx_protocol_error = 0;
  downstream_cx_rx_bytes_total = 0;
  downstream_cx_ssl_active = 0;
  downstream_cx_ssl_total = 0;
  downstream_cx_total = 0;
  downstream_cx_tx_bytes_total = 0;
  downstream_cx_upgrades_active = 0;
  downstream_cx_upgrades_total = 0;
  downstream_rq_1xx = 0;
  downstream_rq_2xx = 0;
  downstream_rq_3xx = 0;
  downstream_rq_4xx = 0;
  downstream_rq_5xx = 0;
  downstream_rq_active = 0;
  downstream_rq_completed = 0;
  downstream_rq_failed_path_normalization = 0;
  downstream_rq_header_timeout = 0;
  downstream_rq_http1_total = 0;
  downstream_rq_http2_total = 0;
  downstream_rq_idle_timeout = 0;
  downstream_rq_max_duration_reached = 0;
  downstream_rq_non_relative_path = 0;
  downstream_rq_redirected_with_normalized_path = 0;
  downstream_rq_overload_close = 0;
  downstream_rq_response_before_rq_complete = 0;
  downstream_rq_rx_reset = 0;
  downstream_rq_timeout = 0;
  downstream_rq_too_many_premature_resets = 0;
  downstream_rq_total = 0;
  downstream_rq_tx_reset = 0;
  downstream_rq_ws_on_non_ws_route = 0;
  no_cluster = 0;
  no_route = 0;
  rq_direct_response = 0;
  rq_redirect = 0;
  rq_reset_after_downstream_response_started = 0;
  rq_total = 0;
  /** Of whole exchanges, in ms; undefined when nobody looks. */
  readonly rqTime: Histogram | undefined;

  constructor(prefix: string, includes: (dotted: string) => boolean) {
    super(prefix);
    this.rqTime = includes(`${prefix}.downstream_rq_time`) ? new Histogram() : undefined;
  }

  override *histograms(): IterableIterator<readonly [stat: string, histogram: Histogram]> {
    if (this.rqTime) yield ["downstream_rq_time", this.rqTime];
  }

  /** A response with this status begins. */
  responded(status: number): void {
    this.downstream_rq_completed++;
    if (status < 200) this.downstream_rq_1xx++;
    else if (status < 300) this.downstream_rq_2xx++;
    else if (status < 400) this.downstream_rq_3xx++;
    else if (status < 500) this.downstream_rq_4xx++;
    else this.downstream_rq_5xx++;
  }
}

/** What a TCP proxy counts under its `stat_prefix`. */
export class TcpStats extends StatScope {
  downstream_cx_no_route = 0;
  downstream_cx_rx_bytes_total = 0;
  downstream_cx_total = 0;
  downstream_cx_tx_bytes_total = 0;
  idle_timeout = 0;
}

/** What a listener counts under its address. */
export class ListenerStats extends StatScope {
  downstream_cx_active = 0;
  downstream_cx_destroy = 0;
  downstream_cx_total = 0;
  downstream_cx_overflow = 0;
  downstream_cx_overload_reject = 0;
  downstream_global_cx_overflow = 0;
  downstream_pre_cx_active = 0;
  downstream_pre_cx_timeout = 0;
  no_filter_chain_match = 0;
}
