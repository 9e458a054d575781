import type { CronJob, DaemonSet, Deployment, IntOrString, Job, PodTemplate, ReplicaSet, StatefulSet } from "../core.ts";
import type { FieldError, KubeObject, LabelSelector } from "../types.ts";
import { forbidden, immutable, invalid, invalids, nonNegative, notSupported, oneOf, required, sameJson } from "./field.ts";
import { selectorMatches, validateLabels, validateSelector } from "./metadata.ts";
import { dns1035Label } from "./names.ts";
import { validatePodTemplate } from "./pods/index.ts";

export function validateDeployment(deployment: Deployment): FieldError[] {
  const spec = deployment.spec;
  if (!spec) return [required("spec.selector")];
  const errors = [
    ...nonNegative("spec.replicas", spec.replicas),
    ...ownedPods(spec.selector, spec.template, "deployment"),
    ...nonNegative("spec.minReadySeconds", spec.minReadySeconds),
    ...nonNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit),
  ];
  const strategy = spec.strategy ?? {};
  const rolling = strategy.rollingUpdate;
  if (strategy.type === "Recreate") {
    if (rolling) errors.push(forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"));
  } else if (strategy.type === "RollingUpdate") {
    if (!rolling) errors.push(required("spec.strategy.rollingUpdate", "this should be defaulted and never be nil"));
    else errors.push(...validateRolling(rolling, "spec.strategy.rollingUpdate"));
  } else errors.push(notSupported("spec.strategy.type", strategy.type ?? "", ["Recreate", "RollingUpdate"]));
  const deadline = spec.progressDeadlineSeconds;
  if (deadline !== undefined) {
    errors.push(...nonNegative("spec.progressDeadlineSeconds", deadline));
    if (deadline <= (spec.minReadySeconds ?? 0)) errors.push(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
  }
  return [...errors, ...validateDeploymentStatus(deployment)];
}

function validateDeploymentStatus({ status = {} }: Deployment): FieldError[] {
  const counts = ["observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"] as const;
  const own = status as Record<string, number | undefined>;
  const errors = counts.flatMap((name) => nonNegative(`status.${name}`, own[name]));
  const tooMany = (name: string, limit: string) => ((own[name] ?? 0) > (own[limit] ?? 0) ? [invalid(`status.${name}`, own[name] ?? 0, `cannot be greater than ${limit === "replicas" ? "status.replicas" : limit}`)] : []);
  return [...errors, ...tooMany("updatedReplicas", "replicas"), ...tooMany("readyReplicas", "replicas"), ...tooMany("availableReplicas", "replicas"), ...tooMany("availableReplicas", "readyReplicas")];
}

export function validateReplicaSet(set: ReplicaSet): FieldError[] {
  const spec = set.spec;
  if (!spec) return [required("spec.selector")];
  return [...nonNegative("spec.replicas", spec.replicas), ...nonNegative("spec.minReadySeconds", spec.minReadySeconds), ...ownedPods(spec.selector, spec.template, "replicaset")];
}

export function validateDaemonSet(set: DaemonSet): FieldError[] {
  const spec = set.spec;
  if (!spec) return [required("spec.selector")];
  const errors = [...ownedPods(spec.selector, spec.template, "daemonset"), ...nonNegative("spec.minReadySeconds", spec.minReadySeconds)];
  errors.push(...oneOf("spec.updateStrategy.type", spec.updateStrategy?.type, ["RollingUpdate", "OnDelete"]));
  return errors;
}

export function validateStatefulSet(set: StatefulSet): FieldError[] {
  const spec = set.spec;
  if (!spec) return [required("spec.selector")];
  const errors = [...ownedPods(spec.selector, spec.template, "statefulset", statefulTemplate), ...nonNegative("spec.replicas", spec.replicas)];
  errors.push(...oneOf("spec.podManagementPolicy", spec.podManagementPolicy, ["OrderedReady", "Parallel"]));
  errors.push(...oneOf("spec.updateStrategy.type", spec.updateStrategy?.type, ["OnDelete", "RollingUpdate"]));
  if (spec.serviceName) errors.push(...invalids("spec.serviceName", spec.serviceName, dns1035Label(spec.serviceName)));
  return errors;
}

const STATEFUL_SET_MUTABLE = ["replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"];

export function validateStatefulSetUpdate(set: StatefulSet, old: StatefulSet): FieldError[] {
  const fixed = (spec: StatefulSet["spec"]) => Object.fromEntries(Object.entries(spec ?? {}).filter(([key]) => !STATEFUL_SET_MUTABLE.includes(key)));
  if (sameJson(fixed(set.spec), fixed(old.spec))) return [];
  const quoted = STATEFUL_SET_MUTABLE.map((name) => `'${name}'`);
  return [forbidden("spec", `updates to statefulset spec for fields other than ${quoted.slice(0, -1).join(", ")} and ${quoted.at(-1)} are forbidden`)];
}

/** Deployments, ReplicaSets, DaemonSets: which pods are theirs is settled at creation. */
export function validateSelectorUpdate(object: KubeObject, old: KubeObject): FieldError[] {
  const [now, before] = [object.spec as { selector?: unknown } | undefined, old.spec as { selector?: unknown } | undefined];
  return sameJson(now?.selector, before?.selector) ? [] : [immutable("spec.selector", now?.selector)];
}

export function validateJob(job: Job): FieldError[] {
  const spec = job.spec;
  if (!spec) return [required("spec.template")];
  const errors = [
    ...nonNegative("spec.parallelism", spec.parallelism),
    ...nonNegative("spec.completions", spec.completions),
    ...nonNegative("spec.activeDeadlineSeconds", spec.activeDeadlineSeconds),
    ...nonNegative("spec.backoffLimit", spec.backoffLimit),
    ...nonNegative("spec.ttlSecondsAfterFinished", spec.ttlSecondsAfterFinished),
  ];
  if (!spec.selector) errors.push(required("spec.selector"));
  else {
    errors.push(...validateSelector(spec.selector, "spec.selector"));
    if (spec.template?.spec && !selectorMatches(spec.selector, spec.template.metadata?.labels)) errors.push(mismatch(spec.template));
  }
  return [...errors, ...jobTemplate(spec.template, "spec.template")];
}

export function validateJobUpdate(job: Job, old: Job): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ["completions", "selector", "template", "completionMode"] as const) {
    if (sameJson(job.spec?.[field], old.spec?.[field])) continue;
    // A suspended job that has never run may still be told where to run.
    if (field === "template" && old.spec?.suspend && !old.status?.startTime) continue;
    errors.push(immutable(`spec.${field}`, job.spec?.[field]));
  }
  return errors;
}

