import { ChainmailError, errorText } from "../../base/index.ts";
import { type EvaluationOptions, queryInstant, queryRange } from "../promql/evaluate.ts";
import { PromqlError, numberOrDuration, parsePromql } from "../promql/parse.ts";
import type { Value } from "../promql/values.ts";
import type { Scraper } from "../scrape/scraper.ts";
import type { Labels } from "../store/series.ts";

export interface HttpApiOptions extends EvaluationOptions {
  scraper: Scraper;
  scrapeIntervalMs: number;
  /** What the history on disk may take; 0 where there is none. */
  historyBytes: number;
  startedAt: number;
  version: string;
  now(): number;
}

const FORM = "application/x-www-form-urlencoded";
/** A query has its own limit; this bounds the body that it comes in. */
const MAX_FORM_BYTES = 128 << 10;

/** Answers Prometheus' HTTP API as Kiali, Grafana and promtool ask it. https://prometheus.io/docs/prometheus/latest/querying/api/ */
export async function handleHttpApi(request: Request, options: HttpApiOptions): Promise<Response> {
  const url = new URL(request.url);
  if (url.pathname === "/-/healthy") return new Response("Prometheus Server is Healthy.\n");
  if (url.pathname === "/-/ready") return new Response("Prometheus Server is Ready.\n");
  if (!url.pathname.startsWith("/api/v1/")) return new Response("404 page not found\n", { status: 404 });
  if (request.method !== "GET" && request.method !== "POST") return new Response("Method Not Allowed\n", { status: 405 });
  try {
    const parameters = await parametersOf(request, url);
    const data = answer(url.pathname.slice("/api/v1/".length), parameters, options);
    return data === undefined ? new Response("404 page not found\n", { status: 404 }) : Response.json({ status: "success", data });
  } catch (thrown) {
    const [status, errorType] = thrown instanceof PromqlError && thrown.code === "PROMQL_EXECUTION" ? [422, "execution"] : thrown instanceof ChainmailError ? [400, "bad_data"] : [500, "internal"];
    return Response.json({ status: "error", errorType, error: errorText(thrown) }, { status });
  }
}

function answer(path: string, parameters: URLSearchParams, options: HttpApiOptions): unknown {
  switch (path) {
    case "query":
      return { ...instantResult(queryInstant(required(parameters, "query"), time(parameters.get("time"), options.now()), options), time(parameters.get("time"), options.now())) };
    case "query_range": {
      const [start, end] = [time(required(parameters, "start"), 0), time(required(parameters, "end"), 0)];
      const ranges = queryRange(required(parameters, "query"), start, end, numberOrDuration(required(parameters, "step")) * 1000, options);
      return { resultType: "matrix", result: ranges.map(({ labels, times, values }) => ({ metric: labels, values: times.map((t, i) => [t / 1000, text(values[i]!)]) })) };
    }
    case "series":
      if (parameters.getAll("match[]").length === 0) throw new PromqlError("no match[] parameter provided");
      return limited(matching(parameters, options), parameters);
    case "labels":
      return [...new Set(matching(parameters, options).flatMap((labels) => Object.keys(labels)))].sort();
    case "metadata": {
      const wanted = parameters.get("metric");
      const known = [...options.store.metadata].filter(([name]) => wanted === null || name === wanted);
      return Object.fromEntries(limited(known, parameters).map(([name, { type, help }]) => [name, [{ type, help, unit: "" }]]));
    }
    // Dashboards ask for rules, alerts and exemplars of any Prometheus: here are none.
    case "rules":
      return { groups: [] };
    case "alerts":
      return { alerts: [] };
    case "alertmanagers":
      return { activeAlertmanagers: [], droppedAlertmanagers: [] };
    case "query_exemplars":
      return [];
    case "targets":
      return { activeTargets: options.scraper.states().map(targetRow), droppedTargets: [] };
    case "status/buildinfo":
      return { version: options.version, revision: "", branch: "", buildUser: "", buildDate: "", goVersion: "" };
    case "status/runtimeinfo":
      return { startTime: new Date(options.startedAt).toISOString(), CWD: "/", reloadConfigSuccess: true, lastConfigTime: new Date(options.startedAt).toISOString(), corruptionCount: 0, storageRetention: retention(options), timeSeriesCount: options.store.seriesCount };
    case "status/tsdb":
      return { headStats: { numSeries: options.store.seriesCount, numLabelPairs: 0, chunkCount: 0, minTime: options.now() - options.store.options.retentionMs, maxTime: options.now() }, seriesCountByMetricName: [], labelValueCountByLabelName: [], memoryInBytesByLabelName: [], seriesCountByLabelValuePair: [] };
    case "status/config":
      return { yaml: `global:\n  scrape_interval: ${options.scrapeIntervalMs / 1000}s\n` };
    case "status/flags":
      return { "storage.tsdb.retention.time": retention(options), "storage.tsdb.retention.size": `${options.historyBytes}B`, "query.lookback-delta": `${options.lookbackMs / 1000}s`, "query.max-samples": "50000000", "web.listen-address": "0.0.0.0:9090" };
    default: {
      const label = /^label\/([^/]+)\/values$/.exec(path)?.[1];
      return label && [...new Set(matching(parameters, options).flatMap((labels) => labels[decodeURIComponent(label)] ?? []))].sort();
    }
  }
}

