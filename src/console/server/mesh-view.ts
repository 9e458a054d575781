import type { Logger } from "../../base/index.ts";
import { CONFIG_MAPS, type GroupVersionResource, type Informer, type KubeClient, NAMESPACES, PEER_AUTHENTICATIONS, PODS, SERVICES, createInformer } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import type { WorkloadIdentity } from "../../telemetry/index.ts";

/** What the console keeps of a pod. */
export type PodView = KubeObject<
  { containers?: { name: string }[]; initContainers?: { name: string; restartPolicy?: string }[]; serviceAccountName?: string; nodeName?: string },
  { podIP?: string; phase?: string; conditions?: { type: string; status: string }[]; containerStatuses?: { name: string; ready: boolean; restartCount: number }[] }
>;
export type ServiceView = KubeObject<{ selector?: Record<string, string>; ports?: { name?: string; port: number; targetPort?: number | string; protocol?: string }[]; clusterIP?: string }>;
export type PeerAuthenticationView = KubeObject<{ selector?: { matchLabels?: Record<string, string> }; mtls?: { mode?: string }; portLevelMtls?: Record<string, { mode?: string }> }>;

/** Istio's own namespace: mesh-wide policies live there. */
export const ROOT_NAMESPACE = "istio-system";
/** Names the cluster in metrics; the embedded mesh and Istio's default agree on it. */
export const CLUSTER = "Kubernetes";

/** A current, trimmed copy of what pages show, and one place that tells of changes. */
export interface MeshView {
  readonly synced: Promise<void>;
  pods(namespace?: string): PodView[];
  services(namespace?: string): ServiceView[];
  namespaces(): KubeObject[];
  peerAuthentications(): PeerAuthenticationView[];
  meshConfig(): KubeObject | undefined;
  workloadByIp(ip: string): WorkloadIdentity | undefined;
  workloadByPod(namespace: string, pod: string): WorkloadIdentity | undefined;
  /** Namespaces whose traffic the graph shows: those with injected pods, and Istio's own when its gateway has traffic. */
  meshNamespaces(): string[];
  onChange(listener: (kind: "pods" | "services" | "namespaces" | "policies" | "config") => void): () => void;
  stop(): void;
}

export function createMeshView(client: KubeClient, log: Logger): MeshView {
  const informer = <T extends KubeObject>(gvr: GroupVersionResource, options: { namespace?: string; fieldSelector?: string } = {}, indexes?: Record<string, (object: T) => string[]>): Informer<T> =>
    createInformer<T>(client, gvr, { ...options, log, transform: trim, ...(indexes && { indexes }) });
  const pods = informer<PodView>(PODS, {}, { ip: (pod) => (pod.status?.podIP && pod.status.phase === "Running" ? [pod.status.podIP] : []) });
  const services = informer<ServiceView>(SERVICES);
  const namespaces = informer<KubeObject>(NAMESPACES);
  const policies = informer<PeerAuthenticationView>(PEER_AUTHENTICATIONS);
  const config = informer<KubeObject>(CONFIG_MAPS, { namespace: ROOT_NAMESPACE, fieldSelector: "metadata.name=istio" });
  const all = { pods, services, namespaces, policies, config } as const;
  return {
    synced: Promise.all(Object.values(all).map((i) => i.synced)).then(() => undefined),
    pods: (namespace) => pods.list(namespace),
    services: (namespace) => services.list(namespace),
    namespaces: () => namespaces.list(),
    peerAuthentications: () => policies.list(),
    meshConfig: () => config.list()[0],
    workloadByIp: (ip) => {
      const pod = pods.byIndex("ip", ip)[0];
      return pod && workloadOf(pod);
    },
    workloadByPod: (namespace, name) => {
      const pod = pods.get(name, namespace);
      return pod && workloadOf(pod);
    },
    meshNamespaces: () => [...new Set(pods.list().filter(hasProxy).map((pod) => pod.metadata.namespace ?? ""))].sort(),
    onChange(listener) {
      const stops = (Object.keys(all) as (keyof typeof all)[]).map((kind) => all[kind].onChange(() => listener(kind)));
      return () => stops.forEach((stop) => stop());
    },
    stop: () => Object.values(all).forEach((i) => i.stop()),
  };
}

/** Whether the pod runs a proxy of the mesh: a sidecar or a gateway. */
export function hasProxy(pod: PodView): boolean {
  return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].some((c) => c.name === "istio-proxy");
}

/** The workload that a pod belongs to, by Istio's rules: the owner's owner of a ReplicaSet, canonical labels. */
export function workloadOf(pod: PodView): WorkloadIdentity {
  const owner = pod.metadata.ownerReferences?.find((o) => o.controller) ?? pod.metadata.ownerReferences?.[0];
  const labels = pod.metadata.labels ?? {};
  const hash = labels["pod-template-hash"];
  const workload = !owner ? pod.metadata.name : owner.kind === "ReplicaSet" && hash && owner.name.endsWith(`-${hash}`) ? owner.name.slice(0, -hash.length - 1) : owner.name;
  return {
    cluster: CLUSTER,
    namespace: pod.metadata.namespace ?? "",
    workload,
    app: labels["service.istio.io/canonical-name"] ?? labels["app.kubernetes.io/name"] ?? labels.app ?? workload,
    version: labels["service.istio.io/canonical-revision"] ?? labels["app.kubernetes.io/version"] ?? labels.version ?? "latest",
  };
}

/** Managed fields and applied manifests are most of an object's size and on no page. */
function trim<T extends KubeObject>(object: T): T {
  delete object.metadata.managedFields;
  if (object.metadata.annotations) delete object.metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"];
  return object;
}
