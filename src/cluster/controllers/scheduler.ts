import { isConflict, isNotFound, PODS } from "../../kube/index.ts";
import type { Container, KubeObject, Node, Pod, PodSpec, Toleration } from "../../resources/index.ts";
import { claimNames, parseQuantity } from "../../resources/index.ts";
import type { Context, Controller } from "./context.ts";
import { isPodFinished, keyOf, splitKey, timestamp } from "./objects.ts";
import { stoppable } from "./work-queue.ts";

const COMPONENT = "default-scheduler";

/** Gives each new pod its node, or says why no node takes it. */
export function startScheduler(context: Context): Controller {
  const { informers } = context;
  const waiting = new Set<string>();
  const queue = context.queue("scheduler", (key) => sync(context, key, waiting), 8);
  const retry = () => {
    for (const key of waiting) queue.add(key);
  };
  const stops = [
    informers.pods.onChange(({ type, object, old }) => {
      const key = keyOf(object);
      if (type === "DELETED") waiting.delete(key);
      else if (needsNode(object)) queue.add(key);
      // Room is made by a pod that ends.
      if (type === "DELETED" || (isPodFinished(object) && old && !isPodFinished(old))) retry();
    }),
    informers.claims.onChange(({ object, old }) => {
      if (object.status?.phase !== old?.status?.phase) retry();
    }),
    informers.nodes.onChange(({ object, old }) => {
      if (!old || whatSchedulingSees(object) !== whatSchedulingSees(old)) retry();
    }),
  ];
  return stoppable(stops, queue);
}

async function sync(context: Context, key: string, waiting: Set<string>): Promise<void> {
  const { informers, client, events } = context;
  await Promise.all([informers.nodes.synced, informers.pods.synced]);
  const [namespace, name] = splitKey(key);
  const pod = informers.pods.get(name, namespace);
  if (!pod || !needsNode(pod)) {
    waiting.delete(key);
    return;
  }
  const nodes = informers.nodes.list();
  const claims = await claimProblem(context, pod);
  const placed = informers.pods.list().filter((other) => other.spec?.nodeName && !isPodFinished(other));
  const refusals = new Map<string, number>();
  for (const node of claims ? [] : nodes) {
    const reasons = whyNot(pod, node, placed);
    if (reasons.length === 0) {
      waiting.delete(key);
      return bind(context, pod, node.metadata.name);
    }
    for (const reason of reasons) refusals.set(reason, (refusals.get(reason) ?? 0) + 1);
  }
  waiting.add(key);
  const message = claims ? refusalText(nodes.length, claims) : refusalMessage(nodes.length, refusals);
  const known = pod.status?.conditions?.find((condition) => condition.type === "PodScheduled");
  if (known?.status === "False" && known.message === message) return;
  events.warning(COMPONENT, pod, "FailedScheduling", message);
  const condition = {
    type: "PodScheduled",
    status: "False" as const,
    reason: "Unschedulable",
    message,
    lastProbeTime: null,
    lastTransitionTime: known?.status === "False" ? known.lastTransitionTime : timestamp(context.clock.now()),
  };
  const others = (pod.status?.conditions ?? []).filter((one) => one.type !== "PodScheduled");
  await client.patch(PODS, name, namespace, { metadata: { uid: pod.metadata.uid }, status: { conditions: [...others, condition] } }, "status");
}

async function bind(context: Context, pod: Pod, node: string): Promise<void> {
  const { name, namespace, uid } = pod.metadata;
  const binding: KubeObject = {
    apiVersion: "v1",
    kind: "Binding",
    metadata: { name, ...(namespace ? { namespace } : {}), ...(uid ? { uid } : {}) },
    target: { apiVersion: "v1", kind: "Node", name: node },
  };
  try {
    await context.client.createSubresource(PODS, name, namespace, "binding", binding);
  } catch (thrown) {
    if (isNotFound(thrown)) return; // deleted meanwhile
    if (isConflict(thrown)) return; // bound by another; the watch will say so
    throw thrown;
  }
  context.events.normal(COMPONENT, pod, "Scheduled", `Successfully assigned ${namespace}/${name} to ${node}`);
}

function needsNode(pod: Pod): boolean {
  return (
    !pod.spec?.nodeName &&
    !pod.metadata.deletionTimestamp &&
    !isPodFinished(pod) &&
    pod.spec?.schedulerName === "default-scheduler" &&
    !pod.spec.schedulingGates?.length
  );
}

