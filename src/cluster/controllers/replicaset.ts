import { errorText } from "../../base/index.ts";
import { PODS, REPLICA_SETS } from "../../kube/index.ts";
import type { Pod, ReplicaSet } from "../../resources/index.ts";
import { claim } from "./adoption.ts";
import type { Context, Controller } from "./context.ts";
import { controllerOf, isPodActive, isPodReady, keyOf, podFromTemplate, sameValue, splitKey, timestamp, untilAvailable } from "./objects.ts";
import { createPods, deletePods } from "./pod-control.ts";
import { stoppable } from "./work-queue.ts";

const COMPONENT = "replicaset-controller";

/** Keeps as many pods of each ReplicaSet as it asks for. */
export function startReplicaSets(context: Context): Controller {
  const { informers } = context;
  const queue = context.queue("replicaset", (key) => sync(context, key, (wait) => queue.addAfter(key, wait)));
  const stops = [
    informers.replicaSets.onChange(({ object }) => queue.add(keyOf(object))),
    informers.pods.onChange(({ object, old }) => {
      for (const pod of [object, old]) {
        const owner = pod && controllerOf(pod);
        if (owner?.kind === "ReplicaSet") queue.add(`${object.metadata.namespace}/${owner.name}`);
      }
      // An orphan may be what some set is looking for.
      if (!controllerOf(object)) for (const set of informers.replicaSets.list(object.metadata.namespace)) queue.add(keyOf(set));
    }),
  ];
  return stoppable(stops, queue);
}

async function sync(context: Context, key: string, again: (ms: number) => void): Promise<void> {
  const { informers, client } = context;
  const [namespace, name] = splitKey(key);
  await informers.pods.synced;
  const set = informers.replicaSets.get(name, namespace);
  if (!set?.spec) return;
  let pods = (await claim(client, PODS, set, set.spec.selector, informers.pods.list(namespace))).filter(isPodActive);
  let failure: unknown;
  if (!set.metadata.deletionTimestamp) {
    try {
      pods = await scale(context, set, pods);
    } catch (thrown) {
      failure = thrown;
    }
  }
  const wait = await writeStatus(context, set, pods, failure);
  if (failure !== undefined) throw failure;
  if (wait !== undefined) again(wait);
}

/** Creates what is missing or deletes what is too much; returns the pods there are then. */
async function scale(context: Context, set: ReplicaSet, pods: Pod[]): Promise<Pod[]> {
  const wanted = set.spec?.replicas ?? 0;
  const template = set.spec?.template;
  const missing = wanted - pods.length;
  if (missing > 0 && template) {
    const created = await createPods(
      context,
      COMPONENT,
      set,
      Array.from({ length: missing }, () => podFromTemplate(template, set)),
    );
    return [...pods, ...created];
  }
  if (missing < 0) {
    const doomed = [...pods].sort(byDispensability).slice(0, -missing);
    await deletePods(context, COMPONENT, set, doomed);
    return pods.filter((pod) => !doomed.includes(pod));
  }
  return pods;
}

/** Kubernetes' order of who goes first: without a node, pending, not ready, cheap by annotation, ready for less time, restarted more, younger. */
export function byDispensability(a: Pod, b: Pod): number {
  const phaseRank = (pod: Pod) => ({ Pending: 0, Unknown: 1, Running: 2 })[pod.status?.phase as string] ?? 0;
  const cost = (pod: Pod) => Number(pod.metadata.annotations?.["controller.kubernetes.io/pod-deletion-cost"] ?? 0) || 0;
  const readySince = (pod: Pod) => Date.parse(pod.status?.conditions?.find((condition) => condition.type === "Ready")?.lastTransitionTime ?? "") || 0;
  const restarts = (pod: Pod) => Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount));
  const created = (pod: Pod) => Date.parse(pod.metadata.creationTimestamp ?? "") || 0;
  return (
    Number(Boolean(a.spec?.nodeName)) - Number(Boolean(b.spec?.nodeName)) ||
    phaseRank(a) - phaseRank(b) ||
    Number(isPodReady(a)) - Number(isPodReady(b)) ||
    cost(a) - cost(b) ||
    (isPodReady(a) && isPodReady(b) ? readySince(b) - readySince(a) : 0) ||
    restarts(b) - restarts(a) ||
    created(b) - created(a)
  );
}

/** Writes the status if it changed; returns after how long a pod will count as available. */
async function writeStatus(context: Context, set: ReplicaSet, pods: Pod[], failure: unknown): Promise<number | undefined> {
  const now = context.clock.now();
  const labels = Object.entries(set.spec?.template?.metadata?.labels ?? {});
  const waits = pods.map((pod) => untilAvailable(pod, set.spec?.minReadySeconds ?? 0, now));
  const conditions = (set.status?.conditions ?? []).filter((condition) => condition.type !== "ReplicaFailure");
  if (failure !== undefined) {
    const known = set.status?.conditions?.find((condition) => condition.type === "ReplicaFailure");
    const message = errorText(failure);
    conditions.push(
      known?.message === message
        ? known
        : {
            type: "ReplicaFailure",
            status: "True",
            reason: pods.length < (set.spec?.replicas ?? 0) ? "FailedCreate" : "FailedDelete",
            message,
            lastTransitionTime: timestamp(now),
          },
    );
  }
  const count = (test: (pod: Pod, index: number) => boolean) => pods.filter(test).length;
  const ready = count(isPodReady);
  const available = count((_, index) => waits[index] === 0);
  const status: ReplicaSet["status"] = {
    replicas: pods.length,
    ...positive({
      fullyLabeledReplicas: count((pod) => labels.every(([key, value]) => pod.metadata.labels?.[key] === value)),
      readyReplicas: ready,
      availableReplicas: available,
    }),
    ...(set.metadata.generation === undefined ? {} : { observedGeneration: set.metadata.generation }),
    ...(conditions.length > 0 ? { conditions } : {}),
  };
  if (!sameValue(status, set.status)) await context.client.updateStatus<ReplicaSet>(REPLICA_SETS, { ...set, status });
  const pending = waits.filter((wait): wait is number => wait !== undefined && wait > 0);
  return pending.length > 0 ? Math.min(...pending) : undefined;
}

/** Counts of zero are left out, as Go's omitempty does. */
export function positive<T extends Record<string, number>>(counts: T): Partial<T> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0)) as Partial<T>;
}
