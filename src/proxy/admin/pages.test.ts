import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { createLogger } from "../../base/index.ts";
import type { ClusterSnapshot, ListenerSnapshot } from "../types.ts";
import { clustersJson, clustersText } from "./clusters.ts";
import { adminJson } from "./json.ts";
import { listenersJson, listenersText } from "./listeners.ts";
import { LogLevels } from "./log-levels.ts";
import { filterPrometheus, statLines } from "./stats-text.ts";

const file = (name: string): Buffer => readFileSync(`${import.meta.dir}/../../../test/golden/envoy/${name}`);
const text = (name: string): string =>
  name.endsWith(".gz") ? Buffer.from(Bun.gunzipSync(new Uint8Array(file(name)))).toString("utf8") : file(name).toString("utf8");

interface RecordedAddress {
  socket_address?: { address: string; port_value: number };
}
interface RecordedCluster {
  name: string;
  added_via_api?: boolean;
  observability_name: string;
  eds_service_name?: string;
  host_statuses?: { address: RecordedAddress; stats: { name: string; value?: string }[]; weight: number }[];
  circuit_breakers: { thresholds: { max_connections: number; max_pending_requests: number; max_requests: number; max_retries: number }[] };
}

/** The recorded clusters as our data plane would show them; those on Unix sockets carry no traffic and are left out. */
const recorded = (JSON.parse(text("permissive-clusters.json.gz")) as { cluster_statuses: RecordedCluster[] }).cluster_statuses.filter(
  ({ name }) => name !== "xds-grpc" && name !== "sds-grpc",
);
const snapshots: ClusterSnapshot[] = recorded.map((cluster) => {
  const limits = cluster.circuit_breakers.thresholds.map((threshold) => ({
    maxConnections: threshold.max_connections,
    maxPendingRequests: threshold.max_pending_requests,
    maxRequests: threshold.max_requests,
    maxRetries: threshold.max_retries,
  }));
  const [normal, high] = limits;
  if (!normal || !high) throw new Error("no thresholds");
  return {
    name: cluster.name,
    observabilityName: cluster.observability_name,
    edsServiceName: cluster.eds_service_name ?? "",
    addedViaApi: cluster.added_via_api ?? false,
    circuitBreakers: { default: normal, high },
    hosts: (cluster.host_statuses ?? []).map((host) => {
      const stat = (name: string): number => Number(host.stats.find((candidate) => candidate.name === name)?.value ?? 0);
      return {
        address: { address: host.address.socket_address?.address ?? "", port: host.address.socket_address?.port_value ?? 0 },
        hostname: "",
        weight: host.weight,
        priority: 0,
        locality: { region: "", zone: "", subZone: "" },
        healthFlags: [],
        edsHealthStatus: "HEALTHY",
        successRate: -1,
        localOriginSuccessRate: -1,
        stats: {
          cxActive: stat("cx_active"),
          cxConnectFail: stat("cx_connect_fail"),
          cxTotal: stat("cx_total"),
          rqActive: stat("rq_active"),
          rqError: stat("rq_error"),
          rqPendingActive: stat("rq_pending_active"),
          rqSuccess: stat("rq_success"),
          rqTimeout: stat("rq_timeout"),
          rqTotal: stat("rq_total"),
        },
      };
    }),
  };
});

test("/clusters: the recorded JSON and text", () => {
  expect(adminJson(clustersJson(snapshots))).toBe(adminJson({ cluster_statuses: recorded }));
  const ours = clustersText(snapshots).split("\n").sort();
  // Envoy prints clusters in the order of a hash table, and the two pages were not taken at the same moment.
  const theirs = text("permissive-clusters.txt.gz")
    .split("\n")
    .filter((line) => !/^(xds|sds)-grpc::/.test(line))
    .sort();
  const counters = /::(cx|rq)_\w+::\d+$/;
  expect(ours.map((line) => line.replace(counters, ""))).toEqual(theirs.map((line) => line.replace(counters, "")));
});

