import { DAEMON_SETS, PODS } from "../../kube/index.ts";
import type { DaemonSet, Node, Pod, Toleration } from "../../resources/index.ts";
import { claim } from "./adoption.ts";
import type { Context, Controller } from "./context.ts";
import { controllerOf, isPodFinished, isPodReady, keyOf, podFromTemplate, sameValue, splitKey, untilAvailable } from "./objects.ts";
import { createPods, deletePods } from "./pod-control.ts";
import { positive } from "./replicaset.ts";
import { hashOf, REVISION_HASH, syncHistory, trimHistory } from "./revisions.ts";
import { whyNot } from "./scheduler.ts";
import { stoppable } from "./work-queue.ts";

const COMPONENT = "daemonset-controller";
const TEMPLATE_GENERATION = "deprecated.daemonset.template.generation";

/** Daemons stay on nodes that are in trouble. */
const DAEMON_TOLERATIONS: Toleration[] = [
  ...["not-ready", "unreachable"].map((name) => ({ key: `node.kubernetes.io/${name}`, operator: "Exists", effect: "NoExecute" })),
  ...["disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"].map((name) => ({
    key: `node.kubernetes.io/${name}`,
    operator: "Exists",
    effect: "NoSchedule",
  })),
];

/** Keeps one pod of each DaemonSet on every node that fits. */
export function startDaemonSets(context: Context): Controller {
  const { informers } = context;
  const queue = context.queue("daemonset", (key) => sync(context, key, (wait) => queue.addAfter(key, wait)));
  const all = () => {
    for (const set of informers.daemonSets.list()) queue.add(keyOf(set));
  };
  const stops = [
    informers.daemonSets.onChange(({ object }) => queue.add(keyOf(object))),
    informers.nodes.onChange(({ object, old }) => {
      if (!old || JSON.stringify([object.spec, object.metadata.labels]) !== JSON.stringify([old.spec, old.metadata.labels])) all();
    }),
    informers.pods.onChange(({ object }) => {
      const owner = controllerOf(object);
      if (owner?.kind === "DaemonSet") queue.add(`${object.metadata.namespace}/${owner.name}`);
    }),
  ];
  return stoppable(stops, queue);
}

async function sync(context: Context, key: string, again: (ms: number) => void): Promise<void> {
  const { informers, client } = context;
  const [namespace, name] = splitKey(key);
  await Promise.all([informers.pods.synced, informers.nodes.synced, informers.revisions.synced]);
  const set = informers.daemonSets.get(name, namespace);
  const spec = set?.spec;
  if (!set || !spec || set.metadata.deletionTimestamp) return;
  const pods = await claim(client, PODS, set, spec.selector, informers.pods.list(namespace));
  const { current, all } = await syncHistory(context, set, spec.template, spec.selector.matchLabels ?? {});
  const hash = hashOf(current);
  const nodes = informers.nodes.list().filter((node) => fits(set, hash, node));
  const byNode = new Map<string, Pod[]>();
  for (const pod of pods) byNode.set(targetNode(pod), [...(byNode.get(targetNode(pod)) ?? []), pod]);
  const missing: Node[] = [];
  const surplus: Pod[] = [];
  for (const node of nodes) {
    const here = byNode.get(node.metadata.name) ?? [];
    byNode.delete(node.metadata.name);
    const living = here.filter((pod) => !isPodFinished(pod));
    surplus.push(...here.filter(isPodFinished), ...living.filter((pod) => !pod.metadata.deletionTimestamp).slice(1));
    if (living.length === 0) missing.push(node);
  }
  const misplaced = [...byNode.values()].flat();
  await deletePods(
    context,
    COMPONENT,
    set,
    [...surplus, ...misplaced].filter((pod) => !pod.metadata.deletionTimestamp),
  );
  await createPods(
    context,
    COMPONENT,
    set,
    missing.map((node) => daemonPod(set, hash, node.metadata.name)),
  );
  if (missing.length === 0) await renew(context, set, hash, pods, nodes.length);
  const wait = await writeStatus(context, set, hash, nodes, misplaced.length);
  await trimHistory(
    context,
    all,
    new Set([current.metadata.name, ...pods.map((pod) => `${name}-${pod.metadata.labels?.[REVISION_HASH]}`)]),
    spec.revisionHistoryLimit ?? 10,
  );
  if (wait !== undefined) again(wait);
}

