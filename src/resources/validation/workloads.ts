import type { DaemonSet, Deployment, IntOrString, PodTemplate, ReplicaSet, StatefulSet } from "../core.ts";
import type { FieldError, KubeObject, LabelSelector } from "../types.ts";
import { forbidden, immutable, invalid, invalids, nonNegative, notSupported, required, sameJson } from "./field.ts";
import { selectorMatches, validateLabels, validateSelector } from "./metadata.ts";
import { dns1123Label } from "./names.ts";
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
  } else errors.push(notSupported("spec.strategy", { Type: strategy.type ?? "", RollingUpdate: rolling ?? null }, ["Recreate", "RollingUpdate"]));
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
  const tooMany = (name: string, limit: string) =>
    (own[name] ?? 0) > (own[limit] ?? 0)
      ? [invalid(`status.${name}`, own[name] ?? 0, `cannot be greater than ${limit === "replicas" ? "status.replicas" : limit}`)]
      : [];
  return [
    ...errors,
    ...tooMany("updatedReplicas", "replicas"),
    ...tooMany("readyReplicas", "replicas"),
    ...tooMany("availableReplicas", "replicas"),
    ...tooMany("availableReplicas", "readyReplicas"),
  ];
}

export function validateReplicaSet(set: ReplicaSet): FieldError[] {
  const spec = set.spec;
  if (!spec) return [required("spec.selector")];
  return [
    ...nonNegative("spec.replicas", spec.replicas),
    ...nonNegative("spec.minReadySeconds", spec.minReadySeconds),
    ...ownedPods(spec.selector, spec.template, "replicaset"),
  ];
}

export function validateDaemonSet(set: DaemonSet): FieldError[] {
  const spec = set.spec;
  if (!spec) return [required("spec.selector")];
  const errors = [...ownedPods(spec.selector, spec.template, "daemonset"), ...nonNegative("spec.minReadySeconds", spec.minReadySeconds)];
  const { type = "", rollingUpdate: rolling } = spec.updateStrategy ?? {};
  const at = "spec.updateStrategy";
  if (type === "RollingUpdate" && rolling) {
    const [surge, unavailable] = [amountOf(rolling.maxSurge) ?? 0, amountOf(rolling.maxUnavailable) ?? 0];
    errors.push(
      ...validateAmount(rolling.maxUnavailable, `${at}.rollingUpdate.maxUnavailable`),
      ...validateAmount(rolling.maxSurge, `${at}.rollingUpdate.maxSurge`),
    );
    if (surge === 0 && unavailable === 0) errors.push(required(`${at}.rollingUpdate.maxUnavailable`, "cannot be 0 when maxSurge is 0"));
    if (surge !== 0 && unavailable !== 0)
      errors.push(invalid(`${at}.rollingUpdate.maxSurge`, rolling.maxSurge, "may not be set when maxUnavailable is non-zero"));
  } else if (type !== "RollingUpdate" && type !== "OnDelete")
    errors.push(notSupported(at, { Type: type, RollingUpdate: rolling ?? null }, ["RollingUpdate", "OnDelete"]));
  return [...errors, ...nonNegative("spec.revisionHistoryLimit", (spec as { revisionHistoryLimit?: number }).revisionHistoryLimit)];
}

