import { expect, test } from "bun:test";
import { FakeClock, createLogger } from "../../base/index.ts";
import { Scraper } from "../scrape/scraper.ts";
import { MetricStore } from "../store/metric-store.ts";
import { type HttpApiOptions, handleHttpApi } from "./http-api.ts";

const store = new MetricStore({ retentionMs: 43_200_000, maxRunsPerSeries: 100, maxSeries: 100 });
store.metadata.set("requests_total", { type: "counter", help: "Requests." });
for (const app of ["a", "b"]) {
  const { series } = store.series("requests_total", app, () => ({ __name__: "requests_total", app }))!;
  for (let t = 0; t <= 60; t++) series.append(t * 1000, t, 1_000);
}
const scraper = new Scraper({ store, targets: () => [], intervalMs: 1_000, clock: new FakeClock(60_000), log: createLogger("test", { level: "none" }) });
const options: HttpApiOptions = { store, scraper, lookbackMs: 10_000, defaultStepMs: 1_000, scrapeIntervalMs: 1_000, historyBytes: 64 << 20, startedAt: 0, version: "1.0", now: () => 60_000 };
const get = async (path: string) => (await (await handleHttpApi(new Request(`http://x/api/v1/${path}`), options)).json()) as { status: string; data: unknown; error?: string };

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
  const form = await handleHttpApi(new Request("http://x/api/v1/query_range", { method: "POST", body: new URLSearchParams({ query: "requests_total", start: "10", end: "30", step: "10" }) }), options);
  expect(await form.json()).toMatchObject({ data: { resultType: "matrix", result: [{ values: [[10, "10"], [20, "20"], [30, "30"]] }, {}] } });
  expect(await get("query?query=sum(")).toMatchObject({ status: "error", errorType: "bad_data", error: expect.stringContaining("parse error") });
  expect((await get("query_range?query=1&start=0&end=1e9&step=1")).error).toContain("11,000 points");
  expect((await handleHttpApi(new Request("http://x/api/v1/nothing"), options)).status).toBe(404);
});
