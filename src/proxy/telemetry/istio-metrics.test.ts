import { expect, test } from "bun:test";
import { IstioMetrics, type Ends } from "./istio-metrics.ts";
import type { PeerMetadata } from "./peer-metadata.ts";
import { StatsRegistry } from "./stats.ts";

const peer = (workload: string): PeerMetadata => ({
  workload,
  namespace: "n",
  cluster: "c",
  canonicalName: workload,
  canonicalRevision: "v1",
  app: workload,
  version: "v1",
});
const cluster = { name: "outbound|80||web.n.svc.cluster.local", observabilityName: "", metadata: {} };
const ends = (source: PeerMetadata | undefined): Ends => ({
  source,
  destination: peer("web"),
  sourcePrincipal: "spiffe://a",
  destinationPrincipal: "spiffe://b",
  security: "mutual_tls",
});
const exchange = (responseStatus: number, flags = "", authority = "web") => ({
  upstreamCluster: cluster,
  request: { authority },
  responseHeaders: undefined,
  responseTrailers: undefined,
  responseStatus,
  flags,
  durationMs: 3,
  requestHeadBytes: 100,
  bytesReceived: 0,
  responseHeadBytes: 100,
  bytesSent: 10,
});

test("each combination of caller, outcome and host counts in a series of its own, also when seen again", () => {
  const stats = new StatsRegistry();
  const metrics = new IstioMetrics(stats, peer("own"), "1.28.0");
  const http = { grpc: false, hostFallback: true };
  const [a, b] = [ends(peer("a")), ends(peer("b"))];
  // More kinds than are looked through, twice over.
  for (let round = 0; round < 2; round++) {
    for (const who of [a, b]) {
      for (const status of [200, 404, 503]) metrics.request("destination", who, exchange(status), http);
      metrics.request("destination", who, exchange(503, "UF"), http);
      metrics.request("destination", who, exchange(200, "", "other"), http);
      metrics.request("destination", who, exchange(200), { grpc: true, hostFallback: true });
    }
    metrics.request("source", a, exchange(200), http);
    metrics.request("destination", { ...a, sourcePrincipal: "spiffe://other" }, exchange(200), http);
  }
  const totals = [...stats.samples()].filter(({ name }) => name === "istio_requests_total");
  expect(totals.length).toBe(14);
  for (const { metric } of totals) expect(metric).toMatchObject({ value: 2 });
  const durations = [...stats.samples()].filter(({ name }) => name === "istio_request_duration_milliseconds");
  expect(durations.map(({ metric }) => (metric as { count: number }).count)).toEqual(totals.map(() => 2));
});
