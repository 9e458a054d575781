import { DAEMON_SETS, DEPLOYMENTS, STATEFUL_SETS } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { CLUSTER, type MeshView, type PodView, type ServiceView, hasProxy, workloadOf } from "../server/mesh-view.ts";
import type { SyncRow } from "../server/istiod.ts";
import { durationSeconds } from "./graph-request.ts";
import { type HealthIndex, type RequestHealth, healthOrUnknown, kialiStatus, statusOf } from "./health.ts";
import { effectiveMode, portModes } from "./mtls.ts";
import { type ApiContext, ApiProblem, type ApiRequest, type Route, param, queryList } from "./router.ts";
import { proxyStatus } from "./sync-status.ts";

type Controller = KubeObject<
  { replicas?: number; template?: { metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> } } },
  { replicas?: number; availableReplicas?: number; readyReplicas?: number; desiredNumberScheduled?: number; numberAvailable?: number }
>;

/** A workload with its pods, whichever kind of object made them. */
export interface Workload {
  namespace: string;
  name: string;
  kind: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  createdAt: string;
  resourceVersion: string;
  desired: number;
  current: number;
  available: number;
  pods: PodView[];
}

const CONTROLLERS = [
  ["Deployment", DEPLOYMENTS],
  ["StatefulSet", STATEFUL_SETS],
  ["DaemonSet", DAEMON_SETS],
] as const;

export const WORKLOAD_ROUTES: Route[] = [
  { pattern: "/clusters/workloads", liveMs: 2_000, answer: (request, context) => listWorkloads(request, context, queryList(request.query, "namespaces")) },
  { pattern: "/namespaces/:namespace/workloads", answer: (request, context) => listWorkloads(request, context, [param(request, "namespace")]) },
  {
    pattern: "/namespaces/:namespace/workloads/:workload",
    liveMs: 2_000,
    async answer(request, context) {
      const [namespace, name] = [param(request, "namespace"), param(request, "workload")];
      const workload = (await workloadsIn(context.mesh, [namespace])).find((w) => w.name === name);
      if (!workload) throw new ApiProblem(404, `Workload "${name}" not found in namespace ${namespace}`);
      const [health, rows] = await Promise.all([
        healthOrUnknown(context.queries, [namespace], durationSeconds(request.query.get("rateInterval"))),
        // Without istiod the pods are still there to see; their state of sync is then simply not told.
        context.istiod.syncz().catch(() => undefined),
      ]);
      return { ...workloadDetail(workload, health.workload(namespace, name), rows, context.mesh), ...(health.problem && { metricsProblem: health.problem }) };
    },
  },
];

/** All workloads of some namespaces, those without pods included. Empty asks for all namespaces. */
export async function workloadsIn(mesh: MeshView, namespaces: readonly string[]): Promise<Workload[]> {
  const wanted = (namespace: string | undefined) => namespaces.length === 0 || namespaces.includes(namespace ?? "");
  const found = new Map<string, Workload>();
  const lists = await Promise.all(CONTROLLERS.map(async ([kind, resource]) => ({ kind, objects: await mesh.objects<Controller>(resource) })));
  for (const { kind, objects } of lists) {
    for (const { metadata, spec, status } of objects) {
      if (!wanted(metadata.namespace)) continue;
      const daemon = kind === "DaemonSet";
      found.set(`${metadata.namespace}/${metadata.name}`, {
        namespace: metadata.namespace ?? "",
        name: metadata.name,
        kind,
        labels: spec?.template?.metadata?.labels ?? {},
        annotations: metadata.annotations ?? {},
        createdAt: metadata.creationTimestamp ?? "",
        resourceVersion: metadata.resourceVersion ?? "",
        desired: daemon ? (status?.desiredNumberScheduled ?? 0) : (spec?.replicas ?? 1),
        current: status?.replicas ?? 0,
        available: daemon ? (status?.numberAvailable ?? 0) : (status?.availableReplicas ?? status?.readyReplicas ?? 0),
        pods: [],
      });
    }
  }
  for (const pod of mesh.pods()) {
    if (!wanted(pod.metadata.namespace) || pod.metadata.deletionTimestamp || pod.status?.phase === "Succeeded") continue;
    const { namespace, workload: name, kind } = workloadOf(pod);
    const key = `${namespace}/${name}`;
    let workload = found.get(key);
    if (!workload) {
      workload = {
        namespace,
        name,
        kind,
        labels: pod.metadata.labels ?? {},
        annotations: {},
        createdAt: pod.metadata.creationTimestamp ?? "",
        resourceVersion: pod.metadata.resourceVersion ?? "",
        desired: 0,
        current: 0,
        available: 0,
        pods: [],
      };
      found.set(key, workload);
    }
    if (!CONTROLLERS.some(([known]) => known === kind) || workload.desired === 0) {
      workload.desired++;
      workload.current++;
      workload.available += isReady(pod) ? 1 : 0;
    }
    workload.pods.push(pod);
  }
  return [...found.values()].sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
}

export function isReady(pod: PodView): boolean {
  return pod.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false;
}

/** Services whose selector chooses the labels. */
export function servicesOf(mesh: MeshView, namespace: string, labels: Record<string, string>): ServiceView[] {
  return mesh.services(namespace).filter((service) => {
    const selector = Object.entries(service.spec?.selector ?? {});
    return selector.length > 0 && selector.every(([name, value]) => labels[name] === value);
  });
}

