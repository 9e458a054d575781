import { expect, test } from "bun:test";
import { FakeClock, createLogger } from "../../base/index.ts";
import { Scraper } from "../scrape/scraper.ts";
import { MetricStore } from "../store/metric-store.ts";
import { type HttpApiOptions, handleHttpApi } from "./http-api.ts";

const store = new MetricStore({ retentionMs: 43_200_000, maxRunsPerSeries: 100, maxSeries: 100 });
store.metadata.set("requests_total", { type: "counter", help: "Requests." });
for (const app of ["a", "b"]) {
  const { series } = store.series({ __name__: "requests_total", app })!;
  for (let t = 0; t <= 60; t++) series.append(t * 1000, t, 1_000);
}
const scraper = new Scraper({ store, targets: () => [], intervalMs: 1_000, clock: new FakeClock(60_000), log: createLogger("test", { level: "none" }) });
const options: HttpApiOptions = {
  store,
  scraper,
  lookbackMs: 10_000,
  defaultStepMs: 1_000,
  scrapeIntervalMs: 1_000,
  historyBytes: 64 << 20,
  startedAt: 0,
  version: "1.0",
  now: () => 60_000,
};
const get = async (path: string) =>
  (await (await handleHttpApi(new Request(`http://x/api/v1/${path}`), options)).json()) as { status: string; data: unknown; error?: string };

test("metadata, series, labels and values", async () => {
  expect((await get("metadata")).data).toEqual({ requests_total: [{ type: "counter", help: "Requests.", unit: "" }] });
  expect((await get("metadata?metric=other")).data).toEqual({});
  expect((await get('series?match[]=requests_total{app="a"}')).data).toEqual([{ __name__: "requests_total", app: "a" }]);
  expect((await get("series?match[]=requests_total&limit=1")).data).toHaveLength(1);
  expect((await get("series")).status).toBe("error");
  expect((await get("labels")).data).toEqual(["__name__", "app"]);
  expect((await get("label/app/values")).data).toEqual(["a", "b"]);
});

test("status pages say how much is kept and where", async () => {
  expect((await get("status/runtimeinfo")).data).toMatchObject({ storageRetention: "12h", timeSeriesCount: 2 });
  expect((await get("status/flags")).data).toMatchObject({ "storage.tsdb.retention.size": "67108864B" });
  expect((await get("rules")).data).toEqual({ groups: [] });
});

test("queries by GET and by form, and what is wrong with them", async () => {
  expect((await get("query?query=sum(requests_total)&time=60")).data).toMatchObject({ resultType: "vector", result: [{ value: [60, "120"] }] });
  const form = await handleHttpApi(
    new Request("http://x/api/v1/query_range", { method: "POST", body: new URLSearchParams({ query: "requests_total", start: "10", end: "30", step: "10" }) }),
    options,
  );
  expect(await form.json()).toMatchObject({
    data: {
      resultType: "matrix",
      result: [
        {
          values: [
            [10, "10"],
            [20, "20"],
            [30, "30"],
          ],
        },
        {},
      ],
    },
  });
  expect(await get("query?query=sum(")).toMatchObject({ status: "error", errorType: "bad_data", error: expect.stringContaining("parse error") });
  expect((await get("query_range?query=1&start=0&end=1e9&step=1")).error).toContain("11,000 points");
  expect((await handleHttpApi(new Request("http://x/api/v1/nothing"), options)).status).toBe(404);
});

test("bounds of time, and what is wrong with parameters", async () => {
  expect((await get("series?match[]=requests_total&start=70")).data).toEqual([]);
  expect((await get("labels?match[]=requests_total&start=0&end=10")).data).toEqual(["__name__", "app"]);
  expect(await get("label/a-b/values")).toMatchObject({ status: "error", error: 'invalid label name: "a-b"' });
  expect(await get("query?query=up&time=yesterday")).toMatchObject({
    errorType: "bad_data",
    error: 'invalid parameter "time": cannot parse "yesterday" to a valid timestamp',
  });
  expect(await get("query_range?query=up&start=0&end=1")).toMatchObject({ error: 'invalid parameter "step": cannot parse "" to a valid duration' });
  expect(await get("query")).toMatchObject({ error: expect.stringContaining('invalid parameter "query"') });
  expect(await get("series?match[]=sum(up)")).toMatchObject({ error: expect.stringContaining('invalid parameter "match[]"') });
});

test("federation, its own metrics, and the pages that other programs look for", async () => {
  const page = async (path: string) => (await handleHttpApi(new Request(`http://x${path}`), options)).text();
  expect(await page('/federate?match[]=requests_total{app="a"}')).toBe('# TYPE requests_total untyped\nrequests_total{app="a",instance=""} 60 60000\n');
  expect(await page("/metrics")).toContain("\nprometheus_tsdb_head_series 2\n");
  expect((await get("status/buildinfo")).data).toMatchObject({ version: "2.42.0+chainmail.1.0" });
  expect((await get("status/tsdb")).data).toMatchObject({ headStats: { numSeries: 2 }, seriesCountByMetricName: [{ name: "requests_total", value: 2 }] });
  expect((await get("query_exemplars?query=requests_total&start=0&end=1")).data).toEqual([]);
  expect((await handleHttpApi(new Request("http://x/api/v1/label/app/values", { method: "POST" }), options)).status).toBe(405);
});

test("a query that takes too long is let go of", async () => {
  let now = 0;
  const slow = { ...options, clock: () => (now += 20_000) };
  const query = "max_over_time(sum(requests_total)[1m:10ms])";
  const answer = await handleHttpApi(new Request(`http://x/api/v1/query?time=60&query=${encodeURIComponent(query)}`), slow);
  expect([answer.status, await answer.json()]).toEqual([503, { status: "error", errorType: "timeout", error: "query timed out in expression evaluation" }]);
});
