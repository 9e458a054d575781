import type { CronJob, DaemonSet, Deployment, Job, JobSpec, PodTemplate, ReplicaSet, StatefulSet } from "../core.ts";
import type { KubeObject } from "../types.ts";
import { canonicalAmounts, defaultPodTemplate } from "./pod.ts";

export function defaultDeployment(deployment: Deployment): void {
  const spec = (deployment.spec ??= { selector: {}, template: { spec: { containers: [] } } });
  spec.replicas ??= 1;
  const strategy = (spec.strategy ??= {});
  strategy.type ??= "RollingUpdate";
  if (strategy.type === "RollingUpdate") {
    const rolling = (strategy.rollingUpdate ??= {});
    rolling.maxUnavailable ??= "25%";
    rolling.maxSurge ??= "25%";
  }
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  defaultPodTemplate(spec.template);
  deployment.status ??= {};
}

export function defaultReplicaSet(set: ReplicaSet): void {
  const spec = (set.spec ??= { selector: {} });
  spec.replicas ??= 1;
  defaultPodTemplate(spec.template);
  set.status ??= { replicas: 0 };
}

export function defaultReplicationController(controller: KubeObject): void {
  const spec = (controller.spec ??= {}) as { replicas?: number; selector?: Record<string, string>; template?: PodTemplate };
  spec.replicas ??= 1;
  const labels = spec.template?.metadata?.labels;
  if (labels && Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
  if (labels && Object.keys(controller.metadata.labels ?? {}).length === 0) controller.metadata.labels = { ...labels };
  defaultPodTemplate(spec.template);
  controller.status ??= { replicas: 0 };
}

export function defaultStatefulSet(set: StatefulSet): void {
  const spec = (set.spec ??= { selector: {}, template: { spec: { containers: [] } } });
  spec.podManagementPolicy ??= "OrderedReady";
  spec.serviceName ??= "";
  const { ordinals } = spec as { ordinals?: { start?: number } };
  if (ordinals) ordinals.start ??= 0;
  const strategy = (spec.updateStrategy ??= {});
  strategy.type ??= "RollingUpdate";
  if (strategy.type === "RollingUpdate") (strategy.rollingUpdate ??= {}).partition ??= 0;
  spec.persistentVolumeClaimRetentionPolicy ??= { whenDeleted: "Retain", whenScaled: "Retain" };
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.apiVersion ??= "v1";
    claim.kind ??= "PersistentVolumeClaim";
    defaultClaim(claim);
  }
  defaultPodTemplate(spec.template);
  set.status ??= { replicas: 0, availableReplicas: 0 };
}

/** The generation of a DaemonSet's template lives on in this annotation, as it did in a field of v1beta1. */
const TEMPLATE_GENERATION = "deprecated.daemonset.template.generation";

export function defaultDaemonSet(set: DaemonSet, old?: DaemonSet): void {
  const spec = (set.spec ??= { selector: {}, template: { spec: { containers: [] } } });
  const strategy = (spec.updateStrategy ??= {});
  strategy.type ??= "RollingUpdate";
  if (strategy.type === "RollingUpdate") {
    const rolling = (strategy.rollingUpdate ??= {});
    rolling.maxUnavailable ??= 1;
    rolling.maxSurge ??= 0;
  }
  spec.revisionHistoryLimit ??= 10;
  defaultPodTemplate(spec.template);
  set.status ??= { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 };
  const before = Number(old?.metadata.annotations?.[TEMPLATE_GENERATION] ?? 0);
  const changed = !old || JSON.stringify(old.spec?.template) !== JSON.stringify(spec.template);
  (set.metadata.annotations ??= {})[TEMPLATE_GENERATION] = String(changed ? before + 1 : before);
}

export function defaultJob(job: Job): void {
  const spec = (job.spec ??= { template: { spec: { containers: [] } } });
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.completionMode ??= "NonIndexed";
  spec.suspend ??= false;
  spec.manualSelector ??= false;
  const { labels } = spec.template?.metadata ?? {};
  if (labels && Object.keys(job.metadata.labels ?? {}).length === 0) job.metadata.labels = { ...labels };
  const { podFailurePolicy, backoffLimitPerIndex } = spec as JobSpec & {
    podFailurePolicy?: { rules?: { onPodConditions?: { status?: string }[] }[] };
    backoffLimitPerIndex?: number;
  };
  for (const rule of podFailurePolicy?.rules ?? []) for (const pattern of rule.onPodConditions ?? []) pattern.status ??= "True";
  if (spec.backoffLimit === undefined) spec.backoffLimit = backoffLimitPerIndex === undefined ? 6 : NO_BACKOFF_LIMIT;
  spec.podReplacementPolicy ??= podFailurePolicy ? "Failed" : "TerminatingOrFailed";
  defaultPodTemplate(spec.template);
  job.status ??= {};
}

