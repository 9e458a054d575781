import type { LabelSelector, FieldError } from "../../types.ts";
import { duplicate, forbidden, invalid, invalids, notSupported, required } from "../field.ts";
import { validateSelector } from "../metadata.ts";
import { dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from "../names.ts";

interface Toleration {
  key?: string;
  operator?: string;
  value?: string;
  effect?: string;
  tolerationSeconds?: number;
}

const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

export function validateTolerations(tolerations: readonly Toleration[], field: string): FieldError[] {
  return tolerations.flatMap(({ key, operator = "", value = "", effect, tolerationSeconds }, index) => {
    const at = `${field}[${index}]`;
    const errors: FieldError[] = [];
    if (key) errors.push(...invalids(`${at}.key`, key, qualifiedName(key)));
    else if (operator !== "Exists")
      errors.push(invalid(`${at}.operator`, operator, 'operator must be Exists when `key` is empty, which means "match all values and all keys"'));
    if (tolerationSeconds !== undefined && effect !== "NoExecute")
      errors.push(invalid(`${at}.effect`, effect ?? "", "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    if (operator === "Equal" || operator === "") {
      const problems = labelValue(value);
      if (problems.length > 0) errors.push(invalid(`${at}.operator`, value, problems.join(";")));
    } else if (operator === "Exists") {
      if (value !== "") errors.push(invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"));
    } else errors.push(notSupported(`${at}.operator`, operator, ["Equal", "Exists"]));
    if (effect && !EFFECTS.includes(effect)) errors.push(notSupported(`${at}.effect`, effect, EFFECTS));
    return errors;
  });
}

interface Spread {
  maxSkew?: number;
  topologyKey?: string;
  whenUnsatisfiable?: string;
  minDomains?: number;
  nodeAffinityPolicy?: string;
  nodeTaintsPolicy?: string;
  labelSelector?: LabelSelector;
}

const ACTIONS = ["DoNotSchedule", "ScheduleAnyway"];

export function validateSpread(constraints: readonly Spread[], field: string): FieldError[] {
  return constraints.flatMap((constraint, index) => {
    const at = `${field}[${index}]`;
    const { maxSkew = 0, topologyKey = "", whenUnsatisfiable = "", minDomains, labelSelector } = constraint;
    const errors: FieldError[] = [];
    if (maxSkew <= 0) errors.push(invalid(`${at}.maxSkew`, maxSkew, "must be greater than zero"));
    if (topologyKey === "") errors.push(required(`${at}.topologyKey`, "can not be empty"));
    if (!ACTIONS.includes(whenUnsatisfiable)) errors.push(notSupported(`${at}.whenUnsatisfiable`, whenUnsatisfiable, ACTIONS));
    if (constraints.slice(index + 1).some((other) => other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable)) {
      errors.push(duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, `{${topologyKey}, ${whenUnsatisfiable}}`));
    }
    if (minDomains !== undefined) {
      if (minDomains <= 0) errors.push(invalid(`${at}.minDomains`, minDomains, "must be greater than zero"));
      if (whenUnsatisfiable !== "DoNotSchedule")
        errors.push(invalid(`${at}.minDomains`, minDomains, `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`));
    }
    for (const name of ["nodeAffinityPolicy", "nodeTaintsPolicy"] as const) {
      const policy = constraint[name];
      if (policy !== undefined && policy !== "Honor" && policy !== "Ignore") errors.push(notSupported(`${at}.${name}`, policy, ["Honor", "Ignore"]));
    }
    return [...errors, ...validateSelector(labelSelector, `${at}.labelSelector`)];
  });
}

interface Requirement {
  key?: string;
  operator?: string;
  values?: string[];
}

interface NodeTerm {
  matchExpressions?: Requirement[];
  matchFields?: Requirement[];
}

interface PodTerm {
  labelSelector?: LabelSelector;
  namespaceSelector?: LabelSelector;
  namespaces?: string[];
  topologyKey?: string;
}

interface PodAffinity {
  requiredDuringSchedulingIgnoredDuringExecution?: PodTerm[];
  preferredDuringSchedulingIgnoredDuringExecution?: { weight?: number; podAffinityTerm?: PodTerm }[];
}

export interface Affinity {
  nodeAffinity?: {
    requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms?: NodeTerm[] };
    preferredDuringSchedulingIgnoredDuringExecution?: { weight?: number; preference?: NodeTerm }[];
  };
  podAffinity?: PodAffinity;
  podAntiAffinity?: PodAffinity;
}

const HARD = "requiredDuringSchedulingIgnoredDuringExecution";
const SOFT = "preferredDuringSchedulingIgnoredDuringExecution";

export function validateAffinity({ nodeAffinity, podAffinity, podAntiAffinity }: Affinity, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (nodeAffinity) {
    const at = `${field}.nodeAffinity`;
    const hard = nodeAffinity[HARD];
    if (hard) errors.push(...validateNodeSelector(hard, `${at}.${HARD}`));
    for (const [index, { weight = 0, preference = {} }] of (nodeAffinity[SOFT] ?? []).entries()) {
      errors.push(...validateWeight(weight, `${at}.${SOFT}[${index}].weight`), ...validateNodeTerm(preference, `${at}.${SOFT}[${index}].preference`));
    }
  }
  if (podAffinity) errors.push(...validatePodAffinity(podAffinity, `${field}.podAffinity`));
  if (podAntiAffinity) errors.push(...validatePodAffinity(podAntiAffinity, `${field}.podAntiAffinity`));
  return errors;
}

/** Which nodes will do: also where a volume can be reached. */
export function validateNodeSelector({ nodeSelectorTerms = [] }: { nodeSelectorTerms?: NodeTerm[] }, field: string): FieldError[] {
  if (nodeSelectorTerms.length === 0) return [required(`${field}.nodeSelectorTerms`, "must have at least one node selector term")];
  return nodeSelectorTerms.flatMap((term, index) => validateNodeTerm(term, `${field}.nodeSelectorTerms[${index}]`));
}

function validateNodeTerm({ matchExpressions = [], matchFields = [] }: NodeTerm, field: string): FieldError[] {
  return [
    ...matchExpressions.flatMap((requirement, index) => validateRequirement(requirement, `${field}.matchExpressions[${index}]`)),
    ...matchFields.flatMap(({ key = "", operator = "", values = [] }, index) => {
      const at = `${field}.matchFields[${index}]`;
      const errors: FieldError[] = [];
      if (operator !== "In" && operator !== "NotIn") errors.push(invalid(`${at}.operator`, operator, "not a valid selector operator"));
      else if (values.length !== 1) errors.push(required(`${at}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"));
      if (key !== "metadata.name") return [...errors, invalid(`${at}.key`, key, "not a valid field selector key")];
      return [...errors, ...values.flatMap((value, at2) => invalids(`${at}.values[${at2}]`, value, dns1123Subdomain(value)))];
    }),
  ];
}

function validateRequirement({ key = "", operator = "", values = [] }: Requirement, field: string): FieldError[] {
  const errors: FieldError[] = [];
  switch (operator) {
    case "In":
    case "NotIn":
      if (values.length === 0) errors.push(required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
      break;
    case "Exists":
    case "DoesNotExist":
      if (values.length > 0) errors.push(forbidden(`${field}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
      break;
    case "Gt":
    case "Lt":
      if (values.length !== 1) errors.push(required(`${field}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
      break;
    default:
      errors.push(invalid(`${field}.operator`, operator, "not a valid selector operator"));
  }
  return [
    ...errors,
    ...invalids(`${field}.key`, key, qualifiedName(key)),
    ...values.flatMap((value, index) => invalids(`${field}.values[${index}]`, value, labelValue(value))),
  ];
}

function validatePodAffinity(affinity: PodAffinity, field: string): FieldError[] {
  return [
    ...(affinity[HARD] ?? []).flatMap((term, index) => validatePodTerm(term, `${field}.${HARD}[${index}]`)),
    ...(affinity[SOFT] ?? []).flatMap(({ weight = 0, podAffinityTerm = {} }, index) => {
      const at = `${field}.${SOFT}[${index}]`;
      return [...validateWeight(weight, `${at}.weight`), ...validatePodTerm(podAffinityTerm, `${at}.podAffinityTerm`)];
    }),
  ];
}

function validatePodTerm({ labelSelector, namespaceSelector, namespaces = [], topologyKey = "" }: PodTerm, field: string): FieldError[] {
  const errors = [...validateSelector(labelSelector, `${field}.labelSelector`), ...validateSelector(namespaceSelector, `${field}.namespaceSelector`)];
  for (const name of namespaces) errors.push(...invalids(`${field}.namespace`, name, dns1123Label(name)));
  if (topologyKey === "") errors.push(required(`${field}.topologyKey`, "can not be empty"));
  return [...errors, ...invalids(`${field}.topologyKey`, topologyKey, qualifiedName(topologyKey))];
}

function validateWeight(weight: number, field: string): FieldError[] {
  return weight >= 1 && weight <= 100 ? [] : [invalid(field, weight, "must be in the range 1-100")];
}
