import { existsSync, readFileSync } from "node:fs";
import { ChainmailError } from "../base/index.ts";
import { DEPLOYMENTS, type KubeClient, NODES, PODS, SERVICES, createClient, transportFromKubeconfig } from "../kube/index.ts";
import type { KubeObject } from "../resources/types.ts";
import type { ClusterPaths } from "./home.ts";

/** The client that a person with the admin kubeconfig has. */
export async function adminClient(paths: ClusterPaths): Promise<KubeClient> {
  if (!existsSync(paths.kubeconfig)) {
    throw new ChainmailError("CLUSTER_NOT_STARTED", `the cluster "${paths.name}" has never been started`, {
      hint: `chainmail up${paths.name === "default" ? "" : ` --name ${paths.name}`}`,
    });
  }
  return createClient(await transportFromKubeconfig(paths.kubeconfig));
}

type PodStatus = {
  phase?: string;
  conditions?: { type: string; status: string; reason?: string; message?: string }[];
  containerStatuses?: { name: string; state?: { running?: { startedAt?: string }; waiting?: { reason?: string; message?: string } } }[];
  initContainerStatuses?: { name: string; state?: { waiting?: { reason?: string; message?: string } } }[];
};
export type PodObject = KubeObject<{ nodeName?: string }, PodStatus>;

/** How the cluster is, in numbers that a person waits for. */
export interface Readiness {
  ready: number;
  total: number;
  /** Pods that are not ready, with the reason that their status gives. */
  waiting: WaitingPod[];
  complete: boolean;
}

export interface WaitingPod {
  /** NAMESPACE/NAME */
  name: string;
  reason: string;
  /** Of the mesh itself, where it is not somebody's own. */
  ofMesh: boolean;
  /** Time alone will not make it ready. */
  stuck: boolean;
}

/** What `up` answers for; what runs in other namespaces is its user's. */
const MESH_NAMESPACES = new Set(["istio-system", "kube-system"]);
/** Reasons that a kubelet gives for a container that somebody has to mend. */
const STUCK = new Set([
  "CrashLoopBackOff",
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
  "Unschedulable",
]);

/** When the running cluster began, in ms; 0 while it starts. */
export function clusterStart(paths: ClusterPaths): number {
  if (!existsSync(paths.started)) return 0;
  const { time } = JSON.parse(readFileSync(paths.started, "utf8")) as { time?: unknown };
  return typeof time === "number" ? time : 0;
}

/**
 * Everything is ready when each Deployment has its replicas and each pod that should run is Ready, with containers of
 * this run of the cluster: what a status says of the run before (`since`, in ms) does not count.
 */
export async function readiness(client: KubeClient, since: number): Promise<Readiness> {
  type Deployment = KubeObject<{ replicas?: number }, { availableReplicas?: number; observedGeneration?: number }>;
  const pods = await client.list<PodObject>(PODS);
  const live = pods.items.filter((pod) => pod.status?.phase !== "Succeeded" && pod.status?.phase !== "Failed" && !pod.metadata.deletionTimestamp);
  const waiting = live.filter((pod) => !isReady(pod, since)).map(waitingPod);
  const counts = { ready: live.length - waiting.length, total: live.length, waiting };
  if (waiting.length > 0) return { ...counts, complete: false };
  const [nodes, deployments] = await Promise.all([client.list(NODES), client.list<Deployment>(DEPLOYMENTS)]);
  const available = deployments.items.every((d) => (d.status?.availableReplicas ?? 0) >= (d.spec?.replicas ?? 1));
  return { ...counts, complete: nodes.items.length > 0 && available };
}

function isReady({ status }: PodObject, since: number): boolean {
  // Times in a status are whole seconds.
  const startedNow = (status?.containerStatuses ?? []).every(({ state }) => Date.parse(state?.running?.startedAt ?? "") >= Math.floor(since / 1000) * 1000);
  return startedNow && (status?.conditions?.some((c) => c.type === "Ready" && c.status === "True") ?? false);
}

function waitingPod(pod: PodObject): WaitingPod {
  const { namespace = "", name } = pod.metadata;
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const waiting = statuses.find((s) => s.state?.waiting?.reason)?.state?.waiting;
  const unscheduled = pod.status?.conditions?.find((c) => c.type === "PodScheduled" && c.status === "False");
  const reason = waiting?.reason ?? unscheduled?.reason ?? pod.status?.phase ?? "Pending";
  return { name: `${namespace}/${name}`, reason, ofMesh: MESH_NAMESPACES.has(namespace), stuck: STUCK.has(reason) };
}

type Service = KubeObject<{ ports?: { name?: string; port: number; nodePort?: number }[] }, { loadBalancer?: { ingress?: { ip?: string }[] } }>;

/** Where the ingress gateway can be reached from the host: its address and its node ports, which need no root. */
export async function gatewayAddress(client: KubeClient): Promise<{ ip: string; http: number; https: number } | undefined> {
  const service = await client.find<Service>(SERVICES, "istio-ingressgateway", "istio-system");
  const ip = service?.status?.loadBalancer?.ingress?.[0]?.ip;
  const port = (name: string) => service?.spec?.ports?.find((p) => p.name === name)?.nodePort;
  const [http, https] = [port("http2"), port("https")];
  return ip !== undefined && http !== undefined && https !== undefined ? { ip, http, https } : undefined;
}