async function listWorkloads(request: ApiRequest, { mesh, queries }: ApiContext, namespaces: string[]): Promise<unknown> {
  const workloads = await workloadsIn(mesh, namespaces);
  const health =
    request.query.get("health") === "true"
      ? await healthOrUnknown(queries, [...new Set(workloads.map((w) => w.namespace))], durationSeconds(request.query.get("rateInterval")))
      : undefined;
  return {
    cluster: CLUSTER,
    workloads: workloads.map((workload) => listItem(workload, health)),
    validations: {},
    ...(health?.problem && { metricsProblem: health.problem }),
  };
}

function listItem(workload: Workload, health: HealthIndex | undefined): Record<string, unknown> {
  const { namespace, name, kind, labels, createdAt, resourceVersion, pods } = workload;
  return {
    name,
    namespace,
    cluster: CLUSTER,
    gvk: { Group: kind === "Pod" ? "" : "apps", Version: "v1", Kind: kind },
    createdAt,
    resourceVersion,
    instanceType: "Workload",
    istioSidecar: pods.every(hasProxy),
    isAmbient: false,
    isGateway: labels.istio?.endsWith("gateway") ?? false,
    isWaypoint: false,
    isZtunnel: false,
    labels,
    appLabel: "app" in labels,
    versionLabel: "version" in labels,
    podCount: pods.length,
    istioReferences: [],
    healthAnnotations: {},
    notCoveredAuthPolicy: false,
    serviceAccountNames: [...new Set(pods.map((pod) => pod.spec?.serviceAccountName ?? "default"))],
    ...(health && { health: healthItem(workload, health.workload(namespace, name)) }),
  };
}

function healthItem(workload: Workload, requests: RequestHealth, syncedProxies = -1): Record<string, unknown> {
  const { name, desired, current, available } = workload;
  const word = desired > 0 && available < desired ? (available === 0 ? "Failure" : "Degraded") : kialiStatus(statusOf(requests));
  return {
    workloadStatus: { name, desiredReplicas: desired, currentReplicas: current, availableReplicas: available, syncedProxies },
    requests,
    status: { status: word },
  };
}

function workloadDetail(workload: Workload, requests: RequestHealth, rows: SyncRow[] | undefined, mesh: MeshView): Record<string, unknown> {
  const { labels, annotations, desired, current, available, pods, namespace } = workload;
  const [first] = pods;
  const policies = mesh.peerAuthentications();
  const views = pods.map((pod) => podItem(pod, rows));
  return {
    ...listItem(workload, undefined),
    annotations,
    desiredReplicas: desired,
    currentReplicas: current,
    availableReplicas: available,
    pods: views,
    services: servicesOf(mesh, namespace, first?.metadata.labels ?? labels).map(({ metadata, spec }) => ({
      name: metadata.name,
      namespace,
      cluster: CLUSTER,
      type: spec?.type ?? "ClusterIP",
      ip: spec?.clusterIP ?? "",
      ports: spec?.ports ?? [],
      labels: metadata.labels ?? {},
      createdAt: metadata.creationTimestamp ?? "",
    })),
    runtimes: [],
    additionalDetails: [],
    validations: {},
    waypointWorkloads: [],
    health: healthItem(
      workload,
      requests,
      rows ? views.filter((view) => view.proxyStatus && Object.values(view.proxyStatus).every((state) => state === "Synced")).length : -1,
    ),
    // Beyond Kiali: what the workload's proxies ask of their callers, and who decided it.
    security: first && hasProxy(first) ? { ...effectiveMode(first, policies), ports: portModes(first, policies) } : undefined,
  };
}

interface PodItem {
  [field: string]: unknown;
  proxyStatus: Record<string, string> | null;
}

function podItem(pod: PodView, rows: SyncRow[] | undefined): PodItem {
  const { metadata, spec, status } = pod;
  const proxy = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].find((c) => c.name === "istio-proxy");
  const statuses = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  const container = ({ name, image }: { name: string; image?: string }) => ({
    name,
    image: image ?? "",
    isProxy: name === "istio-proxy",
    isReady: statuses.find((s) => s.name === name)?.ready ?? false,
    isAmbient: false,
  });
  const row = rows?.find((r) => r.proxy === `${metadata.name}.${metadata.namespace}`);
  return {
    name: metadata.name,
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    createdAt: metadata.creationTimestamp ?? "",
    createdBy: metadata.ownerReferences?.map(({ name, kind }) => ({ name, kind })) ?? [],
    containers: (spec?.containers ?? []).filter((c) => c.name !== "istio-proxy").map(container),
    istioContainers: proxy ? [container(proxy)] : [],
    istioInitContainers: (spec?.initContainers ?? []).filter((c) => c.name === "istio-init" || c.name === "istio-validation").map(container),
    status: status?.phase ?? "Unknown",
    statusMessage: "",
    statusReason: reasonOf(pod),
    ready: isReady(pod),
    restarts: statuses.reduce((sum, s) => sum + s.restartCount, 0),
    appLabel: "app" in (metadata.labels ?? {}),
    versionLabel: "version" in (metadata.labels ?? {}),
    protocol: "http",
    ip: status?.podIP ?? "",
    node: spec?.nodeName ?? "",
    serviceAccountName: spec?.serviceAccountName ?? "default",
    proxyStatus: proxy && rows ? (row ? proxyStatus(row) : { CDS: "Not connected", EDS: "Not connected", LDS: "Not connected", RDS: "Not connected" }) : null,
  };
}

/** Why a pod does not run, as its containers say it. */
function reasonOf({ status }: PodView): string {
  for (const { state } of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const reason = state?.waiting?.reason ?? (state?.terminated?.reason !== "Completed" ? state?.terminated?.reason : undefined);
    if (reason) return reason;
  }
  return "";
}