export function validateCronJob(cronJob: CronJob): FieldError[] {
  const spec = cronJob.spec;
  if (!spec) return [required("spec.schedule")];
  const errors: FieldError[] = [];
  if (!spec.schedule) errors.push(required("spec.schedule"));
  else if (!/^(@(yearly|annually|monthly|weekly|daily|midnight|hourly|every .+)|(\S+\s+){4}\S+)$/.test(spec.schedule.trim())) {
    errors.push(invalid("spec.schedule", spec.schedule, `expected exactly 5 fields, found ${spec.schedule.trim().split(/\s+/).length}: [${spec.schedule.trim().split(/\s+/).join(" ")}]`));
  }
  errors.push(...oneOf("spec.concurrencyPolicy", spec.concurrencyPolicy, ["Allow", "Forbid", "Replace"]));
  return [...errors, ...jobTemplate(spec.jobTemplate?.spec?.template, "spec.jobTemplate.spec.template")];
}

export function validateDisruptionBudget(budget: KubeObject): FieldError[] {
  const spec = (budget.spec ?? {}) as { minAvailable?: IntOrString; maxUnavailable?: IntOrString; selector?: LabelSelector };
  const errors: FieldError[] = [];
  if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) errors.push(invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"));
  for (const name of ["minAvailable", "maxUnavailable"] as const) errors.push(...validateAmount(spec[name], `spec.${name}`));
  return [...errors, ...validateSelector(spec.selector, "spec.selector")];
}

