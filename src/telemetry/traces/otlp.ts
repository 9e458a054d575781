import { fromBinary, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { ChainmailError, errorText } from "../../base/index.ts";
import { ExportTraceServiceRequestSchema, type ExportTraceServiceRequest } from "../../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import type { AnyValue, KeyValue } from "../../proto/gen/opentelemetry/proto/common/v1/common_pb.ts";
import { Status_StatusCode, type Span as OtlpSpan } from "../../proto/gen/opentelemetry/proto/trace/v1/trace_pb.ts";
import { bounded, boundedTags, hexId, type Span, type SpanKind, type Tag } from "./span.ts";

/** By the number that OTLP gives them. */
const KINDS: readonly SpanKind[] = ["unspecified", "internal", "server", "client", "producer", "consumer"];
/** Lists within lists of attributes are written as JSON down to this depth. */
const MAX_DEPTH = 8;

export interface Export {
  spans: Span[];
  /** Without a usable id. */
  rejected: number;
}

/** Spans of an export in protobuf. https://opentelemetry.io/docs/specs/otlp/. Throws TRACES_UNREADABLE. */
export function spansOfProtobuf(body: Uint8Array): Export {
  try {
    return spansOf(fromBinary(ExportTraceServiceRequestSchema, body));
  } catch (cause) {
    throw unreadable(cause);
  }
}

/** The same in OTLP's JSON, which writes ids in hexadecimal where protobuf's JSON has base64. Throws TRACES_UNREADABLE. */
export function spansOfJson(text: string): Export {
  try {
    const body = JSON.parse(text, (key, value: unknown) =>
      ID_FIELDS.has(key) && typeof value === "string" ? Buffer.from(value, "hex").toString("base64") : value,
    ) as JsonValue;
    return spansOf(fromJson(ExportTraceServiceRequestSchema, body, { ignoreUnknownFields: true }));
  } catch (cause) {
    throw unreadable(cause);
  }
}

const ID_FIELDS = new Set(["traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"]);

function unreadable(cause: unknown): ChainmailError {
  return new ChainmailError("TRACES_UNREADABLE", `this is no export of traces in OTLP: ${errorText(cause)}`, {
    cause,
    hint: "send application/x-protobuf or application/json as OTLP 1.x has them",
  });
}

function spansOf(request: ExportTraceServiceRequest): Export {
  const spans: Span[] = [];
  let rejected = 0;
  for (const { resource, scopeSpans } of request.resourceSpans) {
    const tags = tagsOf(resource?.attributes ?? []);
    const service = String(tags.find(({ key }) => key === "service.name")?.value ?? "unknown_service");
    for (const { spans: list } of scopeSpans) {
      for (const span of list) {
        const made = spanOf(span, service, tags);
        if (made) spans.push(made);
        else rejected++;
      }
    }
  }
  return { spans, rejected };
}

function spanOf(span: OtlpSpan, service: string, resource: Tag[]): Span | undefined {
  const traceId = hexId(Buffer.from(span.traceId).toString("hex"), 32);
  const spanId = hexId(Buffer.from(span.spanId).toString("hex"), 16);
  if (!traceId || !spanId) return undefined;
  const start = Number(span.startTimeUnixNano / 1_000n);
  const end = Number(span.endTimeUnixNano / 1_000n);
  const failed = span.status?.code === Status_StatusCode.ERROR;
  return {
    traceId,
    spanId,
    parentId: hexId(Buffer.from(span.parentSpanId).toString("hex"), 16) ?? "",
    service: bounded(service),
    operation: bounded(span.name),
    kind: KINDS[span.kind] ?? "unspecified",
    start,
    duration: Math.max(0, end - start),
    failed,
    tags: [...tagsOf(span.attributes), ...(failed && span.status?.message ? [{ key: "otel.status_description", value: bounded(span.status.message) }] : [])],
    resource,
    events: span.events
      .slice(0, 32)
      .map(({ name, timeUnixNano, attributes }) => ({ name: bounded(name), time: Number(timeUnixNano / 1_000n), tags: tagsOf(attributes) })),
  };
}

function tagsOf(attributes: readonly KeyValue[]): Tag[] {
  return boundedTags(attributes.map(({ key, value }) => ({ key, value: scalar(value) })));
}

function scalar(value: AnyValue | undefined): Tag["value"] {
  const plain = plainOf(value, 0);
  return typeof plain === "string" || typeof plain === "number" || typeof plain === "boolean" ? plain : JSON.stringify(plain ?? "");
}

function plainOf(any: AnyValue | undefined, depth: number): unknown {
  const value = any?.value;
  if (!value?.case || depth > MAX_DEPTH) return undefined;
  switch (value.case) {
    case "stringValue":
    case "boolValue":
    case "doubleValue":
      return value.value;
    case "intValue": {
      const number = Number(value.value);
      return Number.isSafeInteger(number) ? number : value.value.toString();
    }
    case "bytesValue":
      return Buffer.from(value.value).toString("base64");
    case "arrayValue":
      return value.value.values.map((item) => plainOf(item, depth + 1));
    case "kvlistValue":
      return Object.fromEntries(value.value.values.map((item) => [item.key, plainOf(item.value, depth + 1)]));
  }
}
