import { DESTINATION_RULES, VIRTUAL_SERVICES } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { CLUSTER, type PodView, type ServiceView, hasProxy, workloadOf } from "../server/mesh-view.ts";
import { durationSeconds } from "./graph-request.ts";
import { type RequestHealth, healthOrUnknown, kialiStatus, statusOf } from "./health.ts";
import { autoMtlsEnabled, effectiveMode, namespaceStatus } from "./mtls.ts";
import { type ApiContext, ApiProblem, type ApiRequest, type Route, param, queryList } from "./router.ts";
import { isReady } from "./workload-routes.ts";

export const SERVICE_ROUTES: Route[] = [
  { pattern: "/clusters/services", liveMs: 2_000, answer: (request, context) => listServices(request, context, queryList(request.query, "namespaces")) },
  { pattern: "/namespaces/:namespace/services", answer: (request, context) => listServices(request, context, [param(request, "namespace")]) },
  { pattern: "/namespaces/:namespace/services/:service", liveMs: 2_000, answer: serviceDetail },
];

async function listServices({ query }: ApiRequest, { mesh, queries }: ApiContext, namespaces: string[]): Promise<unknown> {
  const services = mesh
    .services()
    .filter(({ metadata }) => namespaces.length === 0 || namespaces.includes(metadata.namespace ?? ""))
    .toSorted(byName);
  const health =
    query.get("health") === "true"
      ? await healthOrUnknown(queries, [...new Set(services.map(({ metadata }) => metadata.namespace ?? ""))], durationSeconds(query.get("rateInterval")))
      : undefined;
  return {
    cluster: CLUSTER,
    services: services.map((service) => {
      const { metadata, spec } = service;
      const pods = podsOf(mesh.pods(metadata.namespace), service);
      const namespace = metadata.namespace ?? "";
      return {
        name: metadata.name,
        namespace,
        cluster: CLUSTER,
        istioSidecar: pods.length > 0 && pods.every(hasProxy),
        isAmbient: false,
        isWaypoint: false,
        labels: metadata.labels ?? {},
        selector: spec?.selector ?? {},
        ports: Object.fromEntries((spec?.ports ?? []).map(({ name, port }) => [name ?? String(port), port])),
        serviceRegistry: "Kubernetes",
        type: spec?.type ?? "ClusterIP",
        ip: spec?.clusterIP ?? "",
        istioReferences: [],
        kialiWizard: "",
        endpoints: pods.filter(isReady).length,
        ...(health && { health: healthItem(health.service(namespace, metadata.name)) }),
      };
    }),
    validations: {},
    ...(health?.problem && { metricsProblem: health.problem }),
  };
}