export function validateAutoscaler(autoscaler: KubeObject): FieldError[] {
  const spec = (autoscaler.spec ?? {}) as { minReplicas?: number; maxReplicas?: number; scaleTargetRef?: { kind?: string; name?: string } };
  const errors: FieldError[] = [];
  if (spec.minReplicas !== undefined && spec.minReplicas < 1) errors.push(invalid("spec.minReplicas", spec.minReplicas, "must be greater than or equal to 1"));
  const max = spec.maxReplicas ?? 0;
  if (max < 1) errors.push(invalid("spec.maxReplicas", max, "must be greater than 0"));
  else if (spec.minReplicas !== undefined && max < spec.minReplicas) errors.push(invalid("spec.maxReplicas", max, "must be greater than or equal to `minReplicas`"));
  if (!spec.scaleTargetRef?.kind) errors.push(required("spec.scaleTargetRef.kind"));
  if (!spec.scaleTargetRef?.name) errors.push(required("spec.scaleTargetRef.name"));
  return errors;
}

/** Selector and template of what keeps pods running. */
function ownedPods(selector: LabelSelector | undefined, template: PodTemplate | undefined, kind: string, validate = validatePodTemplate): FieldError[] {
  const errors: FieldError[] = [];
  if (!selector) errors.push(required("spec.selector"));
  else {
    errors.push(...validateSelector(selector, "spec.selector"));
    if (Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions?.length ?? 0) === 0) {
      errors.push(invalid("spec.selector", selector, `empty selector is invalid for ${kind}`));
    }
  }
  if (!template?.spec) return [...errors, required("spec.template.spec.containers")];
  if (selector && !selectorMatches(selector, template.metadata?.labels)) errors.push(mismatch(template));
  errors.push(...validate(template, "spec.template"));
  const { restartPolicy, activeDeadlineSeconds } = template.spec;
  if (restartPolicy !== "Always") errors.push(notSupported("spec.template.spec.restartPolicy", restartPolicy ?? "", ["Always"]));
  if (activeDeadlineSeconds !== undefined) errors.push(forbidden("spec.template.spec.activeDeadlineSeconds", `activeDeadlineSeconds in ${kind} is not Supported`));
  return errors;
}

/** The pod is checked when it is made: only then are the volumes of its claims there. Kubernetes leaves it to then as well. */
function statefulTemplate(template: PodTemplate | undefined, field: string): FieldError[] {
  return validateLabels(template?.metadata?.labels, `${field}.labels`);
}

function mismatch(template: PodTemplate): FieldError {
  return invalid("spec.template.metadata.labels", template.metadata?.labels ?? null, "`selector` does not match template `labels`");
}

function jobTemplate(template: PodTemplate | undefined, field: string): FieldError[] {
  const errors = validatePodTemplate(template, field);
  const policy = template?.spec?.restartPolicy;
  if (policy !== "OnFailure" && policy !== "Never") errors.push(required(`${field}.spec.restartPolicy`, 'valid values: "OnFailure", "Never"'));
  return errors;
}

function validateRolling(rolling: { maxSurge?: IntOrString; maxUnavailable?: IntOrString }, field: string): FieldError[] {
  const errors = [...validateAmount(rolling.maxUnavailable, `${field}.maxUnavailable`), ...validateAmount(rolling.maxSurge, `${field}.maxSurge`)];
  if (amountOf(rolling.maxUnavailable) === 0 && amountOf(rolling.maxSurge) === 0) {
    errors.push(invalid(`${field}.maxUnavailable`, rolling.maxUnavailable, "may not be 0 when `maxSurge` is 0"));
  }
  const percent = typeof rolling.maxUnavailable === "string" ? amountOf(rolling.maxUnavailable) : undefined;
  if (percent !== undefined && percent > 100) errors.push(invalid(`${field}.maxUnavailable`, rolling.maxUnavailable, "must not be greater than 100%"));
  return errors;
}

function validateAmount(value: IntOrString | undefined, field: string): FieldError[] {
  if (typeof value === "number") return nonNegative(field, value);
  if (value === undefined || /^[0-9]+%$/.test(value)) return [];
  return [invalid(field, value, "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')")];
}

function amountOf(value: IntOrString | undefined): number | undefined {
  if (value === undefined) return undefined;
  return typeof value === "number" ? value : Number(value.replace("%", ""));
}
