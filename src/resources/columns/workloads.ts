import type { CronJob, DaemonSet, Deployment, Job, PodTemplate, ReplicaSet, StatefulSet } from "../core.ts";
import type { Column, KubeObject } from "../types.ts";
import { ageColumn, column, formatLabels, formatSelector, humanDuration, nameColumn, since } from "./format.ts";

const templateOf = (object: KubeObject): PodTemplate | undefined => {
  const spec = object.spec as { template?: PodTemplate; jobTemplate?: { spec?: { template?: PodTemplate } } } | undefined;
  return spec?.template ?? spec?.jobTemplate?.spec?.template;
};
const containersColumn = column(
  "Containers",
  "string",
  "names of its containers",
  (o) => (templateOf(o)?.spec?.containers ?? []).map((c) => c.name).join(","),
  1,
);
const imagesColumn = column(
  "Images",
  "string",
  "images of its containers",
  (o) => (templateOf(o)?.spec?.containers ?? []).map((c) => c.image ?? "").join(","),
  1,
);
const selectorColumn = column("Selector", "string", "which pods it owns", (o) => formatSelector((o as Deployment).spec?.selector), 1);

export const deploymentColumns: Column[] = [
  nameColumn,
  column("Ready", "string", "ready pods, of those wanted", (o) => `${(o as Deployment).status?.readyReplicas ?? 0}/${(o as Deployment).spec?.replicas ?? 0}`),
  column("Up-to-date", "string", "pods of the current template", (o) => (o as Deployment).status?.updatedReplicas ?? 0),
  column("Available", "string", "pods ready for long enough", (o) => (o as Deployment).status?.availableReplicas ?? 0),
  ageColumn,
  containersColumn,
  imagesColumn,
  selectorColumn,
];

/** ReplicaSets and ReplicationControllers. */
export const replicaSetColumns: Column[] = [
  nameColumn,
  column("Desired", "integer", "pods wanted", (o) => (o as ReplicaSet).spec?.replicas ?? 0),
  column("Current", "integer", "pods there are", (o) => (o as ReplicaSet).status?.replicas ?? 0),
  column("Ready", "integer", "pods that are ready", (o) => (o as ReplicaSet).status?.readyReplicas ?? 0),
  ageColumn,
  containersColumn,
  imagesColumn,
  selectorColumn,
];

export const replicationControllerColumns: Column[] = [
  ...replicaSetColumns.slice(0, -1),
  column("Selector", "string", "which pods it owns", (o) => formatLabels((o.spec as { selector?: Record<string, string> } | undefined)?.selector), 1),
];

export const daemonSetColumns: Column[] = [
  nameColumn,
  column("Desired", "integer", "nodes that should run a pod", (o) => (o as DaemonSet).status?.desiredNumberScheduled ?? 0),
  column("Current", "integer", "nodes that have a pod", (o) => (o as DaemonSet).status?.currentNumberScheduled ?? 0),
  column("Ready", "integer", "nodes whose pod is ready", (o) => (o as DaemonSet).status?.numberReady ?? 0),
  column("Up-to-date", "integer", "nodes with a pod of the current template", (o) => (o as DaemonSet).status?.updatedNumberScheduled ?? 0),
  column("Available", "integer", "nodes whose pod has been ready for long enough", (o) => (o as DaemonSet).status?.numberAvailable ?? 0),
  column("Node Selector", "string", "which nodes run a pod", (o) => formatLabels(templateOf(o)?.spec?.nodeSelector)),
  ageColumn,
  containersColumn,
  imagesColumn,
  selectorColumn,
];

export const statefulSetColumns: Column[] = [
  nameColumn,
  column("Ready", "string", "ready pods, of those wanted", (o) => `${(o as StatefulSet).status?.readyReplicas ?? 0}/${(o as StatefulSet).spec?.replicas ?? 0}`),
  ageColumn,
  containersColumn,
  imagesColumn,
];

