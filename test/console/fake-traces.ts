import { createTraceClient, type TraceClient } from "../../src/console/server/traces.ts";
import { handleJaegerApi } from "../../src/telemetry/traces/jaeger-api.ts";
import type { Span } from "../../src/telemetry/traces/span.ts";
import { TraceStore } from "../../src/telemetry/traces/trace-store.ts";

const GATEWAY = "istio-ingressgateway.istio-system";
const [WEB, RECOMMENDATION] = ["web-api.istioinaction", "recommendation.istioinaction"];

/** The id of the lab's trace number so many. */
export const traceId = (number: number) => number.toString(16).padStart(32, "a");

/** Requests of the lab as its proxies tell of them: through the gateway to web-api, and on; each third one fails. */
export function labSpans(count = 12, now = Date.now()): Span[] {
  return Array.from({ length: count }, (_, i) => {
    const failed = i % 3 === 2;
    const at = (now - 1_000 * (count - i)) * 1_000;
    const span = (
      id: number,
      parentId: number,
      service: string,
      operation: string,
      kind: Span["kind"],
      offset: number,
      duration: number,
      bad = failed,
    ): Span => ({
      traceId: traceId(i + 1),
      spanId: id.toString(16).padStart(16, "0"),
      parentId: parentId === 0 ? "" : parentId.toString(16).padStart(16, "0"),
      service,
      operation,
      kind,
      start: at + offset,
      duration,
      failed: bad,
      resource: [{ key: "service.name", value: service }],
      events: [],
      tags: [
        { key: "component", value: "proxy" },
        { key: "http.method", value: "GET" },
        { key: "http.url", value: "http://istioinaction.io/" },
        { key: "http.status_code", value: bad ? "503" : "200" },
        { key: "response_flags", value: bad && id === 4 ? "UF,URX" : "-" },
        { key: "upstream_cluster", value: "outbound|8080||web-api.istioinaction.svc.cluster.local" },
      ],
    });
    return [
      span(1, 0, GATEWAY, "web-api.istioinaction.svc.cluster.local:8080/*", "client", 0, 9_400),
      span(2, 1, WEB, "web-api.istioinaction.svc.cluster.local:8080/*", "server", 700, 8_100),
      span(3, 2, WEB, "recommendation.istioinaction.svc.cluster.local:8080/*", "client", 2_300, 4_900),
      ...(failed ? [] : [span(4, 3, RECOMMENDATION, "recommendation.istioinaction.svc.cluster.local:8080/*", "server", 3_000, 3_600)]),
    ];
  }).flat();
}

/** A trace store as the mesh's own, asked over HTTP as the console asks it. The server ends with the test's process. */
export function labTraces(spans: Span[] = labSpans()): TraceClient {
  const store = new TraceStore({ maxBytes: 1 << 24, maxSpansPerTrace: 100 });
  store.add(spans);
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => handleJaegerApi(request, store, Date.now) });
  server.unref();
  return createTraceClient(`http://127.0.0.1:${server.port}`);
}
