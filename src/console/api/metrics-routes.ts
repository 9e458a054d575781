import type { QueryClient } from "../../telemetry/index.ts";
import { durationSeconds } from "./graph-request.ts";
import { type ApiContext, type ApiRequest, type Route, param, queryNumber } from "./router.ts";

/** One plotted line, as Kiali's API has it. */
export interface Metric {
  name: string;
  labels: Record<string, string>;
  datapoints: [time: number, value: string][];
  stat?: string;
}

export interface Chart {
  name: string;
  unit: string;
  spans: number;
  startCollapsed: boolean;
  metrics: Metric[];
  xAxis: null;
  error: string;
}

interface Target {
  kind: "workloads" | "services" | "apps";
  namespace: string;
  name: string;
}

type Series = Awaited<ReturnType<QueryClient["range"]>>;

interface Asked {
  direction: "inbound" | "outbound";
  selector: string;
  by: string[];
  start: number;
  end: number;
  step: number;
  rate: string;
  quantiles: string[];
  average: boolean;
}

/** Kiali's charts: the name it gives each, what it counts, and how. */
const CHARTS: { key: string; title: string; unit: string; metric: string; errors?: boolean; histogram?: boolean; sum?: boolean }[] = [
  { key: "request_count", title: "Request volume", unit: "ops", metric: "istio_requests_total" },
  { key: "request_error_count", title: "Failed requests", unit: "ops", metric: "istio_requests_total", errors: true },
  { key: "request_duration_millis", title: "Request duration", unit: "milliseconds", metric: "istio_request_duration_milliseconds", histogram: true },
  { key: "request_throughput", title: "Request throughput", unit: "bytes/s", metric: "istio_request_bytes_sum", sum: true },
  { key: "request_size", title: "Request size", unit: "bytes", metric: "istio_request_bytes", histogram: true },
  { key: "response_throughput", title: "Response throughput", unit: "bytes/s", metric: "istio_response_bytes_sum", sum: true },
  { key: "response_size", title: "Response size", unit: "bytes", metric: "istio_response_bytes", histogram: true },
  { key: "grpc_received", title: "gRPC received", unit: "msg/s", metric: "istio_request_messages_total" },
  { key: "grpc_sent", title: "gRPC sent", unit: "msg/s", metric: "istio_response_messages_total" },
  { key: "tcp_opened", title: "TCP opened", unit: "conn/s", metric: "istio_tcp_connections_opened_total" },
  { key: "tcp_closed", title: "TCP closed", unit: "conn/s", metric: "istio_tcp_connections_closed_total" },
  { key: "tcp_received", title: "TCP received", unit: "bytes/s", metric: "istio_tcp_received_bytes_total" },
  { key: "tcp_sent", title: "TCP sent", unit: "bytes/s", metric: "istio_tcp_sent_bytes_total" },
];

const MAX_SECONDS = 86_400;
/** Finer than a pixel is finer than a plot. */
const MAX_POINTS = 600;
/** Plots move on by their step; this keeps those of a page current. */
const PLOTS_EVERY_MS = 5_000;

export const METRICS_ROUTES: Route[] = (["workloads", "services", "apps"] as const).flatMap((kind): Route[] => [
  {
    pattern: `/namespaces/:namespace/${kind}/:name/metrics`,
    async answer(request, context) {
      const filters = request.query.getAll("filters[]");
      const asked = askedOf(request, context, targetOf(request, kind));
      const charts = await load(
        CHARTS.filter(({ key }) => filters.length === 0 || filters.includes(key)),
        asked,
        context,
      );
      return Object.fromEntries(charts.map(({ key, metrics }) => [key, metrics]));
    },
  },
  {
    pattern: `/namespaces/:namespace/${kind}/:name/dashboard`,
    liveMs: PLOTS_EVERY_MS,
    async answer(request, context) {
      const asked = askedOf(request, context, targetOf(request, kind));
      const charts = await load(CHARTS, asked, context);
      return {
        name: "",
        title: asked.direction === "inbound" ? "Inbound Metrics" : "Outbound Metrics",
        aggregations: [],
        externalLinks: [],
        rows: 2,
        charts: charts.map(({ title, unit, metrics }): Chart => ({ name: title, unit, spans: 3, startCollapsed: false, metrics, xAxis: null, error: "" })),
      };
    },
  },
]);

