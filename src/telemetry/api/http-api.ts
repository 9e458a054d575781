import { ChainmailError, errorText } from "../../base/index.ts";
import { type EvaluationOptions, queryInstant, queryRange } from "../promql/evaluate.ts";
import { parsePromql } from "../promql/parse.ts";
import { PromqlError } from "../promql/promql-error.ts";
import { type Range, type Value, printNumber } from "../promql/values.ts";
import type { Scraper } from "../scrape/scraper.ts";
import { type Labels, labelOf } from "../store/series.ts";
import { federate, ownMetrics } from "./exposition.ts";
import { durationParameter, inParameter, limited, parametersOf, selectorsOf, timeParameter } from "./parameters.ts";
import { statusPage } from "./status.ts";
import { discovery, targetMetadata, targetRows } from "./targets.ts";

export interface HttpApiOptions extends EvaluationOptions {
  scraper: Scraper;
  scrapeIntervalMs: number;
  /** What the history on disk may take; 0 where there is none. */
  historyBytes: number;
  startedAt: number;
  version: string;
  now(): number;
}

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** What may be asked by a form too, as its parameters can be long. */
const BY_FORM: ReadonlySet<string> = new Set(["query", "query_range", "query_exemplars", "series", "labels"]);
const NOT_FOUND = "404 page not found\n";

/** Answers Prometheus' HTTP API as Kiali, Grafana and promtool ask it. https://prometheus.io/docs/prometheus/latest/querying/api/ */
export async function handleHttpApi(request: Request, options: HttpApiOptions): Promise<Response> {
  const url = new URL(request.url);
  const path = url.pathname.startsWith("/api/v1/") ? url.pathname.slice("/api/v1/".length) : undefined;
  if (request.method !== "GET" && request.method !== "HEAD" && !(request.method === "POST" && path !== undefined && BY_FORM.has(path)))
    return new Response("Method Not Allowed\n", { status: 405 });
  try {
    if (path === undefined) return plainPage(url, options);
    const data = answer(path, await parametersOf(request, url), options);
    return data === undefined ? new Response(NOT_FOUND, { status: 404 }) : Response.json({ status: "success", data });
  } catch (thrown) {
    const [status, errorType] = errorClass(thrown);
    return path === undefined
      ? new Response(`${errorText(thrown)}\n`, { status })
      : Response.json({ status: "error", errorType, error: thrown instanceof ChainmailError ? thrown.message : errorText(thrown) }, { status });
  }
}

function plainPage(url: URL, options: HttpApiOptions): Response {
  const exposition = (text: string) => new Response(text, { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } });
  switch (url.pathname) {
    case "/-/healthy":
      return new Response("Prometheus Server is Healthy.\n");
    case "/-/ready":
      return new Response("Prometheus Server is Ready.\n");
    case "/federate":
      return exposition(federate(options.store, selectorsOf(url.searchParams), options.now(), options.lookbackMs));
    case "/sd/pods":
      return Response.json(discovery(options.scraper.options.targets()));
    case "/metrics":
      return exposition(ownMetrics(options));
    default:
      return new Response(NOT_FOUND, { status: 404 });
  }
}

function errorClass(thrown: unknown): [status: number, errorType: string] {
  if (!(thrown instanceof ChainmailError)) return [500, "internal"];
  if (thrown.code === "PROMQL_EXECUTION") return [422, "execution"];
  return thrown.code === "PROMQL_TIMEOUT" ? [503, "timeout"] : [400, "bad_data"];
}

function answer(path: string, parameters: URLSearchParams, options: HttpApiOptions): unknown {
  switch (path) {
    case "query": {
      const at = timeParameter(parameters, "time", options.now());
      checkTimeout(parameters);
      return instantResult(
        inParameter("query", () => queryInstant(parameters.get("query") ?? "", at, options)),
        at,
      );
    }
    case "query_range": {
      const [start, end, step] = [timeParameter(parameters, "start"), timeParameter(parameters, "end"), durationParameter(parameters, "step")];
      checkTimeout(parameters);
      return { resultType: "matrix", result: queryRange(parameters.get("query") ?? "", start, end, step, options).map(points) };
    }
    case "query_exemplars":
      // No proxy of a mesh exposes any; a mistake in the query is one all the same.
      inParameter("query", () => parsePromql(parameters.get("query") ?? ""));
      return [];
    case "series":
      if (parameters.getAll("match[]").length === 0) throw new PromqlError("no match[] parameter provided");
      return limited(matching(parameters, options), parameters);
    case "labels":
      return limited([...new Set(matching(parameters, options).flatMap((labels) => Object.keys(labels)))].sort(), parameters);
    case "metadata": {
      const wanted = parameters.get("metric") ?? "";
      const known = [...options.store.metadata].filter(([name]) => wanted === "" || name === wanted);
      return Object.fromEntries(limited(known, parameters).map(([name, { type, help }]) => [name, [{ type, help, unit: "" }]]));
    }
    // Dashboards ask for rules and alerts of any Prometheus: here are none.
    case "rules":
      return { groups: [] };
    case "alerts":
      return { alerts: [] };
    case "alertmanagers":
      return { activeAlertmanagers: [], droppedAlertmanagers: [] };
    case "targets":
      return targetRows(options.scraper.states(), parameters.get("state") ?? "any", options.scrapeIntervalMs);
    case "targets/metadata":
      return limited(targetMetadata(options.scraper.states(), options.store, parameters), parameters);
    case "scrape_pools":
      return { scrapePools: ["kubernetes-pods"] };
    default: {
      if (path.startsWith("status/")) return statusPage(path.slice("status/".length), options);
      const label = /^label\/([^/]+)\/values$/.exec(path)?.[1];
      return label === undefined ? undefined : labelValues(decodeURIComponent(label), parameters, options);
    }
  }
}

function labelValues(label: string, parameters: URLSearchParams, options: HttpApiOptions): string[] {
  if (!LABEL_NAME.test(label)) throw new PromqlError(`invalid label name: ${JSON.stringify(label)}`);
  return limited([...new Set(matching(parameters, options).flatMap((labels) => labelOf(labels, label) || []))].sort(), parameters);
}

function checkTimeout(parameters: URLSearchParams): void {
  if (parameters.get("timeout")) durationParameter(parameters, "timeout");
}

const points = ({ labels, times, values }: Range) => ({ metric: labels, values: times.map((time, i) => [time / 1000, printNumber(values[i]!)]) });

function instantResult(value: Value, at: number): { resultType: string; result: unknown } {
  switch (value.type) {
    case "scalar":
      return { resultType: "scalar", result: [at / 1000, printNumber(value.value)] };
    case "string":
      return { resultType: "string", result: [at / 1000, value.value] };
    case "vector":
      return { resultType: "vector", result: value.samples.map(({ labels, value: v }) => ({ metric: labels, value: [at / 1000, printNumber(v)] })) };
    case "matrix":
      return { resultType: "matrix", result: value.ranges.map(points) };
  }
}

/** Label sets of the series that fit one of the `match[]` selectors, or of all, and that have samples between `start` and `end`. */
function matching(parameters: URLSearchParams, { store }: HttpApiOptions): Labels[] {
  const selectors = selectorsOf(parameters);
  const [start, end] = [timeParameter(parameters, "start", -Infinity), timeParameter(parameters, "end", Infinity)];
  const found = new Set((selectors.length === 0 ? [[]] : selectors).flatMap((matchers) => store.select(matchers)));
  return [...found].filter((series) => !series.empty && series.lastTime >= start && (series.first?.time ?? 0) <= end).map((series) => series.labels);
}
