import { ChainmailError } from "../../base/index.ts";
import { bounded, boundedTags, hexId, type Span, type SpanKind, type Tag } from "./span.ts";
import type { Export } from "./otlp.ts";

const KINDS: Record<string, SpanKind> = { CLIENT: "client", SERVER: "server", PRODUCER: "producer", CONSUMER: "consumer" };
type Fields = Record<string, unknown>;

/** Spans of Zipkin's JSON, version 2, as a list. https://zipkin.io/zipkin-api/. Throws TRACES_UNREADABLE. */
export function spansOfZipkin(text: string): Export {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (cause) {
    throw unreadable("it is no JSON", cause);
  }
  if (!Array.isArray(list)) throw unreadable("it is no list of spans");
  const spans = list.flatMap((item) => spanOf(item) ?? []);
  return { spans, rejected: list.length - spans.length };
}

function unreadable(why: string, cause?: unknown): ChainmailError {
  return new ChainmailError("TRACES_UNREADABLE", `these are no spans of Zipkin's version 2: ${why}`, { cause, hint: "POST a JSON list to /api/v2/spans" });
}

function spanOf(item: unknown): Span | undefined {
  if (!isFields(item)) return undefined;
  const traceId = hexId(text(item.traceId), 32);
  const spanId = hexId(text(item.id), 16);
  if (!traceId || !spanId) return undefined;
  const tags: Tag[] = Object.entries(isFields(item.tags) ? item.tags : {}).map(([key, value]) => ({ key, value: text(value) }));
  const local = isFields(item.localEndpoint) ? item.localEndpoint : {};
  const remote = isFields(item.remoteEndpoint) ? item.remoteEndpoint : {};
  for (const [key, value] of [
    ["peer.service", remote.serviceName],
    ["peer.ipv4", remote.ipv4],
    ["peer.port", remote.port],
  ] as const) {
    if (typeof value === "string" || typeof value === "number") tags.push({ key, value });
  }
  return {
    traceId,
    spanId,
    parentId: hexId(text(item.parentId), 16) ?? "",
    service: bounded(text(local.serviceName) || "unknown_service"),
    operation: bounded(text(item.name)),
    kind: KINDS[text(item.kind)] ?? "unspecified",
    start: micros(item.timestamp),
    duration: micros(item.duration),
    failed: tags.some(({ key }) => key === "error"),
    tags: boundedTags(tags),
    resource: typeof local.ipv4 === "string" ? [{ key: "ip", value: bounded(local.ipv4) }] : [],
    events: (Array.isArray(item.annotations) ? item.annotations : [])
      .slice(0, 32)
      .flatMap((event: unknown) => (isFields(event) ? [{ time: micros(event.timestamp), name: bounded(text(event.value)), tags: [] }] : [])),
  };
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function micros(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.round(value) : 0;
}
