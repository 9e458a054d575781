import type { CronJob, Job, JobSpec, PodTemplate } from "../core.ts";
import type { FieldError } from "../types.ts";
import { duplicate, immutable, invalid, invalids, nonNegative, notSupported, oneOf, required, sameJson } from "./field.ts";
import { selectorMatches, validateSelector } from "./metadata.ts";
import { domainPath } from "./names.ts";
import { validatePodTemplate } from "./pods/index.ts";
import { scheduleProblem } from "./schedule.ts";

interface FailureRule {
  action?: string;
  onExitCodes?: { containerName?: string; operator?: string; values?: number[] };
  onPodConditions?: { type?: string; status?: string }[];
}

type FullSpec = JobSpec & {
  backoffLimitPerIndex?: number;
  maxFailedIndexes?: number;
  managedBy?: string;
  podFailurePolicy?: { rules?: FailureRule[] };
  successPolicy?: { rules?: unknown[] };
};

const ACTIONS = ["Count", "FailIndex", "FailJob", "Ignore"];
/** More pods at once than the status of an indexed job could tell of. */
const MAX_INDEXED_PARALLELISM = 100_000;
const UID_LABEL = "batch.kubernetes.io/controller-uid";

export function validateJob(job: Job): FieldError[] {
  const spec = job.spec as FullSpec | undefined;
  if (!spec) return [required("spec.template")];
  const errors = validateJobSpec(spec, "spec");
  if (!spec.selector) errors.push(required("spec.selector"));
  else errors.push(...validateSelector(spec.selector, "spec.selector"));
  const { uid } = job.metadata;
  // Whose pods they are is told by the job's uid, unless somebody takes that on himself.
  if (!spec.manualSelector && spec.selector && uid && spec.selector.matchLabels?.[UID_LABEL] !== uid)
    errors.push(invalid("spec.selector", { matchLabels: { ...spec.selector.matchLabels, [UID_LABEL]: uid } }, "`selector` not auto-generated"));
  if (spec.selector && spec.template?.spec && !selectorMatches(spec.selector, spec.template.metadata?.labels)) {
    errors.push(invalid("spec.template.metadata.labels", spec.template.metadata?.labels ?? null, "`selector` does not match template `labels`"));
  }
  return errors;
}

function validateJobSpec(spec: FullSpec, field: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const name of ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished", "backoffLimitPerIndex"] as const)
    errors.push(...nonNegative(`${field}.${name}`, spec[name]));
  const { completionMode, completions, parallelism, backoffLimitPerIndex, managedBy, podReplacementPolicy, podFailurePolicy, successPolicy } = spec;
  const indexed = completionMode === "Indexed";
  if (managedBy !== undefined) errors.push(...invalids(`${field}.managedBy`, managedBy, domainPath(managedBy)));
  if (completionMode !== undefined && !indexed && completionMode !== "NonIndexed")
    errors.push(notSupported(`${field}.completionMode`, completionMode, ["NonIndexed", "Indexed"]));
  if (indexed && completions === undefined) errors.push(required(`${field}.completions`, "when completion mode is Indexed"));
  if (indexed && (parallelism ?? 0) > MAX_INDEXED_PARALLELISM)
    errors.push(invalid(`${field}.parallelism`, parallelism, `must be less than or equal to ${MAX_INDEXED_PARALLELISM} when completion mode is Indexed`));
  if (!indexed && backoffLimitPerIndex !== undefined)
    errors.push(invalid(`${field}.backoffLimitPerIndex`, backoffLimitPerIndex, "requires indexed completion mode"));
  if (podFailurePolicy)
    errors.push(...(podFailurePolicy.rules ?? []).flatMap((rule, index) => validateFailureRule(rule, `${field}.podFailurePolicy.rules[${index}]`)));
  if (successPolicy && !indexed) errors.push(invalid(`${field}.successPolicy`, { Rules: successPolicy.rules ?? null }, "requires indexed completion mode"));
  else if (successPolicy && !successPolicy.rules?.length)
    errors.push(required(`${field}.successPolicy.rules`, "at least one rules must be specified when the successPolicy is specified"));
  errors.push(...jobTemplate(spec.template, `${field}.template`, podFailurePolicy !== undefined));
  if (podReplacementPolicy !== undefined && podReplacementPolicy !== "Failed" && podReplacementPolicy !== "TerminatingOrFailed")
    errors.push(notSupported(`${field}.podReplacementPolicy`, podReplacementPolicy, ["Failed", "TerminatingOrFailed"]));
  return errors;
}

