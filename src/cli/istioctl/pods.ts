import { ChainmailError, errorText } from "../../base/index.ts";
import { DAEMON_SETS, DEPLOYMENTS, isNotFound, JOBS, PODS, REPLICA_SETS, SERVICES, STATEFUL_SETS, type GroupVersionResource } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import type { KubeAccess, PodRef } from "./kube-access.ts";

/** Kinds that stand for pods, by every name that people type. */
const KINDS: readonly (readonly [gvr: GroupVersionResource, names: readonly string[]])[] = [
  [DEPLOYMENTS, ["deployment", "deployments", "deploy", "deployment.apps", "deployments.apps"]],
  [SERVICES, ["service", "services", "svc"]],
  [STATEFUL_SETS, ["statefulset", "statefulsets", "sts", "statefulset.apps"]],
  [DAEMON_SETS, ["daemonset", "daemonsets", "ds", "daemonset.apps"]],
  [REPLICA_SETS, ["replicaset", "replicasets", "rs", "replicaset.apps"]],
  [JOBS, ["job", "jobs"]],
];
const POD_NAMES = new Set(["pod", "pods", "po"]);

/** `[<type>/]<name>[.<namespace>]` to a pod; of several, the one that has been ready the longest. */
export async function resolvePod(kube: KubeAccess, argument: string): Promise<PodRef> {
  const { type, name, namespace } = parseTarget(argument, kube.namespace);
  if (type === undefined || POD_NAMES.has(type)) return { name, namespace };
  const gvr = KINDS.find(([, names]) => names.includes(type))?.[0];
  if (!gvr) throw notRetrieved("RESOURCE_TYPE_UNKNOWN", `the server doesn't have a resource type ${JSON.stringify(type)}`, namespace);
  const owner = await kube.client.get(gvr, name, namespace).catch((cause: unknown) => {
    throw isNotFound(cause) ? notRetrieved("TARGET_NOT_FOUND", errorText(cause), namespace, cause) : cause;
  });
  const selector = selectorOf(owner);
  const pods = selector === "" ? [] : (await kube.client.list(PODS, { namespace, labelSelector: selector })).items;
  const chosen = pods.filter(isRunning).sort((a, b) => rank(a) - rank(b) || age(a) - age(b))[0];
  if (!chosen) throw new ChainmailError("NO_PODS", `no pods found: ${argument} in namespace ${namespace} has no running pod`);
  return { name: chosen.metadata.name, namespace };
}

function notRetrieved(code: string, reason: string, namespace: string, cause?: unknown): ChainmailError {
  return new ChainmailError(code, `failed retrieving: ${reason} in the ${JSON.stringify(namespace)} namespace`, { cause });
}

export function parseTarget(argument: string, fallback: string): { type: string | undefined; name: string; namespace: string } {
  const slash = argument.indexOf("/");
  const type = slash < 0 ? undefined : argument.slice(0, slash).toLowerCase();
  const rest = argument.slice(slash + 1);
  const dot = rest.lastIndexOf(".");
  return dot < 0 ? { type, name: rest, namespace: fallback } : { type, name: rest.slice(0, dot), namespace: rest.slice(dot + 1) };
}

/** Labels sorted by name, as kubectl sends them. */
function selectorOf(owner: KubeObject): string {
  const selector = (owner.spec as { selector?: Record<string, unknown> } | undefined)?.selector ?? {};
  const labels = (typeof selector.matchLabels === "object" ? selector.matchLabels : owner.kind === "Service" ? selector : {}) as Record<string, string>;
  return Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

interface PodStatus {
  phase?: string;
  conditions?: { type: string; status: string }[];
}

function isRunning(pod: KubeObject): boolean {
  return (pod.status as PodStatus | undefined)?.phase === "Running" && pod.metadata.deletionTimestamp === undefined;
}

function rank(pod: KubeObject): number {
  const ready = (pod.status as PodStatus | undefined)?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
  return ready ? 0 : 1;
}

function age(pod: KubeObject): number {
  return Date.parse(pod.metadata.creationTimestamp ?? "") || 0;
}
