import type { PolicyTargetReference, WorkloadSelector } from "../../resources/index.ts";
import { selects } from "../registry/index.ts";

/** A workload as policies see it. */
export interface Workload {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

interface Targetable {
  readonly metadata: { namespace?: string };
  readonly spec?: { selector?: WorkloadSelector; targetRef?: PolicyTargetReference; targetRefs?: PolicyTargetReference[] } | undefined;
}

/**
 * Whether a policy of the workload's or the root namespace applies to the workload. Policies that name targets are for
 * Gateway API's gateways and waypoints, and leave every other workload alone.
 */
export function appliesTo(policy: Targetable, workload: Workload, rootNamespace: string): boolean {
  const namespace = policy.metadata.namespace ?? "";
  if (namespace !== workload.namespace && namespace !== rootNamespace) return false;
  const spec = policy.spec ?? {};
  if (spec.targetRef || spec.targetRefs?.length) return false;
  return selects(spec.selector?.matchLabels, workload.labels);
}

/** Policies of one kind that apply, the workload's namespace's first, then the root's, each in the order given. */
export function applicable<T extends Targetable>(policies: readonly T[], workload: Workload, rootNamespace: string): T[] {
  const fitting = policies.filter((policy) => appliesTo(policy, workload, rootNamespace));
  if (workload.namespace === rootNamespace) return fitting;
  return [
    ...fitting.filter((policy) => policy.metadata.namespace === workload.namespace),
    ...fitting.filter((policy) => policy.metadata.namespace !== workload.namespace),
  ];
}