function validateFailureRule({ action = "", onExitCodes, onPodConditions = [] }: FailureRule, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (action === "") errors.push(required(`${field}.action`, `valid values: ${ACTIONS.map((one) => JSON.stringify(one)).join(", ")}`));
  else if (!ACTIONS.includes(action)) errors.push(notSupported(`${field}.action`, action, ACTIONS));
  if (onExitCodes) {
    const { operator = "", values = [] } = onExitCodes;
    const at = `${field}.onExitCodes`;
    if (operator === "") errors.push(required(`${at}.operator`, 'valid values: "In", "NotIn"'));
    else if (operator !== "In" && operator !== "NotIn") errors.push(notSupported(`${at}.operator`, operator, ["In", "NotIn"]));
    for (const [index, value] of values.entries()) {
      if (operator === "In" && value === 0) errors.push(invalid(`${at}.values[${index}]`, value, "must not be 0 for the In operator"));
      if (values.indexOf(value) < index) errors.push({ ...duplicate(`${at}.values[${index}]`, ""), message: `Duplicate value: ${value}` });
    }
    if (values.length === 0) errors.push(invalid(`${at}.values`, values, "at least one value is required"));
    else if (values.some((value, index) => index > 0 && value < (values[index - 1] ?? value))) errors.push(invalid(`${at}.values`, values, "must be ordered"));
  }
  for (const [index, { type = "", status = "" }] of onPodConditions.entries()) {
    const at = `${field}.onPodConditions[${index}]`;
    if (type === "") errors.push(required(`${at}.type`));
    if (status !== "" && !["False", "True", "Unknown"].includes(status)) errors.push(notSupported(`${at}.status`, status, ["False", "True", "Unknown"]));
  }
  const which = "specifying";
  // The real server forgets the value here.
  if (onExitCodes && onPodConditions.length > 0)
    errors.push({ type: "FieldValueInvalid", field, message: `Invalid value: ${which} both OnExitCodes and OnPodConditions is not supported` });
  else if (!onExitCodes && onPodConditions.length === 0)
    errors.push({ type: "FieldValueInvalid", field, message: `Invalid value: ${which} one of OnExitCodes and OnPodConditions is required` });
  return errors;
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

/** A CronJob's jobs get eleven characters behind its name, and a pod's name is a label. */
const MAX_CRON_JOB_NAME = 52;

export function validateCronJob(cronJob: CronJob): FieldError[] {
  const spec = cronJob.spec as
    | (NonNullable<CronJob["spec"]> & {
        startingDeadlineSeconds?: number;
        successfulJobsHistoryLimit?: number;
        failedJobsHistoryLimit?: number;
        timeZone?: string;
      })
    | undefined;
  if (!spec) return [required("spec.schedule")];
  const errors: FieldError[] = [];
  if (!spec.schedule) errors.push(required("spec.schedule"));
  else {
    const problem = /TZ/.test(spec.schedule) ? "cannot use TZ or CRON_TZ in schedule, use timeZone field instead" : scheduleProblem(spec.schedule);
    if (problem) errors.push(invalid("spec.schedule", spec.schedule, problem));
  }
  if (spec.timeZone !== undefined) {
    if (spec.timeZone === "") errors.push(invalid("spec.timeZone", "", "timeZone must be nil or non-empty string"));
    else if (!isTimeZone(spec.timeZone)) errors.push(invalid("spec.timeZone", spec.timeZone, `unknown time zone ${spec.timeZone}`));
  }
  errors.push(...nonNegative("spec.startingDeadlineSeconds", spec.startingDeadlineSeconds));
  errors.push(...oneOf("spec.concurrencyPolicy", spec.concurrencyPolicy, ["Allow", "Forbid", "Replace"]));
  const job = spec.jobTemplate?.spec as FullSpec | undefined;
  errors.push(...(job ? validateJobSpec(job, "spec.jobTemplate.spec") : [required("spec.jobTemplate.spec.template.spec.containers")]));
  errors.push(
    ...nonNegative("spec.successfulJobsHistoryLimit", spec.successfulJobsHistoryLimit),
    ...nonNegative("spec.failedJobsHistoryLimit", spec.failedJobsHistoryLimit),
  );
  if (cronJob.metadata.name && cronJob.metadata.name.length > MAX_CRON_JOB_NAME)
    errors.push(invalid("metadata.name", cronJob.metadata.name, `must be no more than ${MAX_CRON_JOB_NAME} characters`));
  return errors;
}

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone }).format(0);
    return true;
  } catch {
    return false;
  }
}

function jobTemplate(template: PodTemplate | undefined, field: string, failurePolicy: boolean): FieldError[] {
  const errors = validatePodTemplate(template, field);
  const policy = template?.spec?.restartPolicy;
  if (policy !== "OnFailure" && policy !== "Never") errors.push(required(`${field}.spec.restartPolicy`, 'valid values: "OnFailure", "Never"'));
  else if (failurePolicy && policy !== "Never")
    errors.push(invalid(`${field}.spec.restartPolicy`, policy, 'only "Never" is supported when podFailurePolicy is specified'));
  return errors;
}
