import { afterEach, describe, expect, test } from "bun:test";
import { FakeClock, createLogger } from "../../base/index.ts";
import { queryInstant } from "../promql/evaluate.ts";
import { MetricStore } from "../store/metric-store.ts";
import { Scraper } from "./scraper.ts";
import type { Target } from "./targets.ts";

const servers: { stop(force: boolean): unknown }[] = [];
afterEach(() => void servers.splice(0).forEach((server) => server.stop(true)));

/** A target whose answer the test sets, and a scraper of it whose time the test moves. */
function start(maxSeries = 1_000) {
  const pod = { text: "", status: 200 };
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(pod.text, { status: pod.status }) });
  servers.push(server);
  const clock = new FakeClock(1_000_000);
  const store = new MetricStore({ retentionMs: 3_600_000, maxRunsPerSeries: 1_000, maxSeries });
  let targets: Target[] = [{ id: "pod", url: `http://127.0.0.1:${server.port}/metrics`, labels: { pod: "pod", job: "kubernetes-pods" } }];
  const scraper = new Scraper({
    store,
    targets: () => targets,
    intervalMs: 1_000,
    maxSamplesPerScrape: 100,
    clock,
    log: createLogger("test", { level: "none" }),
  });
  const round = async (text: string | number) => {
    if (typeof text === "number") pod.status = text;
    else Object.assign(pod, { text, status: 200 });
    clock.advance(1_000);
    await scraper.scrapeAll();
  };
  const value = (query: string) => {
    const result = queryInstant(query, clock.now(), { store, lookbackMs: 300_000, defaultStepMs: 1_000 });
    return result.type === "vector" ? result.samples.map((sample) => sample.value) : [];
  };
  return { scraper, store, round, value, remove: () => (targets = []) };
}

describe("scraping", () => {
  test("a series that a target no longer says is gone at once, and comes back as itself", async () => {
    const { round, value } = start();
    await round("# TYPE a counter\na 1\nb 1\n");
    await round("# TYPE a counter\na 2\n");
    expect([value("a"), value("b")]).toEqual([[2], []]);
    await round("a 3\nb 7\n");
    expect(value("b")).toEqual([7]);
    expect(value("count_over_time(b[1m])")).toEqual([2]);
  });

  test("a target that does not answer has no series but up, which is 0", async () => {
    const { round, value, scraper } = start();
    await round("a 1\n");
    await round(503);
    expect([value("a"), value("up"), value("scrape_samples_scraped")]).toEqual([[], [0], [0]]);
    expect(scraper.states()[0]!.lastError).toContain("503");
    await round("a 1\n");
    expect([value("a"), value("up")]).toEqual([[1], [1]]);
  });

  test("a target that is gone takes its series along", async () => {
    const { round, value, remove } = start();
    await round("a 1\n");
    remove();
    await round("a 1\n");
    expect([value("a"), value("up")]).toEqual([[], []]);
  });

  test("a counter that is born on a known target rises from zero; a gauge does not", async () => {
    const { round, value } = start();
    await round("x 1\n");
    await round("# TYPE a counter\na 3\n# TYPE g gauge\ng 3\n");
    expect(value("increase(a[10s])")[0]).toBeGreaterThan(2.9);
    expect(value("count_over_time(g[10s])")).toEqual([1]);
  });

  test("a target may say when it measured; what is not later than before is left out", async () => {
    const { round, value } = start();
    await round("a 1 1000500\n");
    await round("a 2 1000500\n");
    expect([value("a"), value("timestamp(a)")]).toEqual([[1], [1000.5]]);
  });

  test("a full store refuses new series, keeps the old ones going and says how many samples it dropped", async () => {
    const { round, value, store } = start(10);
    await round("a 1\n");
    await round(`a 2\n${Array.from({ length: 20 }, (_, i) => `many{n="${i}"} 1`).join("\n")}\n`);
    expect(value("a")).toEqual([2]);
    expect(store.seriesCount).toBe(10);
    expect(store.dropped).toBeGreaterThan(0);
  });

  test("a store that is crowded forgets what has ended first", async () => {
    const { round, value, store } = start(50);
    for (let generation = 0; generation < 5; generation++) {
      await round(`a ${generation}\n${Array.from({ length: 10 }, (_, i) => `many{n="${generation}-${i}"} 1`).join("\n")}\n`);
      store.trim(1_000_000);
    }
    expect(value("count(many)")).toEqual([10]);
    expect(store.seriesCount).toBeLessThan(50);
  });

  test("labels without an end are dropped and counted; what else the target says is kept", async () => {
    const { round, value, store } = start();
    await round(`long{text="${"x".repeat(20_000)}"} 1\na 1\n`);
    expect([value("a"), value("long"), store.dropped]).toEqual([[1], [], 1]);
  });

  test("series that come and go in the middle of others, in any order, are taken for themselves", async () => {
    const { round, value } = start();
    await round('a 1\nb{x="1"} 2\nc 3\nd 4\n');
    await round('d 5\na 2\nnew 1\nc 4\nb{x="1"} 3\n');
    expect(["a", "b", "c", "d", "new"].map((name) => value(name)[0])).toEqual([2, 3, 4, 5, 1]);
    await round('a 3\nb{x="2"} 9\nd 6\n');
    expect([value("a"), value("b"), value("c"), value("d")]).toEqual([[3], [9], [], [6]]);
  });

  test("too many samples in one scrape fail it, with the limit's name", async () => {
    const { round, value, scraper } = start();
    await round(Array.from({ length: 101 }, () => "a 1").join("\n"));
    expect(scraper.states()[0]!.lastError).toContain("sample limit exceeded");
    expect(value("up")).toEqual([0]);
  });
});
