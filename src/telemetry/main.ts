/** The `prometheus` program of an embedded cluster: scrapes the mesh's pods and answers Prometheus' HTTP API. */
import { VERSION, createLogger, systemClock } from "../base/index.ts";
import { PODS, createClient, createInformer, inClusterTransport } from "../kube/index.ts";
import type { KubeObject } from "../resources/types.ts";
import { type HttpApiOptions, handleHttpApi } from "./api/http-api.ts";
import { Scraper } from "./scrape/scraper.ts";
import { targetsOf } from "./scrape/targets.ts";
import { MetricStore } from "./store/metric-store.ts";

/** A new edge should be seen within two seconds; the proxies of one machine answer in a few milliseconds. */
const SCRAPE_INTERVAL_MS = Number(process.env.SCRAPE_INTERVAL_MS ?? 1000);
const RETENTION_MS = 3_600_000;
/** A busy series changes with every scrape: a quarter of an hour of those, an hour of quieter ones. */
const MAX_RUNS_PER_SERIES = 900;
/** About 100 pods' worth; 24 bytes a run and some 500 bytes of labels a series. */
const MAX_SERIES = 100_000;
/** A series that three scrapes have not seen is gone, and slow scrapes are forgiven. */
const LOOKBACK_MS = Math.max(10_000, 5 * SCRAPE_INTERVAL_MS);

const PORT = 9090;

const log = createLogger("prometheus");
const store = new MetricStore({ retentionMs: RETENTION_MS, maxRunsPerSeries: MAX_RUNS_PER_SERIES, maxSeries: MAX_SERIES });
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
const scraper = new Scraper({ store, targets: () => targetsOf(pods), intervalMs: SCRAPE_INTERVAL_MS, clock: systemClock, log });
const options: HttpApiOptions = {
  store,
  scraper,
  lookbackMs: LOOKBACK_MS,
  defaultStepMs: SCRAPE_INTERVAL_MS,
  scrapeIntervalMs: SCRAPE_INTERVAL_MS,
  startedAt: Date.now(),
  version: VERSION,
  now: Date.now,
};

const server = Bun.serve({ port: PORT, hostname: "0.0.0.0", fetch: (request) => handleHttpApi(request, options) });
log.info("listening", { port: server.port });
await pods.synced;
scraper.start();

process.on("SIGTERM", () => {
  scraper.stop();
  pods.stop();
  void server.stop(true).then(() => process.exit(0));
});