/** As Prometheus writes durations of whole hours. */
function retention({ store }: HttpApiOptions): string {
  const seconds = store.options.retentionMs / 1000;
  return seconds % 3600 === 0 ? `${seconds / 3600}h` : `${seconds}s`;
}

/** The first so many, where the asker set a limit. */
function limited<T>(items: T[], parameters: URLSearchParams): T[] {
  const limit = Number(parameters.get("limit") ?? 0);
  return Number.isInteger(limit) && limit > 0 ? items.slice(0, limit) : items;
}

function instantResult(value: Value, at: number): { resultType: string; result: unknown } {
  switch (value.type) {
    case "scalar":
      return { resultType: "scalar", result: [at / 1000, text(value.value)] };
    case "string":
      return { resultType: "string", result: [at / 1000, value.value] };
    case "vector":
      return { resultType: "vector", result: value.samples.map(({ labels, value: v }) => ({ metric: labels, value: [at / 1000, text(v)] })) };
    case "matrix":
      return { resultType: "matrix", result: value.ranges.map(({ labels, times, values }) => ({ metric: labels, values: times.map((t, i) => [t / 1000, text(values[i]!)]) })) };
  }
}

/** Label sets of all series that fit one of the `match[]` selectors, or of all series. */
function matching(parameters: URLSearchParams, { store }: HttpApiOptions): Labels[] {
  const selectors = parameters.getAll("match[]");
  if (selectors.length === 0) return store.select([]).map((series) => series.labels);
  const found = new Set(
    selectors.flatMap((selector) => {
      const expr = parsePromql(selector);
      if (expr.kind !== "vector") throw new PromqlError("match[] must be a series selector");
      return store.select(expr.matchers);
    }),
  );
  return [...found].map((series) => series.labels);
}

function targetRow(state: ReturnType<Scraper["states"]>[number]): unknown {
  return {
    labels: state.target.labels,
    discoveredLabels: {},
    scrapePool: "kubernetes-pods",
    scrapeUrl: state.target.url,
    globalUrl: state.target.url,
    lastError: state.lastError,
    lastScrape: new Date(state.lastScrape).toISOString(),
    lastScrapeDuration: state.lastDurationMs / 1000,
    health: state.lastScrape === 0 ? "unknown" : state.lastError ? "down" : "up",
  };
}

async function parametersOf(request: Request, url: URL): Promise<URLSearchParams> {
  if (request.method !== "POST" || !request.headers.get("content-type")?.startsWith(FORM)) return url.searchParams;
  const body = await request.text();
  if (body.length > MAX_FORM_BYTES) throw new PromqlError("the form is too large");
  const parameters = new URLSearchParams(body);
  for (const [name, value] of url.searchParams) parameters.append(name, value);
  return parameters;
}

function required(parameters: URLSearchParams, name: string): string {
  const value = parameters.get(name);
  if (value === null) throw new PromqlError(`invalid parameter "${name}": missing`);
  return value;
}

/** Unix seconds with fractions, or RFC 3339; the result is in ms. */
function time(value: string | null, fallback: number): number {
  if (value === null) return fallback;
  const seconds = Number(value);
  const ms = Number.isNaN(seconds) ? Date.parse(value) : seconds * 1000;
  if (Number.isNaN(ms)) throw new PromqlError(`cannot parse ${JSON.stringify(value)} to a valid timestamp`);
  return ms;
}

/** Numbers as Go prints them. */
function text(value: number): string {
  return value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value);
}
