import type { HttpApiOptions } from "./http-api.ts";

/** The Prometheus whose answers these are: askers look whether their queries are known. */
const ANSWERS_AS = "2.42.0";
/** Rows of each table of the store's status, as Prometheus' page has them. */
const TOP = 10;

/** A page below /api/v1/status/, or undefined. */
export function statusPage(name: string, options: HttpApiOptions): unknown {
  switch (name) {
    case "buildinfo":
      return { version: `${ANSWERS_AS}+chainmail.${options.version}`, revision: "", branch: "", buildUser: "", buildDate: "", goVersion: "" };
    case "runtimeinfo":
      return {
        startTime: new Date(options.startedAt).toISOString(),
        CWD: "/",
        reloadConfigSuccess: true,
        lastConfigTime: new Date(options.startedAt).toISOString(),
        corruptionCount: 0,
        goroutineCount: 1,
        GOMAXPROCS: 1,
        GOGC: "",
        GODEBUG: "",
        storageRetention: retention(options),
        timeSeriesCount: options.store.seriesCount,
      };
    case "config":
      return {
        yaml: `global:\n  scrape_interval: ${options.scrapeIntervalMs / 1000}s\n  evaluation_interval: ${options.defaultStepMs / 1000}s\nscrape_configs:\n- job_name: kubernetes-pods\n  kubernetes_sd_configs:\n  - role: pod\n`,
      };
    case "flags":
      return {
        "query.lookback-delta": `${options.lookbackMs / 1000}s`,
        "query.max-samples": "50000000",
        "query.timeout": "10s",
        "storage.tsdb.retention.size": `${options.historyBytes}B`,
        "storage.tsdb.retention.time": retention(options),
        "web.listen-address": "0.0.0.0:9090",
      };
    case "tsdb":
      return tables(options);
    case "walreplay":
      return { min: 0, max: 0, current: 0, state: "done" };
    default:
      return undefined;
  }
}

function tables({ store, now }: HttpApiOptions): unknown {
  const values = new Map<string, Set<string>>();
  const bytes = new Map<string, number>();
  const pairs = new Map<string, number>();
  let [oldest, newest, runs] = [Infinity, 0, 0];
  for (const series of store.all()) {
    oldest = Math.min(oldest, series.first?.time ?? Infinity);
    newest = Math.max(newest, series.lastTime);
    runs += series.runs;
    for (const [name, value] of Object.entries(series.labels)) {
      const known = values.get(name);
      if (!known) values.set(name, new Set([value]));
      if (!known?.has(value)) bytes.set(name, (bytes.get(name) ?? 0) + value.length);
      known?.add(value);
      pairs.set(`${name}=${value}`, (pairs.get(`${name}=${value}`) ?? 0) + 1);
    }
  }
  return {
    headStats: {
      numSeries: store.seriesCount,
      numLabelPairs: pairs.size,
      chunkCount: runs,
      minTime: Number.isFinite(oldest) ? oldest : now(),
      maxTime: newest,
    },
    seriesCountByMetricName: top(store.families()),
    labelValueCountByLabelName: top([...values].map(([name, set]) => [name, set.size])),
    memoryInBytesByLabelName: top(bytes),
    seriesCountByLabelValuePair: top(pairs),
  };
}

function top(rows: Iterable<[string, number]>): { name: string; value: number }[] {
  return [...rows]
    .sort(([, a], [, b]) => b - a)
    .slice(0, TOP)
    .map(([name, value]) => ({ name, value }));
}

/** As Prometheus writes durations of whole hours. */
function retention({ store }: HttpApiOptions): string {
  const seconds = store.options.retentionMs / 1000;
  return seconds % 3600 === 0 ? `${seconds / 3600}h` : `${seconds}s`;
}