/** Where each index has a limit of its own, all together have none. */
const NO_BACKOFF_LIMIT = 2 ** 31 - 1;

/** A new job's pods are told from others by the job's uid: selector and labels that nobody asked for and nobody owns. */
export function selectJobPods(job: Job): void {
  const { uid, name } = job.metadata;
  const { spec } = job;
  if (!spec || spec.manualSelector || spec.selector || !uid || !spec.template) return;
  const metadata = (spec.template.metadata ??= {});
  const before = metadata.labels ?? {};
  const own = { "batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name, "controller-uid": uid, "job-name": name };
  // Labels that the job took over from its template are one with it.
  if (JSON.stringify(job.metadata.labels ?? {}) === JSON.stringify(before)) job.metadata.labels = { ...before, ...own };
  metadata.labels = { ...before, ...own };
  spec.selector = { matchLabels: { "batch.kubernetes.io/controller-uid": uid } };
}

export function defaultCronJob(job: CronJob): void {
  const spec = job.spec as (NonNullable<CronJob["spec"]> & { successfulJobsHistoryLimit?: number; failedJobsHistoryLimit?: number }) | undefined;
  if (!spec) return;
  spec.concurrencyPolicy ??= "Allow";
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
  (spec.jobTemplate ??= { spec: { template: { spec: { containers: [] } } } }).metadata ??= {};
  defaultPodTemplate(spec.jobTemplate.spec?.template);
  job.status ??= {};
}

export function defaultPodTemplateObject(object: KubeObject): void {
  defaultPodTemplate(object["template"] as PodTemplate | undefined);
}

interface ClaimSpec {
  volumeMode?: string;
  resources?: { requests?: Record<string, unknown>; limits?: Record<string, unknown> };
}

export function defaultClaim(claim: KubeObject): void {
  const spec = (claim.spec ??= {}) as ClaimSpec;
  spec.volumeMode ??= "Filesystem";
  canonicalAmounts(spec.resources?.requests);
  canonicalAmounts(spec.resources?.limits);
  claim.status ??= { phase: "Pending" };
}

export function defaultVolumeObject(volume: KubeObject): void {
  const spec = (volume.spec ??= {}) as { volumeMode?: string; persistentVolumeReclaimPolicy?: string; capacity?: Record<string, unknown> };
  spec.volumeMode ??= "Filesystem";
  spec.persistentVolumeReclaimPolicy ??= "Retain";
  canonicalAmounts(spec.capacity);
  const { hostPath } = spec as { hostPath?: { type?: string } };
  if (hostPath) hostPath.type ??= "";
  volume.status ??= { phase: "Pending" };
}

interface ScalingRules {
  stabilizationWindowSeconds?: number;
  selectPolicy?: string;
  policies?: { type: string; value: number; periodSeconds: number }[];
}

export function defaultAutoscaler(autoscaler: KubeObject): void {
  const spec = autoscaler.spec as { minReplicas?: number; metrics?: unknown[] } | undefined;
  if (!spec) return;
  spec.minReplicas ??= 1;
  const { behavior } = spec as { behavior?: { scaleUp?: ScalingRules; scaleDown?: ScalingRules } };
  if (behavior) {
    const up = (behavior.scaleUp ??= {});
    up.stabilizationWindowSeconds ??= 0;
    up.selectPolicy ??= "Max";
    up.policies ??= [
      { type: "Pods", value: 4, periodSeconds: 15 },
      { type: "Percent", value: 100, periodSeconds: 15 },
    ];
    const down = (behavior.scaleDown ??= {});
    down.selectPolicy ??= "Max";
    down.policies ??= [{ type: "Percent", value: 100, periodSeconds: 15 }];
  }
  if (!spec.metrics?.length) spec.metrics = [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } }];
  autoscaler.status ??= { currentMetrics: null, desiredReplicas: 0 };
}

export function defaultDisruptionBudget(budget: KubeObject): void {
  budget.status ??= { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 };
}