/** Why the node does not take the pod, in the scheduler's words; empty when it does. */
export function whyNot(pod: Pod, node: Node, placed: Pod[]): string[] {
  const spec = pod.spec;
  if (!spec) return ["node(s) had no use for an empty pod"];
  const tolerations = spec.tolerations ?? [];
  const taints = (node.spec?.taints ?? []).filter((taint) => taint.effect !== "PreferNoSchedule");
  if (node.spec?.unschedulable && !tolerations.some((one) => tolerates(one, { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" })))
    return ["node(s) were unschedulable"];
  const taint = taints.find((one) => !tolerations.some((toleration) => tolerates(toleration, one)));
  if (taint) return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`];
  if (!matchesNode(spec, node)) return ["node(s) didn't match Pod's node affinity/selector"];
  return lackingResources(spec, node, placed);
}

function tolerates(toleration: Toleration, taint: { key: string; value?: string; effect: string }): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  if (toleration.operator === "Exists") return true;
  return toleration.key !== undefined && (toleration.value ?? "") === (taint.value ?? "");
}

interface NodeTerm {
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
  matchFields?: { key: string; operator: string; values?: string[] }[];
}

function matchesNode(spec: PodSpec, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  for (const [key, value] of Object.entries(spec.nodeSelector ?? {})) if (labels[key] !== value) return false;
  const required = (spec.affinity as { nodeAffinity?: { requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms?: NodeTerm[] } } } | undefined)
    ?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (!required) return true;
  const fields = { "metadata.name": node.metadata.name };
  return (required.nodeSelectorTerms ?? []).some(
    (term) => (term.matchExpressions ?? []).every((one) => matches(one, labels)) && (term.matchFields ?? []).every((one) => matches(one, fields)),
  );
}

function matches({ key, operator, values = [] }: { key: string; operator: string; values?: string[] }, labels: Record<string, string>): boolean {
  const value = labels[key];
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return Number(value) > Number(values[0]);
    case "Lt":
      return Number(value) < Number(values[0]);
    default:
      return false;
  }
}

function lackingResources(spec: PodSpec, node: Node, placed: Pod[]): string[] {
  const allocatable = node.status?.allocatable;
  if (!allocatable) return [];
  const here = placed.filter((pod) => pod.spec?.nodeName === node.metadata.name);
  const lacking: string[] = [];
  const room = amount(allocatable["pods"]);
  if (room !== undefined && BigInt(here.length + 1) * 1_000_000_000n > room) lacking.push("Too many pods");
  for (const name of ["cpu", "memory"]) {
    const wanted = requested(spec, name);
    const all = amount(allocatable[name]);
    if (wanted === 0n || all === undefined) continue;
    const used = here.reduce((sum, pod) => sum + (pod.spec ? requested(pod.spec, name) : 0n), 0n);
    if (used + wanted > all) lacking.push(`Insufficient ${name}`);
  }
  return lacking;
}

/** What the pod asks for: its containers and sidecars together, or an init container's share where that is more. */
function requested(spec: PodSpec, name: string): bigint {
  const of = (container: Container) => amount(container.resources?.requests?.[name]) ?? 0n;
  const running = (spec.containers ?? []).reduce((sum, container) => sum + of(container), 0n);
  let sidecars = 0n;
  let starting = 0n;
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === "Always") sidecars += of(container);
    else if (sidecars + of(container) > starting) starting = sidecars + of(container);
  }
  return running + sidecars > starting ? running + sidecars : starting;
}

function amount(value: unknown): bigint | undefined {
  return value === undefined ? undefined : parseQuantity(String(value))?.nanos;
}

function refusalMessage(nodes: number, refusals: Map<string, number>): string {
  if (nodes === 0) return "no nodes available to schedule pods";
  const reasons = [...refusals].map(([reason, count]) => `${count} ${reason}`).sort();
  return refusalText(nodes, reasons.join(", "));
}

function refusalText(nodes: number, reason: string): string {
  return `0/${nodes} nodes are available: ${reason}. preemption: 0/${nodes} nodes are available: ${nodes} Preemption is not helpful for scheduling.`;
}

/** Why a pod's claims hold it back on every node; undefined when they are all bound. */
async function claimProblem({ informers }: Context, pod: Pod): Promise<string | undefined> {
  const names = claimNames(pod);
  if (names.length === 0) return undefined;
  await informers.claims.synced;
  const claims = names.map((name) => ({ name, claim: informers.claims.get(name, pod.metadata.namespace) }));
  const missing = claims.find(({ claim }) => !claim);
  if (missing) return `persistentvolumeclaim "${missing.name}" not found`;
  const doomed = claims.find(({ claim }) => claim?.metadata.deletionTimestamp);
  if (doomed) return `persistentvolumeclaim "${doomed.name}" is being deleted`;
  const lost = claims.find(({ claim }) => claim?.status?.phase === "Lost");
  if (lost) return `persistentvolumeclaim "${lost.name}" bound to non-existent persistentvolume "${lost.claim?.spec?.volumeName ?? ""}"`;
  return claims.some(({ claim }) => claim?.status?.phase !== "Bound") ? "pod has unbound immediate PersistentVolumeClaims" : undefined;
}

/** The parts of a node that decide: its heartbeats must not wake the scheduler. */
function whatSchedulingSees(node: Node): string {
  return JSON.stringify([node.metadata.labels, node.spec, node.status?.allocatable]);
}