export function validateStatefulSet(set: StatefulSet): FieldError[] {
  const spec = set.spec;
  if (!spec) return [required("spec.selector")];
  const {
    podManagementPolicy: policy = "",
    updateStrategy = {},
    persistentVolumeClaimRetentionPolicy: retention,
    ordinals,
    minReadySeconds,
  } = spec as typeof spec & { ordinals?: { start?: number }; minReadySeconds?: number };
  const errors: FieldError[] = [];
  if (policy === "") errors.push(required("spec.podManagementPolicy"));
  else if (policy !== "OrderedReady" && policy !== "Parallel") errors.push(invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"));
  const { type = "", rollingUpdate: rolling } = updateStrategy as { type?: string; rollingUpdate?: { partition?: number; maxUnavailable?: IntOrString } };
  const shown = rolling ? { Partition: rolling.partition ?? 0, MaxUnavailable: rolling.maxUnavailable ?? null } : null;
  if (type === "OnDelete" && rolling) errors.push(invalid("spec.updateStrategy.rollingUpdate", shown, "only allowed for updateStrategy 'RollingUpdate'"));
  else if (type === "RollingUpdate") errors.push(...nonNegative("spec.updateStrategy.rollingUpdate.partition", rolling?.partition));
  else if (type !== "OnDelete")
    errors.push(
      type === ""
        ? required("spec.updateStrategy")
        : invalid("spec.updateStrategy", { Type: type, RollingUpdate: shown }, "must be 'RollingUpdate' or 'OnDelete'"),
    );
  for (const name of ["whenDeleted", "whenScaled"] as const) {
    const value = retention?.[name];
    if (value !== undefined && value !== "Retain" && value !== "Delete")
      errors.push(notSupported(`spec.persistentVolumeClaimRetentionPolicy.${name}`, value, ["Retain", "Delete"]));
  }
  errors.push(
    ...nonNegative("spec.replicas", spec.replicas),
    ...nonNegative("spec.minReadySeconds", minReadySeconds),
    ...nonNegative("spec.ordinals.start", ordinals?.start),
  );
  errors.push(...ownedPods(spec.selector, spec.template, "statefulset", statefulTemplate));
  if (spec.serviceName) errors.push(...invalids("spec.serviceName", spec.serviceName, dns1123Label(spec.serviceName)));
  return errors;
}

const STATEFUL_SET_MUTABLE = [
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
];

export function validateStatefulSetUpdate(set: StatefulSet, old: StatefulSet): FieldError[] {
  const fixed = (spec: StatefulSet["spec"]) => Object.fromEntries(Object.entries(spec ?? {}).filter(([key]) => !STATEFUL_SET_MUTABLE.includes(key)));
  if (sameJson(fixed(set.spec), fixed(old.spec))) return [];
  const quoted = STATEFUL_SET_MUTABLE.map((name) => `'${name}'`);
  return [forbidden("spec", `updates to statefulset spec for fields other than ${quoted.slice(0, -1).join(", ")} and ${quoted.at(-1)} are forbidden`)];
}

export function validateReplicationController(controller: KubeObject): FieldError[] {
  const {
    selector = {},
    template,
    replicas,
    minReadySeconds,
  } = (controller.spec ?? {}) as { selector?: Record<string, string>; template?: PodTemplate; replicas?: number; minReadySeconds?: number };
  const errors = nonNegative("spec.minReadySeconds", minReadySeconds);
  if (Object.keys(selector).length === 0) errors.push(required("spec.selector"));
  errors.push(...nonNegative("spec.replicas", replicas));
  if (!template) return [...errors, required("spec.template")];
  const labels = template.metadata?.labels ?? {};
  if (Object.entries(selector).some(([key, value]) => labels[key] !== value)) errors.push(mismatch(template));
  errors.push(...validatePodTemplate(template, "spec.template"));
  const { restartPolicy } = template.spec ?? {};
  return restartPolicy === "Always" ? errors : [...errors, notSupported("spec.template.spec.restartPolicy", restartPolicy ?? "", ["Always"])];
}

export function validatePodTemplateObject(object: KubeObject): FieldError[] {
  return validatePodTemplate(object["template"] as PodTemplate | undefined, "template");
}

/** Deployments, ReplicaSets, DaemonSets: which pods are theirs is settled at creation. */
export function validateSelectorUpdate(object: KubeObject, old: KubeObject): FieldError[] {
  const [now, before] = [object.spec as { selector?: unknown } | undefined, old.spec as { selector?: unknown } | undefined];
  return sameJson(now?.selector, before?.selector) ? [] : [immutable("spec.selector", now?.selector)];
}

export function validateDisruptionBudget(budget: KubeObject): FieldError[] {
  const spec = (budget.spec ?? {}) as { minAvailable?: IntOrString; maxUnavailable?: IntOrString; selector?: LabelSelector };
  const errors: FieldError[] = [];
  const { unhealthyPodEvictionPolicy: policy } = spec as { unhealthyPodEvictionPolicy?: string };
  if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
    const shown = {
      MinAvailable: spec.minAvailable,
      Selector: spec.selector ?? null,
      MaxUnavailable: spec.maxUnavailable,
      UnhealthyPodEvictionPolicy: policy ?? null,
    };
    errors.push(invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set"));
  }
  for (const name of ["minAvailable", "maxUnavailable"] as const) {
    errors.push(...validateAmount(spec[name], `spec.${name}`));
    if (typeof spec[name] === "string" && (amountOf(spec[name]) ?? 0) > 100) errors.push(invalid(`spec.${name}`, spec[name], "must not be greater than 100%"));
  }
  errors.push(...validateSelector(spec.selector, "spec.selector"));
  if (policy !== undefined && policy !== "AlwaysAllow" && policy !== "IfHealthyBudget")
    errors.push(notSupported("spec.unhealthyPodEvictionPolicy", policy, ["AlwaysAllow", "IfHealthyBudget"]));
  return errors;
}

/** Selector and template of what keeps pods running. */
function ownedPods(selector: LabelSelector | undefined, template: PodTemplate | undefined, kind: string, validate = validatePodTemplate): FieldError[] {
  const errors: FieldError[] = [];
  if (!selector) errors.push(required("spec.selector"));
  else {
    errors.push(...validateSelector(selector, "spec.selector"));
    if (Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions?.length ?? 0) === 0) {
      // Of ReplicaSets the real server says so too.
      errors.push(invalid("spec.selector", selector, `empty selector is invalid for ${kind === "replicaset" ? "deployment" : kind}`));
    }
    if (!isReadable(selector)) errors.push(invalid("spec.selector", selector, "invalid label selector"));
  }
  const readable = selector ? isReadable(selector) : true;
  // Without a selector nothing is selected.
  if (readable && !selectorMatches(selector ?? undefined, template?.metadata?.labels)) errors.push(mismatch(template));
  if (!template?.spec) return [...errors, required("spec.template.spec.containers")];
  errors.push(...validate(template, "spec.template"));
  const { restartPolicy, activeDeadlineSeconds } = template.spec;
  if (restartPolicy !== "Always") errors.push(notSupported("spec.template.spec.restartPolicy", restartPolicy ?? "", ["Always"]));
  if (activeDeadlineSeconds !== undefined)
    errors.push(
      forbidden(
        "spec.template.spec.activeDeadlineSeconds",
        `activeDeadlineSeconds in ${kind === "deployment" || kind === "replicaset" ? "ReplicaSet" : kind} is not Supported`,
      ),
    );
  return errors;
}

/** Mounts are checked when the pod is made: only then are the volumes of its claims there. Kubernetes leaves it to then as well. */
function statefulTemplate(template: PodTemplate | undefined, field: string): FieldError[] {
  return [
    ...validateLabels(template?.metadata?.labels, `${field}.labels`),
    ...(template?.spec?.containers?.length ? [] : [required(`${field}.spec.containers`)]),
  ];
}

/** Whether a selector can be turned into one that matches: Kubernetes cannot where its parts contradict each other. */
function isReadable({ matchExpressions = [] }: LabelSelector): boolean {
  return matchExpressions.every(({ operator, values = [] }) =>
    operator === "In" || operator === "NotIn" ? values.length > 0 : (operator === "Exists" || operator === "DoesNotExist") && values.length === 0,
  );
}

function mismatch(template: PodTemplate | undefined): FieldError {
  return invalid("spec.template.metadata.labels", template?.metadata?.labels ?? null, "`selector` does not match template `labels`");
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
  return [
    invalid(
      field,
      value,
      "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
    ),
  ];
}

function amountOf(value: IntOrString | undefined): number | undefined {
  if (value === undefined) return undefined;
  return typeof value === "number" ? value : Number(value.replace("%", ""));
}