function targetOf(request: ApiRequest, kind: Target["kind"]): Target {
  return { kind, namespace: param(request, "namespace"), name: param(request, "name") };
}

function askedOf({ query }: ApiRequest, { clock }: ApiContext, target: Target): Asked {
  const direction = target.kind === "services" || query.get("direction") !== "outbound" ? "inbound" : "outbound";
  const seconds = queryNumber(query, "duration", 1_800, 10, MAX_SECONDS);
  const step = Math.max(queryNumber(query, "step", 15, 1, 3_600), Math.ceil(seconds / MAX_POINTS));
  const end = Math.floor(queryNumber(query, "queryTime", Math.floor(clock.now() / 1000), 0, 1e11) / step) * step;
  const reporter = query.get("reporter") ?? (direction === "inbound" ? "destination" : "source");
  const side = direction === "inbound" ? "destination" : "source";
  const label = { workloads: `${side}_workload`, apps: `${side}_canonical_service`, services: "destination_service_name" }[target.kind];
  const where = target.kind === "services" ? "destination_service_namespace" : `${side}_workload_namespace`;
  const selector = [
    ...(reporter === "both" ? [] : [`reporter="${quoted(reporter)}"`]),
    `${where}="${quoted(target.namespace)}"`,
    `${label}="${quoted(target.name)}"`,
  ].join(",");
  return {
    direction,
    selector,
    by: query.getAll("byLabels[]").filter((name) => /^[a-z_]+$/.test(name)),
    start: end - seconds,
    end,
    step,
    rate: `${durationSeconds(query.get("rateInterval"))}s`,
    quantiles: query.getAll("quantiles[]").filter((q) => /^0?\.\d+$/.test(q)),
    average: query.get("avg") !== "false",
  };
}

async function load(charts: typeof CHARTS, asked: Asked, { queries }: ApiContext): Promise<{ key: string; title: string; unit: string; metrics: Metric[] }[]> {
  const range = (query: string) => queries.range(query, asked.start, asked.end, asked.step);
  const by = (...more: string[]) => [...more, ...asked.by].join(",");
  return Promise.all(
    charts.map(async ({ key, title, unit, metric, errors, histogram }) => {
      const selector = `{${asked.selector}${errors ? ',response_code=~"^0$|^[4-5]\\\\d\\\\d$"' : ""}}[${asked.rate}]`;
      if (!histogram) return { key, title, unit, metrics: lines(key, await range(`sum(rate(${metric}${selector})) by (${by()})`)) };
      const stats = await Promise.all([
        ...(asked.average
          ? [
              range(`sum(rate(${metric}_sum${selector})) by (${by()}) / sum(rate(${metric}_count${selector})) by (${by()})`).then((series) =>
                lines(key, series, "avg"),
              ),
            ]
          : []),
        ...asked.quantiles.map((q) =>
          range(`histogram_quantile(${q}, sum(rate(${metric}_bucket${selector})) by (${by("le")}))`).then((series) => lines(key, series, q)),
        ),
      ]);
      return { key, title, unit, metrics: stats.flat() };
    }),
  );
}

/** Gaps are left out: a quantile of nothing is no number. */
function lines(name: string, series: Series, stat?: string): Metric[] {
  return series.map(({ labels, points }) => ({
    name,
    labels,
    datapoints: points.flatMap(([time, value]): [number, string][] => (Number.isFinite(value) ? [[time, String(value)]] : [])),
    ...(stat && { stat }),
  }));
}

/** A name inside a quoted PromQL string. */
function quoted(text: string): string {
  return text.replace(/["\\\n]/g, "\\$&");
}
