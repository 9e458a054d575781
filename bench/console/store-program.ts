/** Our store without a cluster: scrapes what a file of targets lists. Arguments: that file, a folder, the interval in ms. Prints its port; stops scraping at SIGUSR1. */
import { readFileSync } from "node:fs";
import { createLogger, systemClock } from "../../src/base/index.ts";
import { handleHttpApi } from "../../src/telemetry/api/http-api.ts";
import { createQueryCache } from "../../src/telemetry/promql/query-cache.ts";
import { Scraper } from "../../src/telemetry/scrape/scraper.ts";
import type { Target } from "../../src/telemetry/scrape/targets.ts";
import { History } from "../../src/telemetry/store/history.ts";
import { MetricStore } from "../../src/telemetry/store/metric-store.ts";

const [targetsFile = "", folder = "", interval = "1000"] = process.argv.slice(2);
const intervalMs = Number(interval);
const targets = JSON.parse(readFileSync(targetsFile, "utf8")) as Target[];
const log = createLogger("store", { level: "error" });
const store = new MetricStore({
  retentionMs: 43_200_000,
  maxRunsPerSeries: 1_300,
  maxSeries: 200_000,
  tiers: [{ olderThanMs: 300_000, keepEveryMs: 15_000 }],
  gapMs: 5 * intervalMs,
});
const history = new History({ folder, maxBytes: 1 << 30, segmentBytes: 8 << 20, endedMs: 10 * intervalMs, stepMs: intervalMs, log });
history.load(store);
let saved = Date.now();
const scraper = new Scraper({
  store,
  targets: () => targets,
  intervalMs,
  clock: systemClock,
  log,
  onRound(now) {
    if (now - saved < 15_000) return;
    saved = now;
    history.save(store, now);
  },
});
const options = {
  store,
  scraper,
  lookbackMs: 300_000,
  defaultStepMs: intervalMs,
  scrapeIntervalMs: intervalMs,
  historyBytes: 0,
  startedAt: Date.now(),
  version: "bench",
  now: Date.now,
  parse: createQueryCache(),
  clock: () => performance.now(),
};
const server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 60, fetch: (request) => handleHttpApi(request, options) });
process.on("SIGUSR1", () => {
  scraper.stop();
  history.save(store, Date.now());
});
console.log(server.port);
scraper.start();
