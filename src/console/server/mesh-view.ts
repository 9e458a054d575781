import type { Clock, Logger } from "../../base/index.ts";
import {
  CONFIG_MAPS,
  type GroupVersionResource,
  type Informer,
  type InformerOptions,
  type KubeClient,
  NAMESPACES,
  PEER_AUTHENTICATIONS,
  PODS,
  SERVICES,
  createInformer,
} from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import type { WorkloadIdentity } from "../../telemetry/index.ts";
import { OtherKinds } from "./other-kinds.ts";
import { PastAddresses } from "./past-addresses.ts";

/** What the console keeps of a pod. */
export type PodView = KubeObject<
  { containers?: ContainerView[]; initContainers?: ContainerView[]; serviceAccountName?: string; nodeName?: string; hostNetwork?: boolean },
  {
    podIP?: string;
    phase?: string;
    conditions?: { type: string; status: string; reason?: string }[];
    containerStatuses?: ContainerStatusView[];
    initContainerStatuses?: ContainerStatusView[];
  }
>;
export interface ContainerView {
  name: string;
  image?: string;
  restartPolicy?: string;
  ports?: { name?: string; containerPort: number; protocol?: string }[];
}
export interface ContainerStatusView {
  name: string;
  ready: boolean;
  restartCount: number;
  state?: Record<string, { reason?: string; message?: string; startedAt?: string } | undefined>;
}
export type ServiceView = KubeObject<{
  type?: string;
  selector?: Record<string, string>;
  ports?: { name?: string; port: number; targetPort?: number | string; protocol?: string; appProtocol?: string }[];
  clusterIP?: string;
  externalName?: string;
}>;
export type PeerAuthenticationView = KubeObject<{
  selector?: { matchLabels?: Record<string, string> };
  mtls?: { mode?: string };
  portLevelMtls?: Record<string, { mode?: string }>;
}>;

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
  /** The mesh's trust anchors in PEM, as istiod publishes them; empty before it has. */
  rootCertificates(): string;
  workloadByIp(ip: string): WorkloadIdentity | undefined;
  workloadByPod(namespace: string, pod: string): WorkloadIdentity | undefined;
  /** Namespaces whose traffic the graph shows: those with injected pods, and Istio's own when its gateway has traffic. */
  meshNamespaces(): string[];
  /**
   * All objects of another kind, kept current from the first time they are asked for and for a while after the last.
   * Empty where the API server does not know the kind.
   */
  objects<T extends KubeObject>(resource: GroupVersionResource): Promise<T[]>;
  /** Called after any change of anything that is kept. */
  onChange(listener: () => void): () => void;
  stop(): void;
}

