import type { JaegerSpan, JaegerTrace } from "../../telemetry/index.ts";
import { workloadOf } from "../server/mesh-view.ts";
import { type ApiContext, ApiProblem, type ApiRequest, type Route, param, queryNumber } from "./router.ts";

/** A trace in a list. Times in microseconds. */
export interface TraceRow {
  traceId: string;
  start: number;
  duration: number;
  operation: string;
  /** Who took part, and with how many spans. */
  services: { name: string; spans: number; failed: boolean }[];
  spans: number;
  failed: number;
}

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;
/** New traces are seen as new edges are. */
const LIVE_MS = 2_000;
const MAX_LOOKBACK_SECONDS = 86_400;

/** Search and detail for the pages; and Kiali's paths, by namespace and by app, workload or service. */
export const TRACE_ROUTES: Route[] = [
  {
    pattern: "/tracing",
    answer: () => ({
      enabled: true,
      integration: true,
      provider: "jaeger",
      internalURL: "",
      url: "",
      namespaceSelector: true,
      useGRPC: false,
      whiteListIstioSystem: [],
    }),
  },
  { pattern: "/traces", liveMs: LIVE_MS, answer: search },
  { pattern: "/traces/services", liveMs: LIVE_MS, answer: async (_, { traces }) => ({ services: await traces.services() }) },
  {
    pattern: "/traces/operations",
    answer: async ({ query }, { traces }) => ({ operations: query.get("service") ? await traces.operations(query.get("service")!) : [] }),
  },
  { pattern: "/traces/:trace", liveMs: LIVE_MS, answer: detail },
  ...(["apps", "workloads", "services"] as const).flatMap((kind): Route[] => [
    {
      pattern: `/namespaces/:namespace/${kind}/:name/traces`,
      async answer(request, context) {
        const service = serviceName(kind, request, context);
        return { data: await context.traces.search(parameters(request, service)), errors: [], fromAllClusters: true, tracingServiceName: service };
      },
    },
    {
      pattern: `/namespaces/:namespace/${kind}/:name/spans`,
      async answer(request, context) {
        const service = serviceName(kind, request, context);
        const traces = await context.traces.search(parameters(request, service));
        return traces.flatMap(({ spans, processes }) =>
          spans
            .filter(({ processID }) => processes[processID]?.serviceName === service)
            .map((span) => ({ ...span, traceSize: spans.length, process: processes[span.processID] })),
        );
      },
    },
    {
      pattern: `/namespaces/:namespace/${kind}/:name/errortraces`,
      async answer(request, context) {
        const service = serviceName(kind, request, context);
        return (await context.traces.search({ ...parameters(request, service), tags: '{"error":"true"}' })).length;
      },
    },
  ]),
];

async function search(request: ApiRequest, { traces, clock }: ApiContext): Promise<{ traces: TraceRow[] }> {
  const { query } = request;
  const passed = ["service", "operation", "minDuration", "maxDuration"].flatMap((name) => (query.get(name) ? [[name, query.get(name)!] as const] : []));
  const tags = tagsOf(query);
  const seconds = queryNumber(query, "lookback", 3_600, 1, MAX_LOOKBACK_SECONDS);
  const found = await traces.search({
    ...Object.fromEntries(passed),
    ...(Object.keys(tags).length > 0 ? { tags: JSON.stringify(tags) } : {}),
    start: String(Math.round((clock.now() - seconds * 1_000) * 1_000)),
    limit: String(queryNumber(query, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)),
  });
  return { traces: found.map(rowOf).toSorted((a, b) => b.start - a.start) };
}

/** `tags=http.status_code=503 error=true`: all must be on one span. */
function tagsOf(query: URLSearchParams): Record<string, string> {
  const words = (query.get("tags") ?? "").split(/\s+/).filter(Boolean);
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf("=");
      if (at < 1) throw new ApiProblem(400, `tags are written key=value, not ${JSON.stringify(word.slice(0, 80))}`);
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}

/** One trace, as Kiali's page asks for it. */
async function detail(request: ApiRequest, { traces }: ApiContext): Promise<{ data: JaegerTrace; errors: [] }> {
  const id = param(request, "trace");
  const trace = /^[0-9a-f]{1,32}$/i.test(id) ? await traces.trace(id) : undefined;
  if (!trace) throw new ApiProblem(404, `Trace ${id.slice(0, 64)} is not known: traces are kept until newer ones need their room`);
  return { data: trace, errors: [] };
}

function rowOf({ traceID, spans, processes }: JaegerTrace): TraceRow {
  const start = Math.min(...spans.map(({ startTime }) => startTime));
  const ids = new Set(spans.map(({ spanID }) => spanID));
  const root = spans.find(({ references }) => !references.some(({ spanID }) => ids.has(spanID))) ?? spans[0];
  const services = new Map<string, TraceRow["services"][number]>();
  for (const span of spans) {
    const name = processes[span.processID]?.serviceName ?? "";
    const known = services.get(name) ?? { name, spans: 0, failed: false };
    services.set(name, { name, spans: known.spans + 1, failed: known.failed || isFailed(span) });
  }
  return {
    traceId: traceID,
    start,
    duration: Math.max(...spans.map(({ startTime, duration }) => startTime + duration)) - start,
    operation: root?.operationName ?? "",
    services: [...services.values()],
    spans: spans.length,
    failed: spans.filter(isFailed).length,
  };
}

/** Whether a span says that what it did went wrong. */
export function isFailed({ tags }: Pick<JaegerSpan, "tags">): boolean {
  return tags.some(({ key, value }) => key === "error" && value !== false && value !== "false");
}

/** What proxies call themselves in spans: APP.NAMESPACE, Istio's tracingServiceName APP_LABEL_AND_NAMESPACE. */
function serviceName(kind: "apps" | "workloads" | "services", request: ApiRequest, { mesh }: ApiContext): string {
  const [namespace, name] = [param(request, "namespace"), param(request, "name")];
  if (kind === "apps") return `${name}.${namespace}`;
  const pod = mesh
    .pods(namespace)
    .find((candidate) =>
      kind === "workloads"
        ? workloadOf(candidate).workload === name
        : selects(mesh.services(namespace).find((service) => service.metadata.name === name)?.spec?.selector, candidate.metadata.labels),
    );
  return `${pod ? (pod.metadata.labels?.app ?? workloadOf(pod).workload) : name}.${namespace}`;
}

function selects(selector: Record<string, string> | undefined, labels: Record<string, string> | undefined): boolean {
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => labels?.[key] === value);
}

/** Kiali's parameters in Jaeger's words: times are microseconds in both, durations bare microseconds. */
function parameters({ query }: ApiRequest, service: string): Record<string, string> {
  const micros = (name: string, as: string) => (/^\d{1,17}$/.test(query.get(name) ?? "") ? { [as]: query.get(name)! } : {});
  const duration: Record<string, string> = /^\d{1,15}$/.test(query.get("minDuration") ?? "") ? { minDuration: `${query.get("minDuration")}us` } : {};
  const tags = query.get("tags");
  return {
    service,
    ...micros("startMicros", "start"),
    ...micros("endMicros", "end"),
    ...duration,
    ...(tags ? { tags } : {}),
    limit: String(queryNumber(query, "limit", 100, 1, MAX_LIMIT)),
  };
}
