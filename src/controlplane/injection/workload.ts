import type { Pod } from "../../resources/index.ts";

/** What a pod belongs to: the name under which the mesh knows the workload. */
export interface Workload {
  name: string;
  namespace: string;
  apiVersion: string;
  kind: string;
}

/**
 * The controller that a user knows: a ReplicaSet of a Deployment stands for the Deployment (its name ends with the pod
 * template's hash), a Job of a CronJob for the CronJob (its name ends with the scheduled minute), and a pod of its own
 * for itself.
 */
export function workloadOf(pod: Pod, namespace: string): Workload {
  const owner = pod.metadata.ownerReferences?.find((reference) => reference.controller);
  if (!owner) {
    const name = pod.metadata.name || (pod.metadata.generateName ?? "").replace(/-$/, "");
    return { name, namespace, apiVersion: pod.apiVersion || "v1", kind: "Pod" };
  }
  const found = { name: owner.name, namespace, apiVersion: owner.apiVersion, kind: owner.kind };
  const hash = pod.metadata.labels?.["pod-template-hash"];
  if (owner.kind === "ReplicaSet" && hash && owner.name.endsWith(`-${hash}`)) {
    const name = owner.name.slice(0, -hash.length - 1);
    return { ...found, name, kind: "Deployment", apiVersion: "apps/v1" };
  }
  const scheduled = owner.kind === "Job" ? /^(.+)-\d{8,10}$/.exec(owner.name)?.[1] : undefined;
  return scheduled ? { ...found, name: scheduled, kind: "CronJob" } : found;
}

/** At most 63 characters of a label's value, without a dash at the end. */
export function canonicalName(pod: Pod, workload: Workload): string {
  const labels = pod.metadata.labels ?? {};
  const name = labels["service.istio.io/canonical-name"] || labels["app.kubernetes.io/name"] || labels["app"] || workload.name;
  return name.slice(0, 63).replace(/-$/, "");
}

export function canonicalRevision(pod: Pod): string {
  const labels = pod.metadata.labels ?? {};
  return labels["service.istio.io/canonical-revision"] || labels["app.kubernetes.io/version"] || labels["version"] || "latest";
}