async function serviceDetail(request: ApiRequest, { mesh, queries }: ApiContext): Promise<unknown> {
  const [namespace, name] = [param(request, "namespace"), param(request, "service")];
  const service = mesh.services(namespace).find(({ metadata }) => metadata.name === name);
  if (!service) throw new ApiProblem(404, `Service "${name}" not found in namespace ${namespace}`);
  const pods = podsOf(mesh.pods(namespace), service);
  const [health, virtualServices, destinationRules] = await Promise.all([
    healthOrUnknown(queries, [namespace], durationSeconds(request.query.get("rateInterval"))),
    mesh.objects(VIRTUAL_SERVICES),
    mesh.objects(DESTINATION_RULES),
  ]);
  const workloads = new Map(pods.map((pod) => [workloadOf(pod).workload, pod]));
  const policies = mesh.peerAuthentications();
  const { metadata, spec } = service;
  return {
    service: {
      name,
      namespace,
      cluster: CLUSTER,
      createdAt: metadata.creationTimestamp ?? "",
      resourceVersion: metadata.resourceVersion ?? "",
      labels: metadata.labels ?? {},
      annotations: metadata.annotations ?? {},
      selectors: spec?.selector ?? {},
      type: spec?.type ?? "ClusterIP",
      ip: spec?.clusterIP ?? "",
      externalName: spec?.externalName ?? "",
      ports: (spec?.ports ?? []).map((port) => ({
        name: port.name ?? "",
        port: port.port,
        protocol: port.protocol ?? "TCP",
        appProtocol: port.appProtocol ?? null,
        targetPort: port.targetPort ?? port.port,
        istioProtocol: protocolOf(port),
        tlsMode: "",
      })),
    },
    cluster: CLUSTER,
    istioSidecar: pods.length > 0 && pods.every(hasProxy),
    isAmbient: false,
    endpoints: [
      {
        addresses: pods.filter(isReady).map((pod) => ({ kind: "Pod", name: pod.metadata.name, ip: pod.status?.podIP ?? "", port: 0 })),
        ports: spec?.ports?.map(({ name: portName, port, protocol }) => ({ name: portName ?? "", port, protocol: protocol ?? "TCP" })) ?? [],
      },
    ],
    workloads: [...workloads].map(([workload, pod]) => ({
      name: workload,
      namespace,
      gvk: { Group: "apps", Version: "v1", Kind: workloadOf(pod).kind },
      istioSidecar: hasProxy(pod),
      labels: pod.metadata.labels ?? {},
      podCount: pods.filter((p) => workloadOf(p).workload === workload).length,
      serviceAccountNames: [pod.spec?.serviceAccountName ?? "default"],
      security: hasProxy(pod) ? effectiveMode(pod, policies) : undefined,
    })),
    virtualServices: virtualServices.filter((object) => routesTo(object, name, namespace)),
    destinationRules: destinationRules.filter((object) => isHost((object.spec as { host?: unknown })?.host, name, namespace, object.metadata.namespace ?? "")),
    istioPermissions: { create: false, update: false, delete: false },
    health: healthItem(health.service(namespace, name)),
    ...(health.problem && { metricsProblem: health.problem }),
    namespaceMTLS: { status: namespaceStatus(namespace, policies), autoMTLSEnabled: autoMtlsEnabled(mesh.meshConfig()), minTLS: "N/A" },
    validations: {},
    serviceEntries: [],
    k8sGateways: [],
    k8sHTTPRoutes: [],
    k8sGRPCRoutes: [],
    k8sInferencePools: [],
    subServices: [],
    waypointWorkloads: [],
  };
}

/** Pods that a service's selector chooses. */
export function podsOf(pods: PodView[], service: ServiceView): PodView[] {
  const selector = Object.entries(service.spec?.selector ?? {});
  if (selector.length === 0) return [];
  return pods.filter(
    (pod) => pod.metadata.namespace === service.metadata.namespace && selector.every(([name, value]) => pod.metadata.labels?.[name] === value),
  );
}

/** A port's protocol by Istio's rules: its appProtocol, or what its name begins with. https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/ */
function protocolOf({ name, appProtocol, protocol }: { name?: string; appProtocol?: string; protocol?: string }): string {
  if (protocol === "UDP") return "UDP";
  const word = (appProtocol ?? name?.split("-")[0] ?? "").toLowerCase();
  const known: Record<string, string> = {
    http: "HTTP",
    http2: "HTTP2",
    https: "HTTPS",
    grpc: "GRPC",
    "grpc-web": "GRPC-Web",
    tcp: "TCP",
    tls: "TLS",
    mongo: "Mongo",
    mysql: "MySQL",
    redis: "Redis",
  };
  return known[word] ?? "Unsupported: sniffed";
}

function healthItem(requests: RequestHealth): Record<string, unknown> {
  return { requests, status: { status: kialiStatus(statusOf(requests)) } };
}

/** Whether a VirtualService is about a service: by its hosts or its destinations. */
export function routesTo(object: KubeObject, name: string, namespace: string): boolean {
  const spec = (object.spec ?? {}) as { hosts?: unknown[]; http?: unknown; tcp?: unknown; tls?: unknown };
  const own = object.metadata.namespace ?? "";
  if (spec.hosts?.some((host) => isHost(host, name, namespace, own))) return true;
  return [spec.http, spec.tcp, spec.tls]
    .flat()
    .some((route) =>
      ((route as { route?: { destination?: { host?: unknown } }[] } | undefined)?.route ?? []).some((target) =>
        isHost(target.destination?.host, name, namespace, own),
      ),
    );
}

/** Whether a host, written in an object of namespace `own`, names the service. */
export function isHost(host: unknown, name: string, namespace: string, own: string): boolean {
  if (typeof host !== "string") return false;
  return (host === name && own === namespace) || [`${name}.${namespace}`, `${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`].includes(host);
}

function byName(a: KubeObject, b: KubeObject): number {
  const key = ({ metadata }: KubeObject) => `${metadata.namespace}/${metadata.name}`;
  return key(a) < key(b) ? -1 : 1;
}
