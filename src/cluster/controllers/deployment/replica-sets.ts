/** What a Deployment knows of its ReplicaSets: which is the new one, their revisions, hashes and annotations. */
import type { Deployment, IntOrString, PodTemplate, ReplicaSet } from "../../../resources/index.ts";
import { canonicalJson } from "../objects.ts";

export const REVISION = "deployment.kubernetes.io/revision";
export const REVISION_HISTORY = "deployment.kubernetes.io/revision-history";
export const DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas";
export const MAX_REPLICAS = "deployment.kubernetes.io/max-replicas";
export const TEMPLATE_HASH = "pod-template-hash";

/** Kept off ReplicaSets: they speak of the Deployment alone. */
const OWN_ANNOTATIONS = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  "deprecated.deployment.rollback.to",
]);

/** Letters and digits that spell no words: Kubernetes' own alphabet of generated names. */
const SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** 32-bit FNV-1a of the template and how often its name was taken, written in the safe alphabet. */
export function templateHash(template: PodTemplate, collisions: number): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(canonicalJson(template) + (collisions > 0 ? String(collisions) : ""))) {
    hash ^= byte;
    hash = Math.imul(hash, 0x01000193) >>> 0;
  }
  return [...String(hash)].map((digit) => SAFE_ALPHABET[digit.charCodeAt(0) % SAFE_ALPHABET.length]).join("");
}

/** The template without the hash that the Deployment adds to it. */
export function bareTemplate(template: PodTemplate | undefined): string {
  const { [TEMPLATE_HASH]: _, ...labels } = template?.metadata?.labels ?? {};
  return canonicalJson({ ...template, metadata: { ...template?.metadata, labels, creationTimestamp: undefined } });
}

export function byCreation(a: ReplicaSet, b: ReplicaSet): number {
  const [left = "", right = ""] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  return left < right ? -1 : left > right ? 1 : a.metadata.name < b.metadata.name ? -1 : 1;
}

/** The ReplicaSet of the Deployment's present template; the oldest where several fit. */
export function findNew(deployment: Deployment, sets: ReplicaSet[]): ReplicaSet | undefined {
  const wanted = bareTemplate(deployment.spec?.template);
  return [...sets].sort(byCreation).find((set) => bareTemplate(set.spec?.template) === wanted);
}

export function revisionOf(set: ReplicaSet | Deployment): number {
  return Number(set.metadata.annotations?.[REVISION] ?? 0) || 0;
}

/** Annotations of the new ReplicaSet: the Deployment's, its revision, and what it is scaled for. Undefined when they are right already. */
export function newSetAnnotations(deployment: Deployment, set: ReplicaSet | undefined, revision: number): Record<string, string> | undefined {
  const before = set?.metadata.annotations ?? {};
  const next: Record<string, string> = { ...before };
  for (const [key, value] of Object.entries(deployment.metadata.annotations ?? {})) if (!OWN_ANNOTATIONS.has(key)) next[key] = value;
  const old = before[REVISION];
  if (old === undefined || Number(old) < revision) {
    next[REVISION] = String(revision);
    // Rolled back to: its earlier revisions are kept, `rollout history` lists them.
    if (old !== undefined) next[REVISION_HISTORY] = before[REVISION_HISTORY] ? `${before[REVISION_HISTORY]},${old}` : old;
  }
  Object.assign(next, scaleAnnotations(deployment));
  const changed = Object.keys(next).some((key) => next[key] !== before[key]);
  return changed ? next : undefined;
}

/** What the set was scaled for: a change of it is a scaling of the Deployment, to be shared among all sets. */
export function scaleAnnotations(deployment: Deployment): Record<string, string> {
  const replicas = deployment.spec?.replicas ?? 0;
  return { [DESIRED_REPLICAS]: String(replicas), [MAX_REPLICAS]: String(replicas + maxSurge(deployment)) };
}

export function isRolling(deployment: Deployment): boolean {
  return deployment.spec?.strategy?.type !== "Recreate";
}

/** Pods above the wanted number while rolling. Percentages are rounded up. */
export function maxSurge(deployment: Deployment): number {
  if (!isRolling(deployment)) return 0;
  return resolve(deployment.spec?.strategy?.rollingUpdate?.maxSurge ?? 0, deployment.spec?.replicas ?? 0, Math.ceil);
}

/** Pods that may be missing while rolling. Percentages are rounded down; where both would be 0 nothing could move, so one may. */
export function maxUnavailable(deployment: Deployment): number {
  const replicas = deployment.spec?.replicas ?? 0;
  if (!isRolling(deployment) || replicas === 0) return 0;
  const unavailable = resolve(deployment.spec?.strategy?.rollingUpdate?.maxUnavailable ?? 0, replicas, Math.floor);
  return Math.min(unavailable === 0 && maxSurge(deployment) === 0 ? 1 : unavailable, replicas);
}

function resolve(value: IntOrString, total: number, round: (value: number) => number): number {
  if (typeof value === "number") return value;
  return round((Number(value.replace("%", "")) * total) / 100) || 0;
}

export function specReplicas(sets: (ReplicaSet | undefined)[]): number {
  return sets.reduce((sum, set) => sum + (set?.spec?.replicas ?? 0), 0);
}

export function statusSum(sets: (ReplicaSet | undefined)[], field: "replicas" | "readyReplicas" | "availableReplicas"): number {
  return sets.reduce((sum, set) => sum + (set?.status?.[field] ?? 0), 0);
}
