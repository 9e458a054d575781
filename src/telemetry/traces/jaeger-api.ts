import { ChainmailError, errorText } from "../../base/index.ts";
import { hexId, type Span, type Tag } from "./span.ts";
import type { Trace, TraceQuery, TraceStore } from "./trace-store.ts";

/** A search without a limit is for a page of results. */
const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 1_500;
/** What a search without a time looks back, as Jaeger's page does. */
const DEFAULT_LOOKBACK_MS = 3_600_000;
const UNITS: Record<string, number> = { ns: 0.001, us: 1, µs: 1, ms: 1_000, s: 1_000_000, m: 60_000_000, h: 3_600_000_000, d: 86_400_000_000 };

export interface JaegerTrace {
  traceID: string;
  spans: JaegerSpan[];
  processes: Record<string, { serviceName: string; tags: JaegerTag[] }>;
  warnings: null;
}

export interface JaegerSpan {
  traceID: string;
  spanID: string;
  operationName: string;
  references: { refType: "CHILD_OF"; traceID: string; spanID: string }[];
  /** Microseconds since 1970. */
  startTime: number;
  /** Microseconds. */
  duration: number;
  tags: JaegerTag[];
  logs: { timestamp: number; fields: JaegerTag[] }[];
  processID: string;
  warnings: null;
  flags: 1;
}

interface JaegerTag {
  key: string;
  type: "string" | "bool" | "int64" | "float64";
  value: string | number | boolean;
}

/** Answers Jaeger's query API, as its page and Kiali ask it. https://www.jaegertracing.io/docs/apis/ */
export function handleJaegerApi(request: Request, store: TraceStore, now: () => number): Response {
  const url = new URL(request.url);
  // Jaeger may be served below a prefix.
  const path = url.pathname.replace(/^\/jaeger(?=\/)/, "");
  if (request.method !== "GET") return problem(405, "Method Not Allowed");
  try {
    const data = answer(path.split("/").slice(1).map(decodeURIComponent), url.searchParams, store, now);
    if (data === undefined) return problem(404, path.startsWith("/api/traces/") ? "trace not found" : "page not found");
    return Response.json({ data, total: Array.isArray(data) ? data.length : 1, limit: 0, offset: 0, errors: null });
  } catch (thrown) {
    return problem(thrown instanceof ChainmailError || thrown instanceof URIError ? 400 : 500, errorText(thrown));
  }
}

function problem(code: number, msg: string): Response {
  return Response.json({ data: null, total: 0, limit: 0, offset: 0, errors: [{ code, msg }] }, { status: code });
}

function answer([api, kind, name, part]: string[], query: URLSearchParams, store: TraceStore, now: () => number): unknown {
  if (api !== "api") return undefined;
  switch (kind) {
    case "services":
      if (name === undefined) return store.services();
      return part === "operations" ? store.operations(name).map(({ name: operation }) => operation) : undefined;
    case "operations":
      return store.operations(required(query, "service")).filter(({ spanKind }) => [null, "", spanKind].includes(query.get("spanKind")));
    case "traces": {
      if (name === undefined) return traces(query, store, now);
      const trace = store.get(hexId(name, 32) ?? "");
      return trace && [jaegerTrace(trace)];
    }
    case "dependencies": {
      const to = number(query, "endTs", now());
      return store.dependencies((to - number(query, "lookback", DEFAULT_LOOKBACK_MS)) * 1_000, to * 1_000);
    }
    default:
      return undefined;
  }
}

function traces(query: URLSearchParams, store: TraceStore, now: () => number): JaegerTrace[] {
  const ids = query.getAll("traceID");
  if (ids.length > 0) return ids.flatMap((id) => store.get(hexId(id, 32) ?? "") ?? []).map(jaegerTrace);
  return store.search(traceQuery(query, now)).map(jaegerTrace);
}

