import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { EDGE_LABELS } from "../graph/queries.ts";
import { MetricStore } from "../store/metric-store.ts";
import { type EvaluationOptions, queryInstant, queryRange } from "./evaluate.ts";

/**
 * Every query that a Kiali asked of a real Prometheus, with its names left open: NS a namespace, X a workload, app or
 * service, D a duration, <G13> the thirteen labels of an edge.
 */
const QUERIES = readFileSync(join(import.meta.dir, "testdata/kiali-queries.txt"), "utf8")
  .trim()
  .split("\n");

const store = new MetricStore({ retentionMs: 3_600_000, maxRunsPerSeries: 1_000, maxSeries: 10_000 });
const options: EvaluationOptions = { store, lookbackMs: 10_000, defaultStepMs: 1_000 };
const END = 120_000;

fill();

test.each(QUERIES)("%s", (line) => {
  const [kind, query] = [line.slice(0, line.indexOf(" ")), concrete(line.slice(line.indexOf(" ") + 1))];
  if (kind === "range") {
    const ranges = queryRange(query, 60_000, END, 10_000, options);
    for (const { times } of ranges) expect(times.length).toBeGreaterThan(0);
    if (shouldAnswer(query)) expect(ranges.length).toBeGreaterThan(0);
    return;
  }
  const value = queryInstant(query, END, options);
  expect(value.type).toBe("vector");
  if (value.type !== "vector" || !shouldAnswer(query)) return;
  expect(value.samples.length).toBeGreaterThan(0);
  for (const sample of value.samples) expect(sample.value).not.toBeNaN();
});

test("there are queries at all", () => expect(QUERIES.length).toBeGreaterThan(80));

/** Queries about what the filled store has not: container metrics, traffic that never found a workload, other pods. */
function shouldAnswer(query: string): boolean {
  return !/container_|destination_workload="unknown"|source_workload_namespace!="shop"|istiod|app_kubernetes_io/.test(query);
}

function concrete(query: string): string {
  return query
    .replaceAll("<G13>", EDGE_LABELS.join(","))
    .replaceAll("[D]", "[60s]")
    .replaceAll('"NS"', '"shop"')
    .replaceAll(/\bNS\b/g, "shop")
    .replaceAll('"X"', '"web"')
    .replaceAll(/\bX\b/g, "web");
}

/** One workload that calls itself: inbound and outbound, HTTP, gRPC and TCP, seen by both ends. */
function fill(): void {
  const edge: Record<string, string> = {
    source_cluster: "Kubernetes",
    source_workload_namespace: "shop",
    source_workload: "web",
    source_canonical_service: "web",
    source_canonical_revision: "v1",
    source_principal: "spiffe://td/ns/shop/sa/web",
    destination_cluster: "Kubernetes",
    destination_service_namespace: "shop",
    destination_service: "web.shop.svc.cluster.local",
    destination_service_name: "web",
    destination_workload_namespace: "shop",
    destination_workload: "web",
    destination_canonical_service: "web",
    destination_canonical_revision: "v1",
    destination_principal: "spiffe://td/ns/shop/sa/web",
    connection_security_policy: "mutual_tls",
    request_protocol: "http",
    response_flags: "-",
    app: "web",
    version: "v1",
    namespace: "shop",
    service_istio_io_canonical_name: "web",
    service_istio_io_canonical_revision: "v1",
  };
  const put = (name: string, labels: Record<string, string>, perSecond: number) => {
    const all = { ...labels, __name__: name };
    const { series } = store.series(all)!;
    for (let t = 0; t <= END; t += 1_000) series.append(t, perSecond * (t / 1000), 1_000);
  };
  for (const reporter of ["source", "destination"]) {
    for (const [code, rate] of [
      ["200", 9],
      ["503", 1],
    ] as const)
      put("istio_requests_total", { ...edge, reporter, response_code: code, grpc_response_status: "0" }, rate);
    for (const histogram of ["istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes"]) {
      for (const [le, share] of [
        ["1", 0.2],
        ["5", 0.6],
        ["10", 1],
        ["+Inf", 1],
      ] as const)
        put(`${histogram}_bucket`, { ...edge, reporter, le }, 10 * share);
      put(`${histogram}_sum`, { ...edge, reporter }, 40);
      put(`${histogram}_count`, { ...edge, reporter }, 10);
    }
    for (const counter of [
      "istio_tcp_sent_bytes_total",
      "istio_tcp_received_bytes_total",
      "istio_tcp_connections_opened_total",
      "istio_tcp_connections_closed_total",
      "istio_request_messages_total",
      "istio_response_messages_total",
    ])
      put(counter, { ...edge, reporter }, 100);
  }
}
