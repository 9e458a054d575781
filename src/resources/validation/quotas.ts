import { canonicalQuantity, parseQuantity } from "../defaults/quantity.ts";
import type { FieldError, KubeObject } from "../types.ts";
import { duplicate, invalid, invalids } from "./field.ts";
import { qualifiedName } from "./names.ts";

type Amounts = Record<string, string | number>;

interface Limit {
  type?: string;
  max?: Amounts;
  min?: Amounts;
  default?: Amounts;
  defaultRequest?: Amounts;
}

const SCOPES = new Set(["Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity", "VolumeAttributesClass"]);
/** What can be counted or summed up without naming a domain. */
const COUNTED = new Set([
  "cpu",
  "memory",
  "ephemeral-storage",
  "storage",
  "requests.cpu",
  "requests.memory",
  "requests.storage",
  "requests.ephemeral-storage",
  "limits.cpu",
  "limits.memory",
  "limits.ephemeral-storage",
  "pods",
  "resourcequotas",
  "services",
  "replicationcontrollers",
  "secrets",
  "persistentvolumeclaims",
  "configmaps",
  "services.nodeports",
  "services.loadbalancers",
]);

export function validateResourceQuota(quota: KubeObject): FieldError[] {
  const { hard = {}, scopes = [] } = (quota.spec ?? {}) as { hard?: Amounts; scopes?: string[] };
  const errors = Object.entries(hard).flatMap(([name, amount]) => {
    const field = `spec.hard[${name}]`;
    const own = invalids(field, name, qualifiedName(name));
    const known = name.includes("/") || COUNTED.has(name) || /^(requests\.)?hugepages-/.test(name);
    if (!known)
      own.push(invalid(field, name, "must be a standard resource type or fully qualified"), invalid(field, name, "must be a standard resource for quota"));
    const quantity = parseQuantity(String(amount));
    if (quantity && quantity.nanos < 0n) own.push(invalid(field, canonicalQuantity(amount), "must be greater than or equal to 0"));
    return own;
  });
  if (scopes.some((scope) => !SCOPES.has(scope))) errors.push(invalid("spec.scopes", scopes, "unsupported scope"));
  return errors;
}

export function validateLimitRange(range: KubeObject): FieldError[] {
  const { limits = [] } = (range.spec ?? {}) as { limits?: Limit[] };
  const seen = new Set<string>();
  return limits.flatMap((limit, index) => {
    const field = `spec.limits[${index}]`;
    const { type = "" } = limit;
    const errors = invalids(`${field}.type`, type, qualifiedName(type));
    if (seen.has(type)) return [...errors, duplicate(`${field}.type`, type)];
    seen.add(type);
    const names = new Set([limit.max, limit.min, limit.default, limit.defaultRequest].flatMap((amounts) => Object.keys(amounts ?? {})));
    return [...errors, ...[...names].flatMap((name) => ordered(limit, name, field))];
  });
}

/** Minimum, default request, default and maximum of one resource rise in that order. */
function ordered(limit: Limit, name: string, field: string): FieldError[] {
  const errors: FieldError[] = [];
  const compare = (low: keyof Omit<Limit, "type">, high: keyof Omit<Limit, "type">, at: string, shown: keyof Omit<Limit, "type">, words: [string, string]) => {
    const [a, b] = [limit[low]?.[name], limit[high]?.[name]];
    const [lower, upper] = [parseQuantity(String(a ?? "")), parseQuantity(String(b ?? ""))];
    if (!lower || !upper || lower.nanos <= upper.nanos) return;
    errors.push(
      invalid(
        `${field}.${at}[${name}]`,
        canonicalQuantity(limit[shown]?.[name]),
        `${words[0]} value ${String(canonicalQuantity(a))} is greater than ${words[1]} value ${String(canonicalQuantity(b))}`,
      ),
    );
  };
  compare("min", "max", "min", "min", ["min", "max"]);
  compare("min", "defaultRequest", "defaultRequest", "defaultRequest", ["min", "default request"]);
  compare("defaultRequest", "max", "defaultRequest", "defaultRequest", ["default request", "max"]);
  compare("defaultRequest", "default", "defaultRequest", "defaultRequest", ["default request", "default limit"]);
  compare("min", "default", "default", "min", ["min", "default"]);
  compare("default", "max", "default", "max", ["default", "max"]);
  return errors;
}
