import { printNumber } from "../promql/values.ts";
import type { Matcher } from "../store/matchers.ts";
import type { MetricStore } from "../store/metric-store.ts";
import type { Labels } from "../store/series.ts";
import type { HttpApiOptions } from "./http-api.ts";

/**
 * The newest samples of the series that fit, in the text format, for another Prometheus to scrape.
 * https://prometheus.io/docs/prometheus/latest/federation/
 */
export function federate(store: MetricStore, selectors: readonly Matcher[][], now: number, lookbackMs: number): string {
  const found = new Set(selectors.flatMap((matchers) => store.select(matchers)));
  const families = new Map<string, string[]>();
  for (const series of found) {
    const sample = series.sampleAt(now, lookbackMs);
    const name = series.labels.__name__;
    if (!sample || name === undefined) continue;
    const lines = families.get(name) ?? [];
    lines.push(`${name}${labelText({ instance: "", ...series.labels })} ${printNumber(sample.value)} ${sample.time}`);
    families.set(name, lines);
  }
  return [...families]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, lines]) => `# TYPE ${name} untyped\n${lines.join("\n")}\n`)
    .join("");
}

/** What the store says of itself. */
export function ownMetrics({ store, startedAt, version, historyBytes }: HttpApiOptions): string {
  const rows: [name: string, type: string, help: string, value: number, labels?: string][] = [
    ["prometheus_build_info", "gauge", "Which program this is.", 1, `{version="${version}"}`],
    ["process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.", startedAt / 1000],
    ["process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", process.memoryUsage.rss()],
    ["process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.", cpuSeconds()],
    ["prometheus_tsdb_head_series", "gauge", "Total number of series.", store.seriesCount],
    ["prometheus_tsdb_head_samples_appended_total", "counter", "Total number of appended samples.", store.appended],
    ["prometheus_tsdb_retention_limit_bytes", "gauge", "What the history on disk may take.", historyBytes],
    ["chainmail_metrics_series_limit", "gauge", "Series that the store keeps at most.", store.options.maxSeries],
    ["chainmail_metrics_dropped_samples_total", "counter", "Samples refused because a limit of the store was reached.", store.dropped],
  ];
  return rows
    .map(([name, type, help, value, labels = ""]) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name}${labels} ${printNumber(value)}\n`)
    .join("");
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function labelText(labels: Labels): string {
  const pairs = Object.keys(labels)
    .filter((name) => name !== "__name__")
    .sort()
    .map((name) => `${name}="${labels[name]!.replace(/[\\"\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`))}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