export function createMeshView(client: KubeClient, log: Logger, clock: Clock): MeshView {
  const informer = <T extends KubeObject>(
    gvr: GroupVersionResource,
    options: { namespace?: string; fieldSelector?: string } = {},
    more: Pick<InformerOptions<T>, "indexes" | "transform"> = {},
  ): Informer<T> => createInformer<T>(client, gvr, { ...options, log, transform: trim, ...more });
  const pods = informer<PodView>(
    PODS,
    {},
    { transform: trimPod, indexes: { ip: (pod) => (pod.status?.podIP && pod.status.phase === "Running" ? [pod.status.podIP] : []) } },
  );
  const services = informer<ServiceView>(SERVICES);
  const namespaces = informer<KubeObject>(NAMESPACES);
  const policies = informer<PeerAuthenticationView>(PEER_AUTHENTICATIONS);
  const config = informer<KubeObject>(CONFIG_MAPS, { namespace: ROOT_NAMESPACE, fieldSelector: "metadata.name=istio" });
  const roots = informer<KubeObject & { data?: Record<string, string> }>(CONFIG_MAPS, {
    namespace: ROOT_NAMESPACE,
    fieldSelector: "metadata.name=istio-ca-root-cert",
  });
  const always = [pods, services, namespaces, policies, config, roots];
  const listeners = new Set<() => void>();
  const tell = () => listeners.forEach((listener) => listener());
  for (const one of always) one.onChange(tell);
  const past = new PastAddresses(clock);
  pods.onChange(({ type, object, old }) => {
    const was = type === "DELETED" ? object : old;
    // A pod in its node's network leaves an address behind that is the node's.
    if (was?.status?.podIP && !was.spec?.hostNetwork && (type === "DELETED" || object.status?.podIP !== was.status.podIP))
      past.left(was.status.podIP, workloadOf(was));
  });
  const others = new OtherKinds((gvr) => informer(gvr), tell, clock);
  return {
    synced: Promise.all(always.map((i) => i.synced)).then(() => undefined),
    pods: (namespace) => pods.list(namespace),
    services: (namespace) => services.list(namespace),
    namespaces: () => namespaces.list().toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)),
    peerAuthentications: () => policies.list(),
    meshConfig: () => config.list()[0],
    rootCertificates: () => roots.list()[0]?.data?.["root-cert.pem"] ?? "",
    workloadByIp: (ip) => {
      const pod = pods.byIndex("ip", ip)[0];
      return pod ? workloadOf(pod) : past.of(ip);
    },
    workloadByPod: (namespace, name) => {
      const pod = pods.get(name, namespace);
      return pod && workloadOf(pod);
    },
    meshNamespaces: () =>
      [
        ...new Set(
          pods
            .list()
            .filter(hasProxy)
            .map((pod) => pod.metadata.namespace ?? ""),
        ),
      ].sort(),
    objects: (gvr) => others.list(gvr),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop() {
      for (const one of always) one.stop();
      others.stop();
    },
  };
}

/** Whether the pod runs a proxy of the mesh: a sidecar or a gateway. */
export function hasProxy(pod: PodView): boolean {
  return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].some((c) => c.name === "istio-proxy");
}

/** The workload that a pod belongs to and what kind of object made it. */
export interface PodWorkload extends WorkloadIdentity {
  kind: string;
}

/** By Istio's rules: the owner's owner of a ReplicaSet, canonical labels. */
export function workloadOf(pod: PodView): PodWorkload {
  const owner = pod.metadata.ownerReferences?.find((o) => o.controller) ?? pod.metadata.ownerReferences?.[0];
  const labels = pod.metadata.labels ?? {};
  const hash = labels["pod-template-hash"];
  const deployed = owner?.kind === "ReplicaSet" && hash !== undefined && owner.name.endsWith(`-${hash}`);
  const workload = !owner ? pod.metadata.name : deployed ? owner.name.slice(0, -hash.length - 1) : owner.name;
  return {
    cluster: CLUSTER,
    namespace: pod.metadata.namespace ?? "",
    workload,
    kind: !owner ? "Pod" : deployed ? "Deployment" : owner.kind,
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

/** A pod's environment, mounts and probes are on no page either. */
function trimPod(pod: PodView): PodView {
  const { spec, status } = trim(pod);
  const container = ({ name, image, restartPolicy, ports }: ContainerView): ContainerView => ({
    name,
    ...(image && { image }),
    ...(restartPolicy && { restartPolicy }),
    ...(ports && { ports }),
  });
  const containerStatus = ({ name, ready, restartCount, state }: ContainerStatusView): ContainerStatusView => ({
    name,
    ready,
    restartCount,
    ...(state && { state }),
  });
  return {
    apiVersion: pod.apiVersion,
    kind: pod.kind,
    metadata: pod.metadata,
    spec: {
      containers: spec?.containers?.map(container),
      initContainers: spec?.initContainers?.map(container),
      serviceAccountName: spec?.serviceAccountName,
      nodeName: spec?.nodeName,
      ...(spec?.hostNetwork && { hostNetwork: true }),
    },
    status: {
      podIP: status?.podIP,
      phase: status?.phase,
      conditions: status?.conditions?.map(({ type, status: is, reason }) => ({ type, status: is, ...(reason && { reason }) })),
      containerStatuses: status?.containerStatuses?.map(containerStatus),
      initContainerStatuses: status?.initContainerStatuses?.map(containerStatus),
    },
  };
}