/** What a search asks for. Throws TRACE_QUERY with the parameter that is wrong. */
export function traceQuery(query: URLSearchParams, now: () => number): TraceQuery {
  const lookback = query.get("lookback");
  const back = lookback && lookback !== "custom" ? duration("lookback", lookback) : DEFAULT_LOOKBACK_MS * 1_000;
  const to = number(query, "end", now() * 1_000);
  const min = query.get("minDuration");
  const max = query.get("maxDuration");
  return {
    ...(query.get("service") ? { service: query.get("service")! } : {}),
    ...(query.get("operation") && query.get("operation") !== "all" ? { operation: query.get("operation")! } : {}),
    tags: tagsOf(query),
    from: number(query, "start", to - back),
    to,
    minDuration: min ? duration("minDuration", min) : 0,
    maxDuration: max ? duration("maxDuration", max) : Number.POSITIVE_INFINITY,
    limit: Math.min(MAX_LIMIT, number(query, "limit", DEFAULT_LIMIT)),
  };
}

/** `tags` is a JSON object; `tag` is key:value and may stand several times. */
function tagsOf(query: URLSearchParams): Record<string, string> {
  const tags: Record<string, string> = {};
  for (const text of query.getAll("tag")) {
    const colon = text.indexOf(":");
    if (colon < 1) throw wrong("tag", text, "it is key:value");
    tags[text.slice(0, colon)] = text.slice(colon + 1);
  }
  const json = query.get("tags");
  if (json) {
    const value = parse(json);
    if (typeof value !== "object" || value === null) throw wrong("tags", json, "it is a JSON object of texts");
    for (const [key, item] of Object.entries(value)) tags[key] = String(item);
  }
  return tags;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined; // The caller says what is wrong with it.
  }
}

function duration(name: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)$/.exec(text);
  if (!match) throw wrong(name, text, "it is a number with a unit, such as 1.5s or 100ms");
  return Number(match[1]) * UNITS[match[2]!]!;
}

function number(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name);
  if (text === null || text === "") return fallback;
  if (!/^\d{1,16}$/.test(text)) throw wrong(name, text, "it is a whole number");
  return Number(text);
}

function required(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (!value) throw new ChainmailError("TRACE_QUERY", `parameter '${name}' is required`);
  return value;
}

function wrong(name: string, value: string, why: string): ChainmailError {
  return new ChainmailError("TRACE_QUERY", `unable to parse param '${name}': ${JSON.stringify(value.slice(0, 100))}: ${why}`);
}

/** A trace as Jaeger writes it: spans by their start, each process once. */
export function jaegerTrace({ traceId, spans }: Trace): JaegerTrace {
  const processes = new Map<string, { id: string; serviceName: string; tags: JaegerTag[] }>();
  const processOf = ({ service, resource }: Span): string => {
    const key = JSON.stringify([service, resource]);
    let known = processes.get(key);
    if (!known) processes.set(key, (known = { id: `p${processes.size + 1}`, serviceName: service, tags: resource.map(jaegerTag) }));
    return known.id;
  };
  const list = [...spans]
    .sort((a, b) => a.start - b.start)
    .map((span): JaegerSpan => ({
      traceID: traceId,
      spanID: span.spanId,
      operationName: span.operation,
      references: span.parentId ? [{ refType: "CHILD_OF", traceID: traceId, spanID: span.parentId }] : [],
      startTime: span.start,
      duration: span.duration,
      tags: [
        ...span.tags.map(jaegerTag),
        ...(span.kind === "unspecified" ? [] : [jaegerTag({ key: "span.kind", value: span.kind })]),
        ...(span.failed && !span.tags.some(({ key }) => key === "error") ? [jaegerTag({ key: "error", value: true })] : []),
      ],
      logs: span.events.map(({ time, name, tags }) => ({ timestamp: time, fields: [jaegerTag({ key: "event", value: name }), ...tags.map(jaegerTag)] })),
      processID: processOf(span),
      warnings: null,
      flags: 1,
    }));
  return {
    traceID: traceId,
    spans: list,
    processes: Object.fromEntries([...processes.values()].map(({ id, serviceName, tags }) => [id, { serviceName, tags }])),
    warnings: null,
  };
}

function jaegerTag({ key, value }: Tag): JaegerTag {
  if (typeof value === "string") return { key, type: "string", value };
  if (typeof value === "boolean") return { key, type: "bool", value };
  return { key, type: Number.isInteger(value) ? "int64" : "float64", value };
}
