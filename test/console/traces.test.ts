import { describe, expect, test } from "bun:test";
import type { TraceRow } from "../../src/console/api/trace-routes.ts";
import type { JaegerTrace } from "../../src/telemetry/index.ts";
import { createTraceClient } from "../../src/console/server/traces.ts";
import { fakeConsole } from "./fake-mesh.ts";
import { traceId } from "./fake-traces.ts";

const handle = fakeConsole({ webRoot: "/nowhere" });

async function get<T>(path: string, by = handle): Promise<{ status: number; body: T }> {
  const response = await by(new Request(`http://localhost:20001/kiali/api${path}`, { headers: { host: "localhost:20001" } }));
  return { status: response.status, body: (await response.json()) as T };
}

describe("the console's traces", () => {
  test("the newest first, with who took part and what failed", async () => {
    const { body } = await get<{ traces: TraceRow[] }>("/traces?limit=3");
    expect(body.traces.map(({ traceId: id }) => id)).toEqual([traceId(12), traceId(11), traceId(10)]);
    expect(body.traces[0]).toMatchObject({ failed: 3, spans: 3, duration: 9_400, operation: "web-api.istioinaction.svc.cluster.local:8080/*" });
    expect(body.traces[1]!.services).toEqual([
      { name: "istio-ingressgateway.istio-system", spans: 1, failed: false },
      { name: "web-api.istioinaction", spans: 2, failed: false },
      { name: "recommendation.istioinaction", spans: 1, failed: false },
    ]);
  });

  test("found by service, tags, duration; what cannot be understood is said", async () => {
    const count = async (query: string) => (await get<{ traces: TraceRow[] }>(`/traces?${query}`)).body.traces.length;
    expect(await count("service=recommendation.istioinaction")).toBe(8);
    expect(await count("tags=error%3Dtrue")).toBe(4);
    expect(await count("tags=error%3Dtrue+http.status_code%3D200")).toBe(0);
    expect(await count("minDuration=10ms")).toBe(0);
    expect(await get("/traces?tags=nonsense")).toMatchObject({ status: 400, body: { error: expect.stringContaining("key=value") } });
    expect(await get(`/traces/${"f".repeat(32)}`)).toMatchObject({ status: 404 });
    expect(await get("/traces/..%2Fservices")).toMatchObject({ status: 404 });
  });

  test("at Kiali's paths: a workload's, an app's and a service's traces, spans and failures", async () => {
    const traces = await get<{ data: JaegerTrace[]; tracingServiceName: string }>(
      "/namespaces/istioinaction/workloads/recommendation/traces?startMicros=0&limit=100",
    );
    expect([traces.body.tracingServiceName, traces.body.data.length]).toEqual(["recommendation.istioinaction", 8]);
    const spans = await get<{ operationName: string; process: { serviceName: string } }[]>("/namespaces/istioinaction/apps/web-api/spans?startMicros=0");
    expect([spans.body.length, new Set(spans.body.map(({ process }) => process.serviceName))]).toEqual([24, new Set(["web-api.istioinaction"])]);
    expect((await get("/namespaces/istioinaction/services/web-api/errortraces?startMicros=0")).body).toBe(4);
    expect((await get<{ data: JaegerTrace }>(`/traces/${traceId(1)}`)).body.data.spans).toHaveLength(4);
  });

  test("a store that is gone is said, with what to look at", async () => {
    const gone = fakeConsole({ webRoot: "/nowhere", traces: createTraceClient("http://127.0.0.1:1") });
    expect(await get("/traces", gone)).toMatchObject({
      status: 503,
      body: { error: expect.stringContaining("does not answer"), detail: expect.stringContaining("kubectl") },
    });
  });
});
