import { type QueryClient } from "../../telemetry/index.ts";
import { CLUSTER, ROOT_NAMESPACE, hasProxy } from "../server/mesh-view.ts";
import { validated } from "./config-routes.ts";
import { durationSeconds } from "./graph-request.ts";
import { type Health } from "../../telemetry/index.ts";
import { errorRate, kialiStatus, loadHealth, statusOf, totalRate } from "./health.ts";
import { objectKey } from "./istio-kinds.ts";
import { namespaceStatus } from "./mtls.ts";
import type { ApiContext, Route } from "./router.ts";
import { workloadsIn } from "./workload-routes.ts";

/** One namespace at a glance. */
export interface NamespaceRow {
  name: string;
  controlPlane: boolean;
  injected: boolean;
  tls: string;
  workloads: number;
  pods: number;
  ready: number;
  /** Workloads with a sidecar. */
  inMesh: number;
  health: Record<Health, number>;
  /** Requests a second. */
  inbound: number;
  errors: number;
  outbound: number;
  config: { objects: number; errors: number; warnings: number };
}

export interface ServiceRow {
  namespace: string;
  name: string;
  rate: number;
  errorShare: number;
  p95: number | undefined;
}

export interface OverviewAnswer {
  namespaces: NamespaceRow[];
  services: ServiceRow[];
  /** The problem of the metrics store, when it cannot be asked: the rest is true all the same. */
  metricsProblem: string | undefined;
}

/** Rates that a person compares are of minutes, not of seconds. */
const SECONDS = 60;
/** As many as Kiali's cards show. */
const TOP = 6;

export const OVERVIEW_ROUTES: Route[] = [
  { pattern: "/overview", liveMs: 2_000, answer: ({ query }, context) => overview(context, durationSeconds(query.get("duration"), SECONDS)) },
  {
    pattern: "/overview/metrics/services/rates",
    async answer({ query }, { queries }) {
      const rows = await serviceRates(queries, durationSeconds(query.get("rateInterval"), SECONDS));
      return {
        services: rows
          .sort((a, b) => b.errorShare - a.errorShare || b.rate - a.rate)
          .slice(0, TOP)
          .map(({ namespace, name, rate, errorShare }) => ({
            cluster: CLUSTER,
            namespace,
            serviceName: name,
            requestRate: rate,
            errorRate: errorShare,
            healthStatus: errorShare === 0 ? "Healthy" : errorShare >= 0.1 ? "Failure" : "Degraded",
          })),
      };
    },
  },
  {
    pattern: "/overview/metrics/services/latency",
    async answer({ query }, { queries }) {
      const latencies = await serviceLatencies(queries, durationSeconds(query.get("rateInterval"), SECONDS));
      return {
        services: latencies
          .slice(0, TOP)
          .map(({ namespace, name, p95 }) => ({ cluster: CLUSTER, namespace, serviceName: name, latency: p95, healthStatus: "NA" })),
      };
    },
  },
  {
    pattern: "/overview/metrics/services/throughput",
    async answer({ query }, { queries }) {
      const seconds = durationSeconds(query.get("rateInterval"), SECONDS);
      const samples = await queries.instant(
        `round(topk(${TOP}, sum(rate(istio_tcp_sent_bytes_total{destination_workload!="unknown",reporter="destination"}[${seconds}s])) by (destination_cluster,destination_service_namespace,destination_service_name) > 0), 0.001)`,
      );
      return {
        hasWaypoints: false,
        services: samples.map(({ labels, value }) => ({
          cluster: CLUSTER,
          namespace: labels.destination_service_namespace ?? "",
          serviceName: labels.destination_service_name ?? "",
          tcpRate: value,
          healthStatus: "NA",
        })),
      };
    },
  },
  {
    pattern: "/overview/metrics/apps/rates",
    async answer({ query }, { queries, mesh }) {
      const workloads = await workloadsIn(mesh, []);
      const health = await loadHealth(queries, [...new Set(workloads.map((w) => w.namespace))], durationSeconds(query.get("rateInterval"), SECONDS));
      const apps = new Map(
        workloads.flatMap((w) =>
          w.pods[0] ? [[`${w.namespace}/${mesh.workloadByPod(w.namespace, w.pods[0].metadata.name)?.app ?? w.name}`, w.namespace] as const] : [],
        ),
      );
      return {
        apps: [...apps].map(([key, namespace]) => {
          const name = key.slice(namespace.length + 1);
          const requests = health.app(namespace, name);
          return {
            appName: name,
            namespace,
            cluster: CLUSTER,
            requestRateIn: totalRate(requests.inbound),
            requestRateOut: totalRate(requests.outbound),
            healthStatus: kialiStatus(statusOf(requests)),
          };
        }),
      };
    },
  },
];

