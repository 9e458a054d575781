import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Answer, difference } from "../../../test/golden/promql/compare.ts";
import { type Question, questions } from "../../../test/golden/promql/queries.ts";
import { END, STEP_MS, recordedSeries } from "../../../test/golden/promql/world.ts";
import { FakeClock, createLogger } from "../../base/index.ts";
import { type HttpApiOptions, handleHttpApi } from "../api/http-api.ts";
import { Scraper } from "../scrape/scraper.ts";
import { MetricStore } from "../store/metric-store.ts";

/** What a real Prometheus 2.42 answered; test/conformance/prometheus/record.ts made it. */
const recorded = JSON.parse(
  new TextDecoder().decode(Bun.gunzipSync(readFileSync(join(import.meta.dir, "../../../test/golden/promql/answers.json.gz")))),
) as (Question & { answer: Answer })[];
const options = store();

test("the recording is of these questions", () => {
  expect(recorded.map((row): unknown => ({ ...row, answer: undefined }))).toEqual(questions().map((question) => ({ ...question, answer: undefined })));
});

describe("as a real Prometheus answers", () => {
  for (const { answer, ...question } of recorded) {
    test(`${question.query}${"time" in question ? ` at ${question.time}` : ` from ${question.start} by ${question.step}`}`, async () => {
      expect(difference(question.query, answer, await ask(question as Question))).toBeUndefined();
    });
  }
});

async function ask(question: Question): Promise<Answer> {
  const body = new URLSearchParams(Object.entries(question).map(([name, value]) => [name, String(value)]));
  const response = await handleHttpApi(new Request(`http://store/api/v1/${"time" in question ? "query" : "query_range"}`, { method: "POST", body }), options);
  const { data, errorType, error } = (await response.json()) as { data?: { resultType: string; result: unknown }; errorType?: string; error?: string };
  return { status: response.status, ...(errorType !== undefined && { errorType, error }), ...data };
}

function store(): HttpApiOptions {
  const made = new MetricStore({ retentionMs: 86_400_000, maxRunsPerSeries: 1_000, maxSeries: 10_000 });
  for (const { labels, samples } of recordedSeries()) {
    const { series } = made.series(Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== "")))!;
    for (const { time, value } of samples) {
      if (value === undefined) series.end(time);
      else series.append(time, value, STEP_MS);
    }
  }
  const scraper = new Scraper({ store: made, targets: () => [], intervalMs: STEP_MS, clock: new FakeClock(END), log: createLogger("test", { level: "none" }) });
  return {
    store: made,
    scraper,
    lookbackMs: 300_000,
    defaultStepMs: STEP_MS,
    scrapeIntervalMs: STEP_MS,
    historyBytes: 0,
    startedAt: 0,
    version: "0",
    now: () => END,
  };
}
