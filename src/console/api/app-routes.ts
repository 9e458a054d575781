import { CLUSTER, hasProxy, workloadOf } from "../server/mesh-view.ts";
import { durationSeconds } from "./graph-request.ts";
import { type RequestHealth, healthOrUnknown, kialiStatus, statusOf } from "./health.ts";
import { type ApiContext, ApiProblem, type ApiRequest, type Route, param, queryList } from "./router.ts";
import { type Workload, servicesOf, workloadsIn } from "./workload-routes.ts";

export const APP_ROUTES: Route[] = [
  { pattern: "/clusters/apps", liveMs: 2_000, answer: (request, context) => listApps(request, context, queryList(request.query, "namespaces")) },
  { pattern: "/namespaces/:namespace/apps", answer: (request, context) => listApps(request, context, [param(request, "namespace")]) },
  {
    pattern: "/namespaces/:namespace/apps/:app",
    liveMs: 2_000,
    async answer(request, { mesh, queries }) {
      const [namespace, name] = [param(request, "namespace"), param(request, "app")];
      const members = (await workloadsIn(mesh, [namespace])).filter((workload) => appOf(workload) === name);
      if (members.length === 0) throw new ApiProblem(404, `App "${name}" not found in namespace ${namespace}`);
      const health = await healthOrUnknown(queries, [namespace], durationSeconds(request.query.get("rateInterval")));
      return {
        namespace: { name: namespace, cluster: CLUSTER },
        name,
        cluster: CLUSTER,
        isAmbient: false,
        workloads: members.map((w) => ({
          workloadName: w.name,
          gvk: { Group: "apps", Version: "v1", Kind: w.kind },
          istioSidecar: w.pods.length > 0 && w.pods.every(hasProxy),
          labels: w.labels,
          serviceAccountNames: [...new Set(w.pods.map((pod) => pod.spec?.serviceAccountName ?? "default"))],
        })),
        serviceNames: [
          ...new Set(members.flatMap((w) => servicesOf(mesh, namespace, w.pods[0]?.metadata.labels ?? w.labels).map(({ metadata }) => metadata.name))),
        ],
        runtimes: [],
        health: healthItem(members, health.app(namespace, name)),
        ...(health.problem && { metricsProblem: health.problem }),
      };
    },
  },
  {
    pattern: "/clusters/health",
    async answer({ query }, { mesh, queries }) {
      const [type, namespaces] = [query.get("type") ?? "app", queryList(query, "namespaces")];
      const workloads = await workloadsIn(mesh, namespaces);
      const health = await healthOrUnknown(queries, [...new Set(workloads.map((w) => w.namespace))], durationSeconds(query.get("rateInterval")));
      const result: Record<"namespaceAppHealth" | "namespaceServiceHealth" | "namespaceWorkloadHealth", Record<string, Record<string, unknown>>> = {
        namespaceAppHealth: {},
        namespaceServiceHealth: {},
        namespaceWorkloadHealth: {},
      };
      if (type === "workload")
        for (const w of workloads)
          (result.namespaceWorkloadHealth[w.namespace] ??= {})[w.name] = {
            workloadStatus: replicas(w),
            requests: health.workload(w.namespace, w.name),
            status: { status: kialiStatus(statusOf(health.workload(w.namespace, w.name))) },
          };
      if (type === "app")
        for (const [key, members] of byApp(workloads))
          (result.namespaceAppHealth[members[0]!.namespace] ??= {})[key.split("/")[1]!] = healthItem(
            members,
            health.app(members[0]!.namespace, key.split("/")[1]!),
          );
      if (type === "service") {
        for (const { metadata } of mesh.services()) {
          const namespace = metadata.namespace ?? "";
          if (namespaces.length > 0 && !namespaces.includes(namespace)) continue;
          const requests = health.service(namespace, metadata.name);
          (result.namespaceServiceHealth[namespace] ??= {})[metadata.name] = { requests, status: { status: kialiStatus(statusOf(requests)) } };
        }
      }
      return result;
    },
  },
];

async function listApps({ query }: ApiRequest, { mesh, queries }: ApiContext, namespaces: string[]): Promise<unknown> {
  const workloads = await workloadsIn(mesh, namespaces);
  const health =
    query.get("health") === "true"
      ? await healthOrUnknown(queries, [...new Set(workloads.map((w) => w.namespace))], durationSeconds(query.get("rateInterval")))
      : undefined;
  const apps = [...byApp(workloads)].map(([key, members]) => {
    const [namespace = "", name = ""] = key.split("/");
    return {
      name,
      namespace,
      cluster: CLUSTER,
      instanceType: "App",
      istioSidecar: members.every((w) => w.pods.length > 0 && w.pods.every(hasProxy)),
      isAmbient: false,
      isGateway: members.some((w) => w.labels.istio?.endsWith("gateway")),
      labels: members[0]!.labels,
      istioReferences: [],
      ...(health && { health: healthItem(members, health.app(namespace, name)) }),
    };
  });
  return { cluster: CLUSTER, applications: apps, apps, ...(health?.problem && { metricsProblem: health.problem }) };
}

function appOf(workload: Workload): string {
  const [pod] = workload.pods;
  return pod ? workloadOf(pod).app : (workload.labels.app ?? workload.name);
}

function byApp(workloads: Workload[]): Map<string, Workload[]> {
  return Map.groupBy(workloads, (workload) => `${workload.namespace}/${appOf(workload)}`);
}

function replicas({ name, desired, current, available }: Workload): Record<string, unknown> {
  return { name, desiredReplicas: desired, currentReplicas: current, availableReplicas: available, syncedProxies: -1 };
}

function healthItem(members: Workload[], requests: RequestHealth): Record<string, unknown> {
  return { workloadStatuses: members.map(replicas), requests, status: { status: kialiStatus(statusOf(requests)) } };
}