async function overview(context: ApiContext, seconds: number): Promise<OverviewAnswer> {
  const { mesh, queries } = context;
  const [workloads, { objects, checks }] = await Promise.all([workloadsIn(mesh, []), validated(context)]);
  const names = mesh
    .namespaces()
    .map(({ metadata }) => metadata.name)
    .filter((name) => workloads.some((w) => w.namespace === name));
  let metricsProblem: string | undefined;
  const lost = (thrown: unknown) => {
    metricsProblem = thrown instanceof Error ? thrown.message : String(thrown);
    return undefined;
  };
  const [health, services, latencies] = await Promise.all([
    loadHealth(queries, names, seconds).catch(lost),
    serviceRates(queries, seconds).catch(lost),
    serviceLatencies(queries, seconds).catch(lost),
  ]);
  const rows = names.map((name): NamespaceRow => {
    const { labels = {} } = mesh.namespaces().find(({ metadata }) => metadata.name === name)!.metadata;
    const here = workloads.filter((w) => w.namespace === name);
    const counts: Record<Health, number> = { healthy: 0, degraded: 0, failing: 0, idle: 0 };
    let [inbound, errors, outbound] = [0, 0, 0];
    for (const workload of here) {
      const requests = health?.workload(name, workload.name);
      // A workload without enough pods is not well, whatever its last requests say.
      counts[workload.available < workload.desired ? (workload.available === 0 ? "failing" : "degraded") : requests ? statusOf(requests) : "idle"]++;
      if (!requests) continue;
      inbound += totalRate(requests.inbound);
      errors += errorRate(requests.inbound);
      outbound += totalRate(requests.outbound);
    }
    const own = [...objects.values()].flat().filter(({ metadata }) => metadata.namespace === name);
    const found = own.flatMap((object) => checks.get(objectKey(object)) ?? []);
    return {
      name,
      controlPlane: name === ROOT_NAMESPACE,
      injected: labels["istio-injection"] === "enabled" || labels["istio.io/rev"] !== undefined,
      tls: namespaceStatus(name, mesh.peerAuthentications()),
      workloads: here.length,
      pods: here.reduce((sum, w) => sum + w.pods.length, 0),
      ready: here.filter((w) => w.available >= w.desired).length,
      inMesh: here.filter((w) => w.pods.some(hasProxy)).length,
      health: counts,
      inbound: rounded(inbound),
      errors: rounded(errors),
      outbound: rounded(outbound),
      config: {
        objects: own.length,
        errors: found.filter(({ severity }) => severity === "error").length,
        warnings: found.filter(({ severity }) => severity === "warning").length,
      },
    };
  });
  const p95 = new Map(latencies?.map((row) => [`${row.namespace}/${row.name}`, row.p95]));
  return { namespaces: rows, services: (services ?? []).map((row) => ({ ...row, p95: p95.get(`${row.namespace}/${row.name}`) })), metricsProblem };
}

async function serviceRates(queries: QueryClient, seconds: number): Promise<ServiceRow[]> {
  const by = "destination_service_namespace,destination_service_name";
  const all = `istio_requests_total{destination_workload!="unknown",reporter="destination"`;
  const [totals, failures] = await Promise.all([
    queries.instant(`sum(rate(${all}}[${seconds}s])) by (${by}) > 0`),
    queries.instant(`sum(rate(${all},response_code=~"0|[45].."}[${seconds}s])) by (${by}) > 0`),
  ]);
  const key = (labels: Record<string, string>) => `${labels.destination_service_namespace}/${labels.destination_service_name}`;
  const failed = new Map(failures.map(({ labels, value }) => [key(labels), value]));
  return totals
    .map(({ labels, value }) => ({
      namespace: labels.destination_service_namespace ?? "",
      name: labels.destination_service_name ?? "",
      rate: rounded(value),
      errorShare: rounded((failed.get(key(labels)) ?? 0) / value),
      p95: undefined,
    }))
    .sort((a, b) => b.rate - a.rate || (a.name < b.name ? -1 : 1));
}

async function serviceLatencies(queries: QueryClient, seconds: number): Promise<{ namespace: string; name: string; p95: number }[]> {
  const samples = await queries.instant(
    `round(histogram_quantile(0.95, sum(rate(istio_request_duration_milliseconds_bucket{destination_workload!="unknown"}[${seconds}s])) by (le,destination_cluster,destination_service_namespace,destination_service_name)) > 0, 0.001)`,
  );
  return samples
    .map(({ labels, value }) => ({ namespace: labels.destination_service_namespace ?? "", name: labels.destination_service_name ?? "", p95: value }))
    .sort((a, b) => b.p95 - a.p95);
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
