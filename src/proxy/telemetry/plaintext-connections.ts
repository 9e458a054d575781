import { SourceNames } from "./source-names.ts";
import type { Counter, Gauge, StatsRegistry } from "./stats.ts";

interface Series {
  readonly total: Counter;
  readonly active: Gauge;
}

/**
 * `chainmail_plaintext_connections_total` and `…_active`: who was let in without TLS, by address. Istio's metrics do not
 * tell: callers without a certificate are all `unknown` there. Connections that last are seen by the second.
 */
export class PlaintextConnections {
  readonly #sources = new SourceNames();
  readonly #series = new Map<string, Series>();

  constructor(private readonly stats: StatsRegistry) {}

  /** The returned function says that the connection is gone. */
  opened(sourceIp: string, destinationPort: number): () => void {
    const source = this.#sources.name(sourceIp);
    const key = `${source} ${destinationPort}`;
    let series = this.#series.get(key);
    if (!series) {
      const labels = [
        ["source_ip", source],
        ["destination_port", String(destinationPort)],
      ] as const;
      series = {
        total: this.stats.counter("chainmail_plaintext_connections_total", labels),
        active: this.stats.gauge("chainmail_plaintext_connections_active", labels),
      };
      this.#series.set(key, series);
    }
    const { total, active } = series;
    total.inc();
    active.inc();
    return () => active.dec();
  }
}
