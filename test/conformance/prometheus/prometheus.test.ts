import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createLogger, systemClock } from "../../../src/base/index.ts";
import { type HttpApiOptions, handleHttpApi } from "../../../src/telemetry/api/http-api.ts";
import { Scraper } from "../../../src/telemetry/scrape/scraper.ts";
import { MetricStore } from "../../../src/telemetry/store/metric-store.ts";
import { type Answer, difference } from "../../golden/promql/compare.ts";
import { type Question, questions } from "../../golden/promql/queries.ts";
import { STEP_MS, recordedSeries } from "../../golden/promql/world.ts";
import { ask } from "./answers.ts";
import { FakeTargets } from "./fake-targets.ts";
import { type RunningPrometheus, findPrometheus, startPrometheus } from "./program.ts";
import { remoteWrite } from "./remote-write.ts";

const found = findPrometheus();
const TIMEOUT_MS = 300_000;
/** Long enough for windows of a minute, resets, ends and misses. */
const SCRAPED_MS = 75_000;

/** Our store's API, served as the real one's is. */
function serve(options: HttpApiOptions): { url: string; stop(): void } {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => handleHttpApi(request, options) });
  return { url: `http://127.0.0.1:${server.port}`, stop: () => void server.stop(true) };
}

describe.skipIf(found.path === undefined)(`beside a real Prometheus${found.reason ? `: ${found.reason}` : ""}`, () => {
  test(
    "the recorded questions are answered as they were recorded",
    async () => {
      const prometheus = await startPrometheus(found.path!, `global:\n  evaluation_interval: ${STEP_MS / 1000}s\n`, ["--web.enable-remote-write-receiver"]);
      try {
        await remoteWrite(prometheus.url, recordedSeries());
        const recorded = JSON.parse(
          new TextDecoder().decode(Bun.gunzipSync(readFileSync(join(import.meta.dir, "../../golden/promql/answers.json.gz")))),
        ) as (Question & { answer: Answer })[];
        const differ: string[] = [];
        for (const [index, question] of questions().entries()) {
          const difference_ = difference(question.query, recorded[index]!.answer, await ask(prometheus.url, question));
          if (difference_) differ.push(`${question.query}: ${difference_}`);
        }
        expect(differ).toEqual([]);
      } finally {
        await prometheus.stop();
      }
    },
    TIMEOUT_MS,
  );

  describe("both scrape the same targets", () => {
    let targets: FakeTargets;
    let prometheus: RunningPrometheus;
    let ours: { url: string; stop(): void };
    let scraper: Scraper;
    let at: number;

    beforeAll(async () => {
      targets = new FakeTargets();
      const static_ = targets.all.map(({ host }) => host);
      prometheus = await startPrometheus(
        found.path!,
        `global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nscrape_configs:\n- job_name: fakes\n  static_configs:\n  - targets: ${JSON.stringify(static_)}\n`,
      );
      const store = new MetricStore({ retentionMs: 3_600_000, maxRunsPerSeries: 10_000, maxSeries: 10_000 });
      const listed = static_.map((host) => ({ id: host, url: `http://${host}/metrics`, labels: { job: "fakes", instance: host } }));
      scraper = new Scraper({ store, targets: () => listed, intervalMs: 1_000, clock: systemClock, log: createLogger("test", { level: "none" }) });
      ours = serve({
        store,
        scraper,
        lookbackMs: 300_000,
        defaultStepMs: 1_000,
        scrapeIntervalMs: 1_000,
        historyBytes: 0,
        startedAt: Date.now(),
        version: "0",
        now: Date.now,
      });
      scraper.start();
      targets.start();
      await Bun.sleep(SCRAPED_MS);
      // Scrapes that are under way are not yet in either store.
      at = Date.now() / 1000 - 2.5;
    }, TIMEOUT_MS);
    afterAll(async () => {
      scraper?.stop();
      ours?.stop();
      await prometheus?.stop();
      targets?.stop();
    }, TIMEOUT_MS);

    // What is the same whenever one scrapes.
    test.each([
      "count(up)",
      "sort(up)",
      'count({__name__=~".+"}) by (job)',
      "steady_total offset 3s > bool 0",
      "rate(idle_total[30s])",
      "idle_total",
      "max_over_time(up[1m])",
      "absent(ended_total)",
      "absent(vanishing_gauge)",
      "count(vanishing_gauge)",
      "last_over_time(gone_gauge[2m])",
      "gone_gauge",
      "resets(restarting_total[1m]) > bool 0",
      'count_values("v", idle_total)',
      'label_replace(idle_total, "port", "$1", "instance", ".*:(.*)")',
      "exported_job_gauge",
      "text_gauge",
      "scrape_samples_scraped",
      "scrape_samples_post_metric_relabeling",
      'min_over_time(up{instance=~".*"}[1m])',
      "changes(idle_total[1m])",
      "stamped_gauge",
      "timestamp(stamped_gauge)",
      "weird_gauge",
      "sum(weird_gauge) by (kind)",
    ])("%s", async (query) => {
      const question = { query, time: at };
      expect(difference(query, await ask(prometheus.url, question), await ask(ours.url, question))).toBeUndefined();
    });

    // What depends on when within a second the scrape was: the counters grow by a tenth of their rate each 100 ms.
    test.each([
      "rate(steady_total[30s])",
      "increase(steady_total[30s])",
      "rate(restarting_total[1m])",
      "irate(steady_total[30s])",
      "sum(rate(steady_total[30s]))",
      "deriv(steady_total[30s])",
      "delta(steady_total[30s])",
      "avg_over_time(up[1m])",
      "count_over_time(idle_total[30s])",
      "histogram_quantile(0.5, even_bucket)",
      "count_over_time(missing_gauge[1m])",
      "rate(missing_total[1m])",
      "sum(rate(even_bucket[30s])) by (le)",
      "histogram_quantile(0.9, sum(rate(even_bucket[30s])) by (le))",
      "max_over_time(rate(steady_total[10s])[30s:5s])",
      "predict_linear(steady_total[30s], 60) / steady_total",
      'sum(rate(steady_total[30s])) / on() group_left sum(rate(even_bucket{le="+Inf"}[30s]))',
    ])("about %s", async (query) => {
      const question = { query, time: at };
      expect(difference(query, await ask(prometheus.url, question), await ask(ours.url, question), 0.12)).toBeUndefined();
    });

    test.each([
      'series?match[]=idle_total&match[]={__name__=~"even.*",le="1"}',
      "labels?match[]=even_bucket",
      "label/le/values",
      'label/__name__/values?match[]={le="1"}',
      "label/nothing/values",
      "metadata?metric=even",
      "metadata?metric=idle_total",
      "label/a-b/values",
      "series",
      "series?match[]=sum(up)",
      "rules",
      "alerts",
      "query_exemplars?query=up&start=0&end=1",
      "status/nothing",
      "query?query=up&time=x",
      "query_range?query=up&start=0&end=1",
      "query",
      "query_range?query=up&start=5&end=1&step=1",
    ])("GET %s", async (path) => {
      const get = async (base: string) => {
        const answer = await fetch(`${base}/api/v1/${path}`);
        const text = await answer.text();
        // Ours explains in other words; what clients look at is the status and the type.
        const body = text.startsWith("{") ? (JSON.parse(text) as { data?: unknown; errorType?: string }) : {};
        return { status: answer.status, errorType: body.errorType, data: inOrder(body.data) };
      };
      expect(await get(ours.url)).toEqual(await get(prometheus.url));
    });

    test("targets and their health", async () => {
      const get = async (base: string) => {
        const { data } = (await (await fetch(`${base}/api/v1/targets`)).json()) as { data: { activeTargets: Record<string, unknown>[] } };
        return data.activeTargets
          .map(({ labels, health, scrapeUrl }) => ({ labels, health, scrapeUrl }))
          .sort((a, b) => String(a.scrapeUrl).localeCompare(String(b.scrapeUrl)));
      };
      expect(await get(ours.url)).toEqual(await get(prometheus.url));
    });

    test("each federates the other's samples in the same form", async () => {
      const get = async (base: string) =>
        (await (await fetch(`${base}/federate?match[]=idle_total`)).text())
          .replace(/ \d{13}$/gm, " T")
          .split("\n")
          .sort();
      expect(await get(ours.url)).toEqual(await get(prometheus.url));
    });

    test("health pages", async () => {
      for (const path of ["/-/healthy", "/-/ready"]) expect((await fetch(ours.url + path)).status).toBe((await fetch(prometheus.url + path)).status);
    });
  });
});

/** Lists of label sets have no order. */
function inOrder(data: unknown): unknown {
  return Array.isArray(data)
    ? data.map((row) => JSON.stringify(row, typeof row === "object" && row !== null ? Object.keys(row).sort() : undefined)).sort()
    : data;
}