test("/clusters: hosts that are not healthy say why, empty clusters are an empty document", () => {
  const [first] = snapshots.filter(({ hosts }) => hosts.length > 0);
  const [host] = first?.hosts ?? [];
  if (!first || !host) throw new Error("no host");
  const sick: ClusterSnapshot = { ...first, hosts: [{ ...host, healthFlags: ["failed_outlier_check", "failed_eds_health"], successRate: 97.5 }] };
  expect(clustersText([sick])).toContain("::health_flags::/failed_outlier_check/failed_eds_health\n");
  expect(JSON.stringify(clustersJson([sick]))).toContain(
    '"health_status":{"failed_outlier_check":true,"eds_health_status":"UNHEALTHY"},"success_rate":{"value":97.5}',
  );
  expect(clustersJson([])).toEqual({});
});

test("/listeners: the recorded text and JSON", () => {
  const lines = text("permissive-listeners.txt").trim().split("\n");
  const listeners: ListenerSnapshot[] = [];
  for (const line of lines) {
    const [, name = "", address = "", port = ""] = /^(.*?)::\[?(.*?)\]?:(\d+)$/.exec(line) ?? [];
    const last = listeners.at(-1);
    const place = { address, port: Number(port) };
    if (last?.name === name) listeners[listeners.length - 1] = { ...last, addresses: [...last.addresses, place] };
    else listeners.push({ name, addresses: [place], state: "active", openConnections: 0 });
  }
  expect(listenersText(listeners)).toBe(text("permissive-listeners.txt"));
  expect(adminJson(listenersJson(listeners))).toBe(text("permissive-listeners.json"));
  const warming = listeners.map((listener) => ({ ...listener, state: "warming" as const }));
  expect(listenersText(warming)).toBe("");
  expect(listenersJson(warming)).toEqual({});
});

test("/stats: tags go back into the dotted name; filters keep a family's type line", () => {
  const prometheus = [
    "# TYPE envoy_cluster_upstream_cx_total counter",
    'envoy_cluster_upstream_cx_total{cluster_name="outbound|80||a\\"b"} 5',
    "# TYPE envoy_server_live gauge",
    "envoy_server_live{} 1",
    "# TYPE envoy_cluster_upstream_cx_length_ms histogram",
    'envoy_cluster_upstream_cx_length_ms_bucket{cluster_name="a",le="1"} 1',
    'envoy_cluster_upstream_cx_length_ms_count{cluster_name="a"} 2',
    "# TYPE istio_requests_total counter",
    'istio_requests_total{reporter="source",response_code="200"} 7',
    "",
  ].join("\n");
  expect(statLines(prometheus).map(({ name, value }) => `${name}: ${value}`)).toEqual([
    'cluster.outbound|80||a"b.upstream_cx_total: 5',
    "server.live: 1",
    "cluster.a.upstream_cx_length_ms_count: 2",
    "istio_requests_total.reporter.source.response_code.200: 7",
  ]);
  expect(filterPrometheus(prometheus, (sample) => sample.includes("istio"))).toBe(
    '# TYPE istio_requests_total counter\nistio_requests_total{reporter="source",response_code="200"} 7\n',
  );
});

test("/logging: one logger, all, several; unknown names and levels change nothing", () => {
  const levels = new LogLevels({ main: createLogger("m", { level: "none" }), admin: createLogger("a", { level: "none" }) }, "warn");
  const ask = (query: string) => levels.handle(new URLSearchParams(query));
  expect(ask("").body).toBe("active loggers:\n  main: warning\n  admin: warning\n\n");
  expect(ask("main=debug").body).toContain("  main: debug\n  admin: warning\n");
  expect(ask("paths=main:error,admin:off").body).toContain("  main: error\n  admin: off\n");
  expect(ask("level=info&nobody=debug").status).toBe(400);
  expect(ask("level=loud").status).toBe(400);
  expect(ask("").body).toContain("  main: error\n  admin: off\n");
});