export const jobColumns: Column[] = [
  nameColumn,
  column("Status", "string", "how far the job is", (o) => jobStatus(o as Job)),
  column("Completions", "string", "pods that succeeded, of those wanted", (o) => jobCompletions(o as Job)),
  column("Duration", "string", "how long it has run", (o, now) => jobDuration(o as Job, now)),
  ageColumn,
  containersColumn,
  imagesColumn,
  selectorColumn,
];

export const cronJobColumns: Column[] = [
  nameColumn,
  column("Schedule", "string", "when it runs, as cron writes it", (o) => (o as CronJob).spec?.schedule ?? ""),
  column("Timezone", "string", "the schedule's time zone", (o) => (o as CronJob).spec?.timeZone ?? "<none>"),
  column("Suspend", "boolean", "whether it waits", (o) => ((o as CronJob).spec?.suspend ? "True" : "False")),
  column("Active", "integer", "jobs that run now", (o) => (o as CronJob).status?.active?.length ?? 0),
  column("Last Schedule", "string", "time since it last started a job", (o, now) => {
    const last = (o as CronJob).status?.lastScheduleTime;
    return last ? since(last, now) : "<none>";
  }),
  ageColumn,
  containersColumn,
  imagesColumn,
  column("Selector", "string", "which pods it owns", (o) => formatSelector((o as CronJob).spec?.jobTemplate?.spec?.selector), 1),
];

export const podTemplateColumns: Column[] = [
  nameColumn,
  column("Containers", "string", "names of its containers", (o) =>
    ((o["template"] as PodTemplate | undefined)?.spec?.containers ?? []).map((c) => c.name).join(","),
  ),
  column("Images", "string", "images of its containers", (o) =>
    ((o["template"] as PodTemplate | undefined)?.spec?.containers ?? []).map((c) => c.image ?? "").join(","),
  ),
  column("Pod Labels", "string", "labels of its pods", (o) => formatLabels((o["template"] as PodTemplate | undefined)?.metadata?.labels)),
];

export const controllerRevisionColumns: Column[] = [
  nameColumn,
  column("Controller", "string", "whose revision it is", (o) => {
    const owner = o.metadata.ownerReferences?.find((reference) => reference.controller);
    if (!owner) return "<none>";
    const [group, version] = owner.apiVersion.split("/");
    return `${owner.kind.toLowerCase()}${version === undefined ? "" : `.${group}`}/${owner.name}`;
  }),
  column("Revision", "integer", "its number", (o) => Number(o["revision"] ?? 0)),
  ageColumn,
];

function jobStatus(job: Job): string {
  const isTrue = (type: string) => job.status?.conditions?.some((c) => c.type === type && c.status === "True") ?? false;
  if (isTrue("Complete")) return "Complete";
  if (isTrue("Failed")) return "Failed";
  if (job.metadata.deletionTimestamp) return "Terminating";
  return ["Suspended", "FailureTarget", "SuccessCriteriaMet"].find(isTrue) ?? "Running";
}

function jobCompletions(job: Job): string {
  const succeeded = job.status?.succeeded ?? 0;
  if (job.spec?.completions !== undefined) return `${succeeded}/${job.spec.completions}`;
  const parallelism = job.spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function jobDuration(job: Job, now: number): string {
  const { startTime, completionTime } = job.status ?? {};
  if (!startTime) return "";
  return humanDuration((completionTime ? Date.parse(completionTime) : now) - Date.parse(startTime));
}

/** Of the subresource: an autoscaling/v1 Scale. */
export const scaleColumns: Column[] = [
  column("Name", "string", "whose scale it is", (o) => o.metadata.name),
  column("Desired", "integer", "how many there should be", (o) => (o.spec as { replicas?: number } | undefined)?.replicas ?? 0),
  column("Available", "integer", "how many there are", (o) => (o.status as { replicas?: number } | undefined)?.replicas ?? 0),
  ageColumn,
];
