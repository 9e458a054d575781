/** How many pods each ReplicaSet of a Deployment should have next. Pure: the sets' states in, numbers out. */
import type { Deployment, ReplicaSet } from "../../../resources/index.ts";
import { byCreation, DESIRED_REPLICAS, isRolling, MAX_REPLICAS, maxSurge, maxUnavailable, specReplicas, statusSum } from "./replica-sets.ts";

export type Scaling = { set: ReplicaSet; to: number }[];

/** How many pods a new set starts with, or the present one goes up to. */
export function newReplicas(deployment: Deployment, sets: ReplicaSet[], newSet: ReplicaSet | undefined): number {
  const replicas = deployment.spec?.replicas ?? 0;
  if (!isRolling(deployment)) return replicas;
  const have = newSet?.spec?.replicas ?? 0;
  const room = replicas + maxSurge(deployment) - specReplicas(sets);
  return room <= 0 ? have : have + Math.min(room, replicas - have);
}

/** The next step of a rolling update: the new set up, or old ones down, never below what must stay available. */
export function rollingStep(deployment: Deployment, newSet: ReplicaSet, oldSets: ReplicaSet[]): Scaling {
  const replicas = deployment.spec?.replicas ?? 0;
  const have = newSet.spec?.replicas ?? 0;
  if (have > replicas) return [{ set: newSet, to: replicas }];
  const up = newReplicas(deployment, [newSet, ...oldSets], newSet);
  if (up !== have) return [{ set: newSet, to: up }];
  return scaleDownOld(deployment, newSet, oldSets);
}

function scaleDownOld(deployment: Deployment, newSet: ReplicaSet, oldSets: ReplicaSet[]): Scaling {
  const old = oldSets.filter((set) => (set.spec?.replicas ?? 0) > 0).sort(byCreation);
  if (old.length === 0) return [];
  const minAvailable = (deployment.spec?.replicas ?? 0) - maxUnavailable(deployment);
  const newUnavailable = (newSet.spec?.replicas ?? 0) - (newSet.status?.availableReplicas ?? 0);
  let spare = specReplicas([newSet, ...oldSets]) - minAvailable - newUnavailable;
  if (spare <= 0) return [];
  const targets = new Map<ReplicaSet, number>(old.map((set) => [set, set.spec?.replicas ?? 0]));
  // First the pods that serve nobody: an old set that never came up must not hold up the update.
  for (const set of old) {
    const sick = (set.spec?.replicas ?? 0) - (set.status?.availableReplicas ?? 0);
    const down = Math.min(spare, Math.max(sick, 0));
    targets.set(set, (targets.get(set) ?? 0) - down);
    spare -= down;
  }
  let healthy = statusSum([newSet, ...oldSets], "availableReplicas") - minAvailable;
  for (const set of old) {
    if (healthy <= 0) break;
    const down = Math.min(targets.get(set) ?? 0, healthy);
    targets.set(set, (targets.get(set) ?? 0) - down);
    healthy -= down;
  }
  return changes(targets);
}

/** Recreate: nothing new before everything old is gone. */
export function recreateStep(oldSets: ReplicaSet[]): Scaling {
  return changes(new Map(oldSets.map((set) => [set, 0])));
}

/** Whether the Deployment's size changed since its sets were last scaled. */
export function isScalingEvent(deployment: Deployment, sets: ReplicaSet[]): boolean {
  return sets.some((set) => {
    const desired = set.metadata.annotations?.[DESIRED_REPLICAS];
    return (set.spec?.replicas ?? 0) > 0 && desired !== undefined && Number(desired) !== (deployment.spec?.replicas ?? 0);
  });
}

/** A size that changed in the middle of an update is shared among the sets in proportion to what they have. */
export function proportionalScaling(deployment: Deployment, newSet: ReplicaSet | undefined, oldSets: ReplicaSet[]): Scaling {
  const replicas = deployment.spec?.replicas ?? 0;
  const all = [...(newSet ? [newSet] : []), ...oldSets];
  const active = all.filter((set) => (set.spec?.replicas ?? 0) > 0);
  const only = active.length === 0 ? newSet : active.length === 1 ? active[0] : undefined;
  if (only) return changes(new Map([[only, replicas]]));
  if (newSet && (newSet.spec?.replicas ?? 0) === replicas && newSet.status?.availableReplicas === replicas) return recreateStep(oldSets);
  if (!isRolling(deployment)) return [];
  const total = specReplicas(active);
  const allowed = replicas > 0 ? replicas + maxSurge(deployment) : 0;
  let missing = allowed - total;
  if (missing === 0) return [];
  // Growing favours the newest set, shrinking the oldest.
  const ordered = [...active].sort((a, b) => (missing > 0 ? -1 : 1) * byCreation(a, b)).sort((a, b) => (b.spec?.replicas ?? 0) - (a.spec?.replicas ?? 0));
  const targets = new Map<ReplicaSet, number>();
  for (const set of ordered) {
    const share = missing === 0 ? 0 : clamp(fraction(deployment, set, allowed), missing);
    targets.set(set, Math.max(0, (set.spec?.replicas ?? 0) + share));
    missing -= share;
  }
  const [biggest] = ordered;
  if (biggest && missing !== 0) targets.set(biggest, Math.max(0, (targets.get(biggest) ?? 0) + missing));
  return changes(targets);
}

function fraction(deployment: Deployment, set: ReplicaSet, allowed: number): number {
  const have = set.spec?.replicas ?? 0;
  if ((deployment.spec?.replicas ?? 0) === 0) return -have;
  const before = Number(set.metadata.annotations?.[MAX_REPLICAS] ?? 0) || (deployment.spec?.replicas ?? 0);
  return Math.round((have * allowed) / before) - have;
}

function clamp(share: number, missing: number): number {
  return missing > 0 ? Math.min(Math.max(share, 0), missing) : Math.max(Math.min(share, 0), missing);
}

function changes(targets: Map<ReplicaSet, number>): Scaling {
  return [...targets].filter(([set, to]) => to !== (set.spec?.replicas ?? 0)).map(([set, to]) => ({ set, to }));
}
