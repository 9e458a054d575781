import type { TargetState } from "../scrape/scraper.ts";
import type { Target } from "../scrape/targets.ts";
import type { MetricStore } from "../store/metric-store.ts";

/** What is scraped, and how the last scrape went; `state` is active, dropped or any. */
export function targetRows(states: readonly TargetState[], state: string, scrapeIntervalMs: number): unknown {
  return {
    activeTargets: state === "dropped" ? [] : states.map((one) => row(one, scrapeIntervalMs)),
    droppedTargets: [],
    ...(state !== "dropped" && { droppedTargetCounts: { "kubernetes-pods": 0 } }),
  };
}

/**
 * The same targets for another Prometheus, by its HTTP discovery: Debian's is built without that of Kubernetes.
 * https://prometheus.io/docs/prometheus/latest/http_sd/
 */
export function discovery(targets: readonly Target[]): unknown {
  return targets.map(({ url, labels: { job: _job, instance: _instance, ...labels } }) => {
    const { protocol, host, pathname, search } = new URL(url);
    return { targets: [host], labels: { ...labels, __scheme__: protocol.slice(0, -1), __metrics_path__: `${pathname}${search}` } };
  });
}

function row(state: TargetState, scrapeIntervalMs: number): unknown {
  const { protocol, host, pathname } = new URL(state.target.url);
  return {
    discoveredLabels: {
      __address__: host,
      __metrics_path__: pathname,
      __scheme__: protocol.slice(0, -1),
      __scrape_interval__: `${scrapeIntervalMs / 1000}s`,
      job: "kubernetes-pods",
    },
    labels: state.target.labels,
    scrapePool: "kubernetes-pods",
    scrapeUrl: state.target.url,
    globalUrl: state.target.url,
    lastError: state.lastError,
    lastScrape: new Date(state.lastScrape).toISOString(),
    lastScrapeDuration: state.lastDurationMs / 1000,
    health: state.lastScrape === 0 ? "unknown" : state.lastError ? "down" : "up",
    scrapeInterval: `${scrapeIntervalMs / 1000}s`,
    scrapeTimeout: "5s",
  };
}

/** What targets say of their metrics; of one metric where `metric` names it. */
export function targetMetadata(states: readonly TargetState[], store: MetricStore, parameters: URLSearchParams): unknown[] {
  const metric = parameters.get("metric") ?? "";
  const known = [...store.metadata].filter(([name]) => metric === "" || name === metric);
  return states.flatMap(({ target }) =>
    known.map(([name, { type, help }]) => ({
      target: { instance: target.labels.instance, job: target.labels.job },
      ...(metric === "" && { metric: name }),
      type,
      help,
      unit: "",
    })),
  );
}
