import { type KubeObject, type LabelSelector, type Pod, selectorMatches } from "../../../resources/index.ts";
import type { Store } from "../../store/index.ts";
import { StatusError } from "../http/status.ts";

interface BudgetSpec {
  selector?: LabelSelector;
  minAvailable?: number | string;
  maxUnavailable?: number | string;
  unhealthyPodEvictionPolicy?: string;
}

/** Whether the budgets of a pod's namespace let it be evicted now, counted from the pods that there are. Throws 429. */
export function checkBudgets(store: Store, pod: KubeObject): void {
  // What does not run is missed by nobody.
  const { phase } = (pod.status ?? {}) as { phase?: string };
  if (phase !== "Running" || pod.metadata.deletionTimestamp) return;
  for (const { object } of store.list("policy/poddisruptionbudgets", pod.metadata.namespace)) {
    const spec = (object.spec ?? {}) as BudgetSpec;
    if (!spec.selector || !selectorMatches(spec.selector, pod.metadata.labels)) continue;
    const pods = store
      .list("/pods", pod.metadata.namespace)
      .map((stored) => stored.object)
      .filter((one) => selectorMatches(spec.selector, one.metadata.labels));
    const healthy = pods.filter(isHealthy).length;
    // While a pod is missing its controller still wants it: the status knows how many there should be.
    const { expectedPods = 0 } = (object.status ?? {}) as { expectedPods?: number };
    const desired = desiredHealthy(spec, Math.max(pods.length, expectedPods));
    // One that runs and is not ready may still become so: it goes when the others are enough, or the budget says always.
    if (isHealthy(pod) ? healthy > desired : healthy >= desired || spec.unhealthyPodEvictionPolicy === "AlwaysAllow") continue;
    throw new StatusError(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", {
      causes: [
        { reason: "DisruptionBudget", message: `The disruption budget ${object.metadata.name} needs ${desired} healthy pods and has ${healthy} currently` },
      ],
    });
  }
}

function desiredHealthy({ minAvailable, maxUnavailable }: BudgetSpec, expected: number): number {
  if (maxUnavailable !== undefined) return Math.max(0, expected - scaled(maxUnavailable, expected));
  return scaled(minAvailable ?? 1, expected);
}

/** A count, or a percentage rounded up as Kubernetes does. */
function scaled(value: number | string, expected: number): number {
  return typeof value === "number" ? value : Math.ceil((Number.parseInt(value, 10) / 100) * expected);
}

function isHealthy(object: KubeObject): boolean {
  const { metadata, status } = object as unknown as Pod;
  return !metadata.deletionTimestamp && (status?.conditions ?? []).some(({ type, status: is }) => type === "Ready" && is === "True");
}
