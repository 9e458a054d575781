/** The `prometheus` program of an embedded cluster: scrapes the mesh's pods and answers Prometheus' HTTP
 * API; takes spans by OTLP and Zipkin's protocol and answers Jaeger's query API. */
import { VERSION, createLogger, errorText, systemClock } from "../base/index.ts";
import { PODS, createClient, createInformer, inClusterTransport } from "../kube/index.ts";
import type { KubeObject } from "../resources/types.ts";
import { type HttpApiOptions, handleHttpApi } from "./api/http-api.ts";
import { createQueryCache } from "./promql/query-cache.ts";
import { Scraper } from "./scrape/scraper.ts";
import { targetsOf } from "./scrape/targets.ts";
import { History } from "./store/history.ts";
import { MetricStore } from "./store/metric-store.ts";
import { handleJaegerApi } from "./traces/jaeger-api.ts";
import { TraceStore } from "./traces/trace-store.ts";

/** A new edge should be seen within two seconds; the proxies of one machine answer in a few milliseconds. */
const SCRAPE_INTERVAL_MS = Number(process.env.SCRAPE_INTERVAL_MS ?? 1000);
/** Half a day: long enough to look at this morning from the evening. */
const RETENTION_MS = Number(process.env.RETENTION_HOURS ?? 12) * 3_600_000;
/** Each second of the last minutes, four values a minute of the last hour, one a minute before. */
const TIERS = [
  { olderThanMs: 300_000, keepEveryMs: 15_000 },
  { olderThanMs: 3_600_000, keepEveryMs: 60_000 },
];
/** What the tiers let a series have that changes with every scrape: 300 + 220 + 660, and some room. */
const MAX_RUNS_PER_SERIES = 1_300;
/** The history is written this often: what a kill can lose. */
const SAVE_EVERY_MS = 15_000;
const HISTORY_FOLDER = process.env.STORAGE_PATH ?? "/prometheus";
/** All of the history's files; some 500 series that change all the time fill it in a day. */
const HISTORY_BYTES = Number(process.env.STORAGE_MAX_BYTES ?? 64 << 20);
const SEGMENT_BYTES = HISTORY_BYTES / 8;
/** About 100 pods' worth; 24 bytes a run and some 500 bytes of labels a series. */
const MAX_SERIES = 100_000;
/** Prometheus' own. A series that its target no longer has ends at once; this is for times of which nothing is known. */
const LOOKBACK_MS = 300_000;
/** Silence that is a gap, where samples are thinned out. */
const GAP_MS = 5 * SCRAPE_INTERVAL_MS;

const PORT = 9090;
/** Where Jaeger's query API is looked for. */
const JAEGER_PORT = 16686;
/** Some ten thousand requests through three services; they go with the program. */
const TRACES_BYTES = Number(process.env.TRACES_MAX_BYTES ?? 32 << 20);
/** More than any request causes that a person could look at. */
const MAX_SPANS_PER_TRACE = 2_000;

const log = createLogger("prometheus");
const store = new MetricStore({ retentionMs: RETENTION_MS, maxRunsPerSeries: MAX_RUNS_PER_SERIES, maxSeries: MAX_SERIES, tiers: TIERS, gapMs: GAP_MS });
const history = openHistory();
const client = createClient(inClusterTransport());
const pods = createInformer<KubeObject>(client, PODS, {
  log,
  transform: (pod) => {
    // Only what targets are made from is kept.
    const { podIP, phase } = (pod.status ?? {}) as { podIP?: string; phase?: string };
    const { name, namespace, labels, annotations, resourceVersion } = pod.metadata;
    return { apiVersion: pod.apiVersion, kind: pod.kind, metadata: { name, namespace, labels, annotations, resourceVersion }, status: { podIP, phase } };
  },
});
let saved = Date.now();
const scraper = new Scraper({
  store,
  targets: () => targetsOf(pods),
  intervalMs: SCRAPE_INTERVAL_MS,
  clock: systemClock,
  log,
  onRound(now) {
    if (now - saved < SAVE_EVERY_MS) return;
    saved = now;
    history?.save(store, now);
  },
});
const options: HttpApiOptions = {
  store,
  scraper,
  lookbackMs: LOOKBACK_MS,
  defaultStepMs: SCRAPE_INTERVAL_MS,
  scrapeIntervalMs: SCRAPE_INTERVAL_MS,
  historyBytes: history ? HISTORY_BYTES : 0,
  startedAt: Date.now(),
  version: VERSION,
  now: Date.now,
  parse: createQueryCache(),
  clock: () => performance.now(),
};

const server = Bun.serve({ port: PORT, hostname: "0.0.0.0", fetch: (request) => handleHttpApi(request, options) });
const traces = new TraceStore({ maxBytes: TRACES_BYTES, maxSpansPerTrace: MAX_SPANS_PER_TRACE });
const jaeger = Bun.serve({ port: JAEGER_PORT, hostname: "0.0.0.0", fetch: (request) => handleJaegerApi(request, traces, Date.now) });
log.info("listening", { port: server.port, jaeger: jaeger.port });
await pods.synced;
scraper.start();
// After what others wait for: protobuf's types take their time to load.
const receivers = (await import("./traces/receivers.ts")).startTraceReceivers(traces, log.child("traces"));

process.on("SIGTERM", () => {
  scraper.stop();
  history?.save(store, Date.now());
  pods.stop();
  receivers.stop();
  void jaeger.stop(true);
  void server.stop(true).then(() => process.exit(0));
});

/** Without a folder that can be written to, samples are kept in memory alone. */
function openHistory(): History | undefined {
  try {
    const opened = new History({
      folder: HISTORY_FOLDER,
      maxBytes: HISTORY_BYTES,
      segmentBytes: SEGMENT_BYTES,
      endedMs: Math.max(10_000, GAP_MS),
      stepMs: SCRAPE_INTERVAL_MS,
      log,
    });
    const count = opened.load(store);
    store.trim(Date.now());
    log.info("history read", { folder: HISTORY_FOLDER, series: count });
    return opened;
  } catch (thrown) {
    log.warn("no history on disk: samples are kept in memory only", { folder: HISTORY_FOLDER, error: errorText(thrown) });
    return undefined;
  }
}
