import type { GroupVersionResource } from "../../kube/index.ts";
import type { KubeObject, OwnerReference, Pod, PodTemplate } from "../../resources/index.ts";

/** RFC 3339 in whole seconds, as metav1.Time. */
export function timestamp(now: number): string {
  return new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
}

export function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
}

export function splitKey(key: string): [namespace: string, name: string] {
  const slash = key.indexOf("/");
  return [key.slice(0, slash), key.slice(slash + 1)];
}

/** The one owner that manages the object. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller);
}

/** For an index by owner. */
export function controllerUid(object: KubeObject): string[] {
  const uid = controllerOf(object)?.uid;
  return uid ? [uid] : [];
}

export function controllerReference(owner: KubeObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** A pod as its owner's template describes it; the server makes the name from generateName unless one is given. */
export function podFromTemplate(template: PodTemplate, owner: KubeObject, name?: string): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      // Also beside a name, as StatefulSets give both: who injects sidecars tells made pods by it.
      name: name ?? "",
      generateName: `${owner.metadata.name}-`,
      ...(owner.metadata.namespace ? { namespace: owner.metadata.namespace } : {}),
      ...(labels ? { labels: { ...labels } } : {}),
      ...(annotations ? { annotations: { ...annotations } } : {}),
      ...(finalizers ? { finalizers: [...finalizers] } : {}),
      ownerReferences: [controllerReference(owner)],
    },
    spec: structuredClone(template.spec),
  };
}

export function isPodReady(pod: Pod): boolean {
  return pod.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false;
}

export function isPodFinished(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

/** Neither finished nor being deleted: counts as a replica. */
export function isPodActive(pod: Pod): boolean {
  return !isPodFinished(pod) && !pod.metadata.deletionTimestamp;
}

/** 0 when the pod has been ready for `minReadySeconds`; else the milliseconds that are missing, undefined if it is not ready. */
export function untilAvailable(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  if (!isPodReady(pod)) return undefined;
  if (minReadySeconds === 0) return 0;
  const since = pod.status?.conditions?.find((condition) => condition.type === "Ready")?.lastTransitionTime;
  if (!since) return undefined;
  return Math.max(0, Date.parse(since) + minReadySeconds * 1000 - now);
}

/** Same JSON, whatever the order of keys and with empty parts taken as absent. */
export function sameValue(a: unknown, b: unknown): boolean {
  return a === b || canonicalJson(a) === canonicalJson(b);
}

/** JSON with its keys in order and without what is absent or empty. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(ordered(value)) ?? "null";
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => ordered(item) ?? null);
  if (typeof value !== "object" || value === null) return value ?? undefined;
  const entries = Object.entries(value)
    .map(([key, item]): [string, unknown] => [key, ordered(item)])
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries);
}

export function gvrName(gvr: GroupVersionResource): string {
  return gvr.group === "" ? gvr.resource : `${gvr.resource}.${gvr.group}`;
}