/** Replaces pods of an older template, as many at a time as may be missing. */
async function renew(context: Context, set: DaemonSet, hash: string, pods: Pod[], desired: number): Promise<void> {
  if (set.spec?.updateStrategy?.type === "OnDelete") return;
  const allowed = set.spec?.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1;
  const limit = Math.max(1, typeof allowed === "number" ? allowed : Math.ceil((Number(allowed.replace("%", "")) * desired) / 100));
  const unavailable = pods.filter((pod) => pod.metadata.deletionTimestamp || !isPodReady(pod)).length;
  const old = pods.filter((pod) => !pod.metadata.deletionTimestamp && pod.metadata.labels?.[REVISION_HASH] !== hash);
  // One that serves nobody can go at once.
  const idle = old.filter((pod) => !isPodReady(pod));
  const serving = old.filter(isPodReady).slice(0, Math.max(0, limit - unavailable));
  await deletePods(context, COMPONENT, set, [...idle, ...serving]);
}

function daemonPod(set: DaemonSet, hash: string, node: string): Pod {
  const pod = podFromTemplate(set.spec?.template ?? { spec: { containers: [] } }, set);
  pod.metadata.labels = { ...pod.metadata.labels, [REVISION_HASH]: hash, "pod-template-generation": set.metadata.annotations?.[TEMPLATE_GENERATION] ?? "1" };
  if (!pod.spec) return pod;
  const affinity = (pod.spec.affinity ?? {}) as { nodeAffinity?: object };
  const term = { matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] };
  pod.spec.affinity = {
    ...affinity,
    nodeAffinity: { ...affinity.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } },
  };
  pod.spec.tolerations = [...(pod.spec.tolerations ?? []), ...DAEMON_TOLERATIONS];
  return pod;
}

/** Whether the set wants a pod on the node; whether there is room is the scheduler's question. */
function fits(set: DaemonSet, hash: string, node: Node): boolean {
  const pod = daemonPod(set, hash, node.metadata.name);
  const own = set.spec?.template.spec;
  if (pod.spec && own) pod.spec.affinity = own.affinity;
  return whyNot(pod, { ...node, spec: { ...node.spec, unschedulable: false }, status: {} }, []).length === 0;
}

/** The node that a pod runs on, or was made for. */
function targetNode(pod: Pod): string {
  if (pod.spec?.nodeName) return pod.spec.nodeName;
  const affinity = pod.spec?.affinity as
    | { nodeAffinity?: { requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms?: { matchFields?: { values?: string[] }[] }[] } } }
    | undefined;
  return affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms?.[0]?.matchFields?.[0]?.values?.[0] ?? "";
}

async function writeStatus(context: Context, set: DaemonSet, hash: string, nodes: Node[], misplaced: number): Promise<number | undefined> {
  const { informers, client, clock } = context;
  const names = new Set(nodes.map((node) => node.metadata.name));
  const pods = informers.pods
    .list(set.metadata.namespace)
    .filter((pod) => controllerOf(pod)?.uid === set.metadata.uid && names.has(targetNode(pod)) && !isPodFinished(pod) && !pod.metadata.deletionTimestamp);
  const waits = pods.map((pod) => untilAvailable(pod, set.spec?.minReadySeconds ?? 0, clock.now()));
  const available = waits.filter((wait) => wait === 0).length;
  const status: DaemonSet["status"] = {
    currentNumberScheduled: new Set(pods.map(targetNode)).size,
    numberMisscheduled: misplaced,
    desiredNumberScheduled: nodes.length,
    numberReady: pods.filter(isPodReady).length,
    ...(set.metadata.generation === undefined ? {} : { observedGeneration: set.metadata.generation }),
    ...positive({
      updatedNumberScheduled: pods.filter((pod) => pod.metadata.labels?.[REVISION_HASH] === hash).length,
      numberAvailable: available,
      numberUnavailable: nodes.length - available,
    }),
  };
  if (!sameValue(status, set.status)) await client.updateStatus<DaemonSet>(DAEMON_SETS, { ...set, status });
  const pending = waits.filter((wait): wait is number => wait !== undefined && wait > 0);
  return pending.length > 0 ? Math.min(...pending) : undefined;
}
