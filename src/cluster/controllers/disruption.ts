import { POD_DISRUPTION_BUDGETS } from "../../kube/index.ts";
import { type KubeObject, type LabelSelector, type Pod, selectorMatches } from "../../resources/index.ts";
import type { Context, Controller } from "./context.ts";
import { controllerOf, isPodFinished, isPodReady, keyOf, sameValue, splitKey, timestamp } from "./objects.ts";
import { stoppable } from "./work-queue.ts";

export interface DisruptionBudget extends KubeObject {
  spec?: { selector?: LabelSelector; minAvailable?: number | string; maxUnavailable?: number | string };
  status?: {
    currentHealthy: number;
    desiredHealthy: number;
    disruptionsAllowed: number;
    expectedPods: number;
    observedGeneration?: number;
    conditions?: { type: string; status: string; reason: string; message: string; lastTransitionTime: string; observedGeneration?: number }[];
  };
}

/** Keeps the status of PodDisruptionBudgets: how many pods may be taken away now. The API server refuses evictions by it. */
export function startDisruption(context: Context): Controller {
  const { informers, client, clock } = context;
  const queue = context.queue("disruption", async (key) => {
    const [namespace, name] = splitKey(key);
    await Promise.all([informers.pods.synced, informers.replicaSets.synced, informers.statefulSets.synced, informers.deployments.synced]);
    const budget = informers.budgets.get(name, namespace);
    if (!budget || budget.metadata.deletionTimestamp) return;
    const status = statusOf(context, budget, timestamp(clock.now()));
    if (!sameValue(status, budget.status)) await client.updateStatus<DisruptionBudget>(POD_DISRUPTION_BUDGETS, { ...budget, status });
  });
  const stops = [
    informers.budgets.onChange(({ type, object }) => type !== "DELETED" && queue.add(keyOf(object))),
    informers.pods.onChange(({ object, old }) => {
      for (const budget of informers.budgets.list(object.metadata.namespace)) {
        if ([object, old].some((pod) => pod && selectorMatches(budget.spec?.selector, pod.metadata.labels))) queue.add(keyOf(budget));
      }
    }),
  ];
  return stoppable(stops, queue);
}

function statusOf(context: Context, { metadata, spec = {}, status: old }: DisruptionBudget, now: string): NonNullable<DisruptionBudget["status"]> {
  const pods = context.informers.pods
    .list(metadata.namespace)
    .filter((pod) => spec.selector && selectorMatches(spec.selector, pod.metadata.labels) && !isPodFinished(pod));
  const healthy = pods.filter((pod) => isPodReady(pod) && !pod.metadata.deletionTimestamp).length;
  const { maxUnavailable, minAvailable = 1 } = spec;
  // A number of pods is one of those that there are; a part is one of those that there should be.
  const expected = maxUnavailable === undefined && typeof minAvailable === "number" ? pods.length : replicasOf(context, pods);
  const desired = maxUnavailable === undefined ? scaled(minAvailable, expected) : Math.max(0, expected - scaled(maxUnavailable, expected));
  const allowed = expected === 0 ? 0 : Math.max(0, healthy - desired);
  const before = old?.conditions?.find(({ type }) => type === "DisruptionAllowed");
  const state = allowed > 0 ? "True" : "False";
  const condition = {
    type: "DisruptionAllowed",
    status: state,
    reason: allowed > 0 ? "SufficientPods" : "InsufficientPods",
    message: "",
    lastTransitionTime: before?.status === state ? before.lastTransitionTime : now,
    ...(metadata.generation === undefined ? {} : { observedGeneration: metadata.generation }),
  };
  return {
    conditions: [condition],
    currentHealthy: healthy,
    desiredHealthy: desired,
    disruptionsAllowed: allowed,
    expectedPods: expected,
    ...(metadata.generation === undefined ? {} : { observedGeneration: metadata.generation }),
  };
}

/** How many pods their controllers want, each controller once; pods of nobody count for nothing, as in Kubernetes. */
function replicasOf({ informers }: Context, pods: Pod[]): number {
  const wanted = new Map<string, number>();
  for (const pod of pods) {
    const { namespace } = pod.metadata;
    const owner = controllerOf(pod);
    if (owner?.kind === "StatefulSet") wanted.set(owner.uid, informers.statefulSets.get(owner.name, namespace)?.spec?.replicas ?? 1);
    if (owner?.kind !== "ReplicaSet") continue;
    const set = informers.replicaSets.get(owner.name, namespace);
    const above = set && controllerOf(set);
    if (above?.kind === "Deployment") wanted.set(above.uid, informers.deployments.get(above.name, namespace)?.spec?.replicas ?? 1);
    else wanted.set(owner.uid, set?.spec?.replicas ?? 1);
  }
  return [...wanted.values()].reduce((sum, replicas) => sum + replicas, 0);
}

/** A count, or a percentage rounded up. */
function scaled(value: number | string, expected: number): number {
  return typeof value === "number" ? value : Math.ceil((Number.parseInt(value, 10) / 100) * expected);
}
