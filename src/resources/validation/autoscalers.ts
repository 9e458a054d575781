import type { FieldError, KubeObject } from "../types.ts";
import { parseQuantity } from "../defaults/quantity.ts";
import { forbidden, invalid, invalids, notSupported, required } from "./field.ts";
import { pathSegment } from "./names.ts";

interface Target {
  type?: string;
  averageUtilization?: number;
  averageValue?: string | number;
  value?: string | number;
}

interface Metric {
  name?: string;
}

interface Source {
  name?: string;
  container?: string;
  metric?: Metric;
  target?: Target;
  describedObject?: Reference;
}

interface Reference {
  apiVersion?: string;
  kind?: string;
  name?: string;
}

interface Rules {
  stabilizationWindowSeconds?: number;
  selectPolicy?: string;
  policies?: { type?: string; value?: number; periodSeconds?: number }[];
}

interface Spec {
  minReplicas?: number;
  maxReplicas?: number;
  scaleTargetRef?: Reference;
  metrics?: ({ type?: string } & Record<string, Source | string | undefined>)[];
  behavior?: { scaleUp?: Rules; scaleDown?: Rules };
}

const METRICS: Record<string, string> = { ContainerResource: "containerResource", External: "external", Object: "object", Pods: "pods", Resource: "resource" };
/** An hour: further back nobody looks. */
const MAX_WINDOW_SECONDS = 3600;
/** Half an hour. */
const MAX_PERIOD_SECONDS = 1800;

export function validateAutoscaler(autoscaler: KubeObject): FieldError[] {
  const { minReplicas, maxReplicas = 0, scaleTargetRef = {}, metrics = [], behavior = {} } = (autoscaler.spec ?? {}) as Spec;
  const errors: FieldError[] = [];
  if (minReplicas !== undefined && minReplicas < 1) errors.push(invalid("spec.minReplicas", minReplicas, "must be greater than or equal to 1"));
  if (maxReplicas < 1) errors.push(invalid("spec.maxReplicas", maxReplicas, "must be greater than 0"));
  if (minReplicas !== undefined && maxReplicas < minReplicas)
    errors.push(invalid("spec.maxReplicas", maxReplicas, "must be greater than or equal to `minReplicas`"));
  errors.push(...validateReference(scaleTargetRef, "spec.scaleTargetRef"));
  for (const [index, metric] of metrics.entries()) errors.push(...validateMetric(metric, `spec.metrics[${index}]`));
  for (const name of ["scaleUp", "scaleDown"] as const) {
    const rules = behavior[name];
    if (rules) errors.push(...validateRules(rules, `spec.behavior.${name}`));
  }
  return errors;
}

function validateReference({ apiVersion = "", kind = "", name = "" }: Reference, field: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [part, value] of Object.entries({ kind, name }))
    errors.push(...(value === "" ? [required(`${field}.${part}`)] : invalids(`${field}.${part}`, value, pathSegment(value))));
  // Only replication controllers are of the core group and can be scaled.
  if (apiVersion === "" || (apiVersion === "v1" && kind !== "ReplicationController"))
    errors.push(invalid(`${field}.apiVersion`, apiVersion, "apiVersion must specify API group"));
  return errors;
}

function validateMetric(metric: NonNullable<Spec["metrics"]>[number], field: string): FieldError[] {
  const { type = "" } = metric;
  if (type === "") return [required(`${field}.type`, "must specify a metric source type")];
  const own = METRICS[type];
  if (own === undefined) return [notSupported(`${field}.type`, type, Object.keys(METRICS))];
  const errors: FieldError[] = [];
  const source = metric[own] as Source | undefined;
  if (!source) errors.push(required(`${field}.${own}`, "must populate information for the given metric source"));
  for (const other of Object.values(METRICS))
    if (other !== own && metric[other] !== undefined) errors.push(forbidden(`${field}.${other}`, "must populate the given metric source only"));
  return source ? [...errors, ...validateSource(source, own, `${field}.${own}`)] : errors;
}

function validateSource(source: Source, type: string, field: string): FieldError[] {
  const { target = {} } = source;
  const errors: FieldError[] = [];
  if (type === "resource" || type === "containerResource") {
    if (!source.name) errors.push(required(`${field}.name`, "must specify a resource name"));
    if (type === "containerResource" && !source.container) errors.push(required(`${field}.container`, "must specify a container"));
  } else if (!source.metric?.name) errors.push(required(`${field}.metric.name`, "must specify a metric name"));
  errors.push(...validateTarget(target, `${field}.target`));
  const at = `${field}.target`;
  if ((type === "resource" || type === "containerResource") && target.averageUtilization === undefined && target.averageValue === undefined)
    errors.push(required(`${at}.averageUtilization`, "must set either a target raw value or a target utilization"));
  if (type === "pods" && target.averageValue === undefined) errors.push(required(`${at}.averageValue`, "must specify a positive target averageValue"));
  if ((type === "object" || type === "external") && target.value === undefined && target.averageValue === undefined)
    errors.push(required(`${at}.averageValue`, "must set either a target value or averageValue"));
  return errors;
}

function validateTarget({ type = "", averageUtilization, averageValue, value }: Target, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (type === "") errors.push(required(`${field}.type`, "must specify a metric target type"));
  else if (!["Utilization", "Value", "AverageValue"].includes(type))
    errors.push(invalid(`${field}.type`, type, "must be either Utilization, Value, or AverageValue"));
  if (averageUtilization !== undefined && averageUtilization < 1)
    errors.push(invalid(`${field}.averageUtilization`, averageUtilization, "must be greater than 0"));
  for (const [name, amount] of Object.entries({ value, averageValue })) {
    if (amount !== undefined && (parseQuantity(String(amount))?.nanos ?? 0n) <= 0n)
      errors.push(invalid(`${field}.${name}`, String(amount), "must be positive"));
  }
  return errors;
}

function validateRules({ stabilizationWindowSeconds: window, selectPolicy, policies = [] }: Rules, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (window !== undefined && window < 0) errors.push(invalid(`${field}.stabilizationWindowSeconds`, window, "must be greater than or equal to zero"));
  if (window !== undefined && window > MAX_WINDOW_SECONDS)
    errors.push(invalid(`${field}.stabilizationWindowSeconds`, window, `must be less than or equal to ${MAX_WINDOW_SECONDS}`));
  if (selectPolicy !== undefined && !["Disabled", "Max", "Min"].includes(selectPolicy))
    errors.push(notSupported(`${field}.selectPolicy`, selectPolicy, ["Disabled", "Max", "Min"]));
  if (policies.length === 0) errors.push(required(`${field}.policies`, "must specify at least one Policy"));
  for (const [index, { type = "", value = 0, periodSeconds = 0 }] of policies.entries()) {
    const at = `${field}.policies[${index}]`;
    if (type !== "Percent" && type !== "Pods") errors.push(notSupported(`${at}.type`, type, ["Percent", "Pods"]));
    if (value <= 0) errors.push(invalid(`${at}.value`, value, "must be greater than zero"));
    if (periodSeconds <= 0) errors.push(invalid(`${at}.periodSeconds`, periodSeconds, "must be greater than zero"));
    if (periodSeconds > MAX_PERIOD_SECONDS) errors.push(invalid(`${at}.periodSeconds`, periodSeconds, `must be less than or equal to ${MAX_PERIOD_SECONDS}`));
  }
  return errors;
}
