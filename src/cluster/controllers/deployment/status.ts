import type { Condition, Deployment, DeploymentStatus, ReplicaSet } from "../../../resources/index.ts";
import { timestamp } from "../objects.ts";
import { positive } from "../replicaset.ts";
import { maxUnavailable, specReplicas, statusSum } from "./replica-sets.ts";

/** What a sync found out that the sets alone do not show. */
export interface Progress {
  reason: "NewReplicaSetCreated" | "FoundNewReplicaSet" | "ReplicaSetUpdated" | "DeploymentPaused" | "DeploymentResumed" | "ReplicaSetCreateError";
  message: string;
}

export interface DeploymentView {
  deployment: Deployment;
  newSet: ReplicaSet | undefined;
  oldSets: ReplicaSet[];
}

/** Everything rolled out, and nothing old left. */
export function isComplete({ deployment, newSet, oldSets }: DeploymentView): boolean {
  const replicas = deployment.spec?.replicas ?? 0;
  const all = [newSet, ...oldSets];
  return (newSet?.status?.replicas ?? 0) === replicas && statusSum(all, "replicas") === replicas && statusSum(all, "availableReplicas") === replicas;
}

/** The status as it should be now, and after how many milliseconds the progress deadline passes (undefined: not waiting). */
export function deploymentStatus(view: DeploymentView, found: Progress | undefined, now: number): { status: DeploymentStatus; deadlineIn: number | undefined } {
  const { deployment, newSet, oldSets } = view;
  const all = [newSet, ...oldSets];
  const before = deployment.status ?? {};
  const counts = {
    replicas: statusSum(all, "replicas"),
    updatedReplicas: newSet?.status?.replicas ?? 0,
    readyReplicas: statusSum(all, "readyReplicas"),
    availableReplicas: statusSum(all, "availableReplicas"),
    unavailableReplicas: Math.max(0, specReplicas(all) - statusSum(all, "availableReplicas")),
  };
  const conditions = new Conditions(before.conditions ?? [], now);
  const { deadlineIn } = progressing(view, counts, found, conditions, now);
  const enough = counts.availableReplicas >= (deployment.spec?.replicas ?? 0) - maxUnavailable(deployment);
  conditions.set(
    enough
      ? { type: "Available", status: "True", reason: "MinimumReplicasAvailable", message: "Deployment has minimum availability." }
      : { type: "Available", status: "False", reason: "MinimumReplicasUnavailable", message: "Deployment does not have minimum availability." },
  );
  const failure = all.flatMap((set) => set?.status?.conditions ?? []).find((condition) => condition.type === "ReplicaFailure");
  if (failure) conditions.set({ type: "ReplicaFailure", status: "True", reason: failure.reason ?? "", message: failure.message ?? "" });
  else conditions.remove("ReplicaFailure");
  const status: DeploymentStatus = {
    ...(deployment.metadata.generation === undefined ? {} : { observedGeneration: deployment.metadata.generation }),
    ...positive(counts),
    conditions: conditions.list,
    ...(before.collisionCount === undefined ? {} : { collisionCount: before.collisionCount }),
  };
  return { status, deadlineIn };
}

function progressing(
  view: DeploymentView,
  counts: { replicas: number; updatedReplicas: number; readyReplicas: number; availableReplicas: number },
  found: Progress | undefined,
  conditions: Conditions,
  now: number,
): { deadlineIn: number | undefined } {
  const { deployment, newSet } = view;
  const named = newSet ? `ReplicaSet "${newSet.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
  const deadline = deployment.spec?.progressDeadlineSeconds ?? 600;
  if (found && (found.reason !== "ReplicaSetUpdated" || !conditions.find("Progressing"))) {
    const status = found.reason.startsWith("Deployment") ? "Unknown" : found.reason === "ReplicaSetCreateError" ? "False" : "True";
    conditions.set({ type: "Progressing", status, reason: found.reason, message: found.message });
  }
  const known = conditions.find("Progressing");
  if (deployment.spec?.paused) return { deadlineIn: undefined };
  if (isComplete(view)) {
    if (known?.reason !== "NewReplicaSetAvailable" || known.status !== "True") {
      conditions.set({ type: "Progressing", status: "True", reason: "NewReplicaSetAvailable", message: `${named} has successfully progressed.` });
    }
    return { deadlineIn: undefined };
  }
  const before = deployment.status ?? {};
  const oldReplicas = counts.replicas - counts.updatedReplicas;
  const moved =
    counts.updatedReplicas > (before.updatedReplicas ?? 0) ||
    oldReplicas < (before.replicas ?? 0) - (before.updatedReplicas ?? 0) ||
    counts.readyReplicas > (before.readyReplicas ?? 0) ||
    counts.availableReplicas > (before.availableReplicas ?? 0);
  if (moved) {
    conditions.set({ type: "Progressing", status: "True", reason: "ReplicaSetUpdated", message: `${named} is progressing.` }, true);
    return { deadlineIn: deadline * 1000 };
  }
  // A complete rollout that lost pods is no rollout that is stuck.
  if (!known || known.reason === "NewReplicaSetAvailable") return { deadlineIn: undefined };
  if (known.reason === "ProgressDeadlineExceeded") return { deadlineIn: undefined };
  const left = Date.parse(known.lastUpdateTime ?? "") + deadline * 1000 - now;
  if (left > 0) return { deadlineIn: left };
  conditions.set({ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded", message: `${named} has timed out progressing.` });
  return { deadlineIn: undefined };
}

class Conditions {
  list: Condition[];
  constructor(
    before: Condition[],
    private readonly now: number,
  ) {
    this.list = [...before];
  }

  find(type: string): Condition | undefined {
    return this.list.find((condition) => condition.type === type);
  }

  remove(type: string): void {
    this.list = this.list.filter((condition) => condition.type !== type);
  }

  /** Leaves an equal condition alone, unless `touch` says that the news is the time. */
  set(next: Pick<Condition, "type" | "status" | "reason" | "message">, touch = false): void {
    const known = this.find(next.type);
    if (!touch && known?.status === next.status && known.reason === next.reason) return;
    const time = timestamp(this.now);
    const lastTransitionTime = known?.status === next.status ? (known.lastTransitionTime ?? time) : time;
    const condition: Condition = { ...next, lastUpdateTime: time, lastTransitionTime };
    this.list = known ? this.list.map((one) => (one === known ? condition : one)) : [...this.list, condition];
  }
}
