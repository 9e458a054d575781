import type { ActiveSpan } from "./span.ts";

export interface ZipkinEndpoint {
  readonly serviceName: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly port: number;
}

const END_ANNOTATION = { server: "ss", client: "cr" };

/** Zipkin's JSON, version 2 (https://zipkin.io/zipkin-api/): times in microseconds. */
export function encodeZipkinSpans(spans: readonly ActiveSpan[], localEndpoint: ZipkinEndpoint): Uint8Array {
  return Buffer.from(
    JSON.stringify(
      spans.map((span) => ({
        traceId: span.traceId,
        name: span.name,
        id: span.spanId,
        ...(span.parentId !== "" && { parentId: span.parentId }),
        kind: span.kind === "server" ? "SERVER" : "CLIENT",
        timestamp: micros(span.startMs),
        duration: Math.max(1, Math.round((span.endMs - span.startMs) * 1000)),
        localEndpoint,
        annotations: [{ timestamp: micros(span.endMs), value: END_ANNOTATION[span.kind] }],
        tags: Object.fromEntries(span.tags),
      })),
    ),
  );
}

function micros(ms: number): number {
  return Math.round(ms * 1000);
}
