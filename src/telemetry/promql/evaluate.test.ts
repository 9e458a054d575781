import { beforeAll, describe, expect, test } from "bun:test";
import { MetricStore } from "../store/metric-store.ts";
import { queryInstant, queryRange, type EvaluationOptions } from "./evaluate.ts";
import { PromqlError } from "./promql-error.ts";

const store = new MetricStore({ retentionMs: 3_600_000, maxRunsPerSeries: 1000, maxSeries: 1000 });
const options: EvaluationOptions = { store, lookbackMs: 10_000, defaultStepMs: 1000 };

beforeAll(() => {
  const put = (name: string, labels: Record<string, string>, values: number[]) => {
    const { series } = store.series({ ...labels, __name__: name })!;
    values.forEach((value, i) => series.append(i * 1000, value, 1000));
  };
  const minute = Array.from({ length: 61 }, (_, i) => i);
  put(
    "requests_total",
    { app: "a", code: "200" },
    minute.map((i) => 2 * i),
  );
  put(
    "requests_total",
    { app: "a", code: "503" },
    minute.map((i) => (i < 30 ? i : i - 30)),
  );
  put(
    "requests_total",
    { app: "b", code: "200" },
    minute.map(() => 5),
  );
  put("latency_bucket", { app: "a", le: "1" }, minute);
  put(
    "latency_bucket",
    { app: "a", le: "2" },
    minute.map((i) => 2 * i),
  );
  put(
    "latency_bucket",
    { app: "a", le: "+Inf" },
    minute.map((i) => 2 * i),
  );
});

const at = (query: string, time = 60_000) => {
  const value = queryInstant(query, time, options);
  if (value.type === "vector")
    return Object.fromEntries(
      value.samples.map((s) => [
        Object.entries(s.labels)
          .sort()
          .map(([k, v]) => `${k}=${v}`)
          .join(","),
        s.value,
      ]),
    );
  return value.type === "scalar" ? value.value : value;
};

describe("PromQL", () => {
  test("rates, resets and sums", () => {
    expect(at('rate(requests_total{app="a",code="200"}[60s])')).toEqual({ "app=a,code=200": 2 });
    // Samples 1…29, a reset, 0…30: 58 between the 59 s that the window has samples of, stretched to 60 s.
    expect(at('increase(requests_total{code="503"}[1m])')).toEqual({ "app=a,code=503": (58 * 60) / 59 });
    expect(at('round(sum(rate(requests_total{code=~"2.."} [60s])) by (app) > 0,0.001)')).toEqual({ "app=a": 2 });
    expect(at("sum without(code) (requests_total)")).toEqual({ "app=a": 150, "app=b": 5 });
  });

  test("selectors: anchored expressions, negation, staleness, offset", () => {
    expect(at('requests_total{app=~"a|x",code!="503"}')).toEqual({ "__name__=requests_total,app=a,code=200": 120 });
    expect(at('requests_total{code=~"20"}')).toEqual({});
    expect(at("requests_total", 75_000)).toEqual({});
    expect(at('requests_total{app="a",code="200"} offset 10s')).toEqual({ "__name__=requests_total,app=a,code=200": 100 });
  });

  test("operators: sets, matching, comparisons", () => {
    expect(at('sum(requests_total{app="a"}) by (app) or requests_total{app="b"}')).toEqual({ "app=a": 150, "__name__=requests_total,app=b,code=200": 5 });
    expect(at('requests_total{code="503"} / on(app) requests_total{code="200"}')).toEqual({ "app=a": 0.25 });
    expect(at('requests_total{app="a"} / on(app) group_left sum(requests_total) by (app)')).toEqual({ "app=a,code=200": 0.8, "app=a,code=503": 0.2 });
    expect(at("1 + 2 * 3 ^ 2")).toBe(19);
    expect(at("1 > bool 2")).toBe(0);
    expect(() => at("requests_total / on(app) requests_total")).toThrow(PromqlError);
  });

  test("histogram_quantile, topk, count by name, label_replace, subquery", () => {
    expect(at("histogram_quantile(0.75, sum(rate(latency_bucket[1m])) by (le))")).toEqual({ "": 1.5 });
    expect(at("topk(1, requests_total)")).toEqual({ "__name__=requests_total,app=a,code=200": 120 });
    expect(at('count({app="a"}) by (__name__)')).toEqual({ "__name__=requests_total": 2, "__name__=latency_bucket": 3 });
    expect(at('label_replace(requests_total{app="b"}, "short", "${1}x", "code", "(.).*")')).toEqual({ "__name__=requests_total,app=b,code=200,short=2x": 5 });
    expect(at('max_over_time(requests_total{code="200",app="a"}[10s:1s])')).toEqual({ "app=a,code=200": 120 });
    expect(at('absent(nothing{x="y"})')).toEqual({ "x=y": 1 });
  });

  test("what counts or weighs samples sees each scrape, however few runs they were kept as", () => {
    // Both edges of a window belong to it, as in Prometheus 2.
    expect(at('avg_over_time(requests_total{app="b"}[30s])')).toEqual({ "app=b,code=200": 5 });
    expect(at('count_over_time(requests_total{app="b"}[30s])')).toEqual({ "app=b,code=200": 31 });
    expect(at('sum_over_time(requests_total{app="a",code="200"}[3s])')).toEqual({ "app=a,code=200": 2 * (57 + 58 + 59 + 60) });
    expect(at("day_of_year(vector(86400 * 40))")).toEqual({ "": 41 });
    expect(at("days_in_month(vector(86400 * 40))")).toEqual({ "": 28 });
  });

  test("ranges have a point a step", () => {
    const [range] = queryRange('requests_total{app="a",code="200"}', 10_000, 30_000, 10_000, options);
    expect(range).toMatchObject({ times: [10_000, 20_000, 30_000], values: [20, 40, 60] });
  });

  test("errors say what is wrong", () => {
    expect(() => at("sum(")).toThrow(/parse error/);
    expect(() => at("{}")).toThrow(/non-empty matcher/);
    expect(() => at("foo(1)")).toThrow(PromqlError);
    expect(() => queryRange("1", 0, 1e9, 1, options)).toThrow(/11,000 points/);
  });
});
