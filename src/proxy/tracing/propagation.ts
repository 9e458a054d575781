import type { HeaderMap } from "../http/header-map.ts";
import type { ParentContext, SpanContext } from "./span.ts";

/** How a trace's context is read from and written into headers. `malformed`: there is one, but nobody can read it. */
export interface Propagation {
  extract(headers: HeaderMap): ParentContext | "malformed" | undefined;
  inject(headers: HeaderMap, context: SpanContext): void;
}

/** W3C Trace Context (https://www.w3.org/TR/trace-context/). */
export const W3C: Propagation = {
  extract(headers) {
    const header = headers.get("traceparent");
    if (header === undefined) return undefined;
    const match = TRACEPARENT.exec(header);
    if (!match || match[1] === ZERO_TRACE || match[2] === ZERO_SPAN) return "malformed";
    return {
      traceId: match[1] as string,
      spanId: match[2] as string,
      sampled: (Number.parseInt(match[3] as string, 16) & 1) === 1,
      traceState: headers.getJoined("tracestate") ?? "",
      singleB3: false,
    };
  },
  inject(headers, { traceId, spanId, sampled, traceState }) {
    moveToEnd(headers, "traceparent", `00-${traceId.padStart(32, "0")}-${spanId}-${sampled ? "01" : "00"}`);
    moveToEnd(headers, "tracestate", traceState);
  },
};

/** Zipkin's headers (https://github.com/openzipkin/b3-propagation), several or a single one. */
export const B3: Propagation = {
  extract(headers) {
    const single = headers.get("b3");
    if (single !== undefined) return readSingle(single);
    const traceId = headers.get("x-b3-traceid")?.toLowerCase();
    const spanId = headers.get("x-b3-spanid")?.toLowerCase();
    const sampled = headers.get("x-b3-sampled");
    const debug = headers.get("x-b3-flags") === "1";
    if (traceId === undefined || spanId === undefined) return undefined;
    if (!TRACE_ID.test(traceId) || !SPAN_ID.test(spanId)) return "malformed";
    return {
      traceId,
      spanId,
      sampled: debug ? true : sampled === undefined ? undefined : sampled === "1" || sampled === "true",
      traceState: "",
      singleB3: false,
    };
  },
  inject(headers, { traceId, spanId, parentId, sampled, singleB3 }) {
    if (singleB3) {
      moveToEnd(headers, "b3", `${traceId}-${spanId}-${sampled ? "1" : "0"}${parentId === "" ? "" : `-${parentId}`}`);
      return;
    }
    moveToEnd(headers, "x-b3-traceid", traceId);
    moveToEnd(headers, "x-b3-spanid", spanId);
    if (parentId !== "") moveToEnd(headers, "x-b3-parentspanid", parentId);
    moveToEnd(headers, "x-b3-sampled", sampled ? "1" : "0");
  },
};

/** B3 goes before W3C where both came; both go on. */
export const B3_WITH_W3C: Propagation = {
  extract: (headers) => B3.extract(headers) ?? W3C.extract(headers),
  inject(headers, context) {
    B3.inject(headers, context);
    W3C.inject(headers, context);
  },
};

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const ZERO_TRACE = "0".repeat(32);
const ZERO_SPAN = "0".repeat(16);
const TRACE_ID = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/;
const SPAN_ID = /^[0-9a-f]{16}$/;

/** `traceid-spanid[-sampled[-parentid]]`; a lone flag says only whether to sample, and there is no parent then. */
function readSingle(text: string): ParentContext | "malformed" | undefined {
  if (/^[01d]$/.test(text)) return undefined;
  const match = /^([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?$/.exec(text.toLowerCase());
  if (!match) return "malformed";
  const flag = match[3];
  return { traceId: match[1] as string, spanId: match[2] as string, sampled: flag === undefined ? undefined : flag !== "0", traceState: "", singleB3: true };
}

/** Envoy takes what came away and writes its own at the end; on another try it is replaced in its place. */
function moveToEnd(headers: HeaderMap, name: string, value: string): void {
  headers.remove(name);
  headers.append(name, value);
}
