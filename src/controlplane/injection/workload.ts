import type { Pod } from "../../resources/index.ts";

/** What a pod belongs to: the name under which the mesh knows the workload. */
export interface Workload {
  name: string;
  namespace: string;
  apiVersion: string;
  kind: string;
}

/**
 * The controller that a user knows: a ReplicaSet of a Deployment or of an Argo Rollout stands for that (its name ends with
 * the pod template's hash), a ReplicationController for a DeploymentConfig, a Job of a CronJob for the CronJob (its name
 * ends with the scheduled minute). A pod whose name nobody generates, or that has no controller, stands for itself; it may
 * not have a name yet.
 */
export function workloadOf(pod: Pod, namespace: string): Workload {
  const { name, generateName, ownerReferences, labels = {} } = pod.metadata;
  const owner = generateName ? ownerReferences?.find((reference) => reference.controller) : undefined;
  if (!owner) return { name, namespace, apiVersion: pod.apiVersion || "v1", kind: "Pod" };
  const found = { name: owner.name, namespace, apiVersion: owner.apiVersion, kind: owner.kind };
  if (owner.kind === "ReplicaSet") {
    const without = (hash: string | undefined): string | undefined =>
      hash && owner.name.endsWith(hash) ? owner.name.replace(new RegExp(`-${RegExp.escape(hash)}$`), "") : undefined;
    const deployment = without(labels["pod-template-hash"]);
    if (deployment !== undefined) return { ...found, name: deployment, kind: "Deployment" };
    const rollout = without(labels["rollouts-pod-template-hash"]);
    return rollout === undefined ? found : { ...found, name: rollout, kind: "Rollout", apiVersion: "v1alpha1" };
  }
  const config = labels.deploymentconfig;
  if (owner.kind === "ReplicationController" && config) return { ...found, name: config, kind: "DeploymentConfig" };
  const scheduled = owner.kind === "Job" ? /^(.+)-\d{8,10}$/.exec(owner.name)?.[1] : undefined;
  return scheduled ? { ...found, name: scheduled, kind: "CronJob", apiVersion: "batch/v1" } : found;
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
