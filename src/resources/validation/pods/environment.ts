import type { Container, EnvVar } from "../../core.ts";
import { parseQuantity } from "../../defaults/quantity.ts";
import type { FieldError } from "../../types.ts";
import { forbidden, invalid, invalids, notSupported, required } from "../field.ts";
import { configKey, dns1123Subdomain, environmentName, qualifiedName } from "../names.ts";

interface FieldRef {
  apiVersion?: string;
  fieldPath?: string;
}

interface ResourceRef {
  containerName?: string;
  resource?: string;
  divisor?: string | number;
}

const ENV_FIELDS = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];
const FILE_FIELDS = ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
/** What can be named at all, wherever it may be used. */
const KNOWN_FIELDS = new Set([...ENV_FIELDS, ...FILE_FIELDS, "spec.restartPolicy", "spec.schedulerName", "spec.hostNetwork", "status.phase"]);
const RESOURCES = ["limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"];
const DIVISORS: Record<string, string[]> = {
  cpu: ["1m", "1"],
  memory: ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"],
  "ephemeral-storage": ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"],
};

export function validateEnv({ name, value, valueFrom }: EnvVar, field: string): FieldError[] {
  const errors = name ? invalids(`${field}.name`, name, environmentName(name)) : [required(`${field}.name`)];
  if (!valueFrom) return errors;
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom as {
    fieldRef?: FieldRef;
    resourceFieldRef?: ResourceRef;
    configMapKeyRef?: KeyRef;
    secretKeyRef?: KeyRef;
  };
  const at = `${field}.valueFrom`;
  if (fieldRef) errors.push(...validateFieldRef(fieldRef, `${at}.fieldRef`, ENV_FIELDS));
  if (resourceFieldRef) errors.push(...validateResourceRef(resourceFieldRef, `${at}.resourceFieldRef`, false));
  if (configMapKeyRef) errors.push(...validateKeyRef(configMapKeyRef, `${at}.configMapKeyRef`));
  if (secretKeyRef) errors.push(...validateKeyRef(secretKeyRef, `${at}.secretKeyRef`));
  const sources = [fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef].filter(Boolean).length;
  if (sources === 0) errors.push(invalid(at, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"));
  else if (value) errors.push(invalid(at, "", "may not be specified when `value` is not empty"));
  else if (sources > 1) errors.push(invalid(at, "", "may not have more than one field specified at a time"));
  return errors;
}

type EnvFrom = NonNullable<Container["envFrom"]>[number];

export function validateEnvFrom(sources: readonly EnvFrom[], field: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, { prefix, configMapRef, secretRef }] of sources.entries()) {
    const at = `${field}[${index}]`;
    if (prefix) errors.push(...invalids(`${at}.prefix`, prefix, environmentName(prefix)));
    for (const [kind, ref] of Object.entries({ configMapRef, secretRef })) {
      if (ref) errors.push(...(ref.name ? invalids(`${at}.${kind}.name`, ref.name, dns1123Subdomain(ref.name)) : [required(`${at}.${kind}.name`)]));
    }
    if (!configMapRef && !secretRef) errors.push(invalid(field, "", "must specify one of: `configMapRef` or `secretRef`"));
    else if (configMapRef && secretRef) errors.push(invalid(field, "", "may not have more than one field specified at a time"));
  }
  return errors;
}

interface KeyRef {
  name?: string;
  key?: string;
}

function validateKeyRef({ name = "", key }: KeyRef, field: string): FieldError[] {
  // An empty name is let pass by accident of history: it names nothing, and is told of by its form.
  const errors = invalids(`${field}.name`, name, dns1123Subdomain(name));
  return [...errors, ...(key ? invalids(`${field}.key`, key, configKey(key)) : [required(`${field}.key`)])];
}

/** A file of the downward API: one field, or one resource of a container. */
export function validateDownwardFile(file: { path?: string; mode?: number; fieldRef?: FieldRef; resourceFieldRef?: ResourceRef }, field: string): FieldError[] {
  const { path, fieldRef, resourceFieldRef } = file;
  const errors = path ? descendingPath(path, `${field}.path`) : [required(`${field}.path`)];
  if (fieldRef) {
    errors.push(...validateFieldRef(fieldRef, `${field}.fieldRef`, FILE_FIELDS));
    if (resourceFieldRef) errors.push(invalid(field, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"));
  } else if (resourceFieldRef) errors.push(...validateResourceRef(resourceFieldRef, `${field}.resourceFieldRef`, true));
  else errors.push(required(field, "one of fieldRef and resourceFieldRef is required"));
  return [...errors, ...fileMode(file.mode, `${field}.mode`)];
}

export function fileMode(mode: number | undefined, field: string): FieldError[] {
  return mode !== undefined && (mode < 0 || mode > 0o777) ? [invalid(field, mode, "must be a number between 0 and 0777 (octal), both inclusive")] : [];
}

/** A path below its place, which does not climb out of it. */
export function descendingPath(path: string, field: string): FieldError[] {
  const errors = path.startsWith("/") ? [invalid(field, path, "must be a relative path")] : [];
  return [...errors, ...noClimbing(path, field)];
}

export function noClimbing(path: string, field: string): FieldError[] {
  return path.split("/").includes("..") ? [invalid(field, path, "must not contain '..'")] : [];
}

function validateFieldRef({ apiVersion = "v1", fieldPath = "" }: FieldRef, field: string, allowed: readonly string[]): FieldError[] {
  if (apiVersion === "") return [required(`${field}.apiVersion`)];
  if (fieldPath === "") return [required(`${field}.fieldPath`)];
  const problem = (why: string) => [invalid(`${field}.fieldPath`, fieldPath, `error converting fieldPath: ${why}`)];
  if (apiVersion !== "v1") return problem(`unsupported pod version: ${apiVersion}`);
  const [, path, key] = /^(.+)\['(.*)'\]$/.exec(fieldPath) ?? [];
  if (path !== undefined && key !== undefined) {
    if (path === "metadata.annotations") return invalids(field, key, qualifiedName(key.toLowerCase()));
    if (path === "metadata.labels") return invalids(field, key, qualifiedName(key));
    return KNOWN_FIELDS.has(path) ? [invalid(field, path, "does not support subscript")] : problem(`field label does not support subscript: ${fieldPath}`);
  }
  if (!KNOWN_FIELDS.has(fieldPath)) return problem(`field label not supported: ${fieldPath}`);
  return allowed.includes(fieldPath) ? [] : [notSupported(`${field}.fieldPath`, fieldPath, allowed)];
}

function validateResourceRef({ containerName, resource = "", divisor }: ResourceRef, field: string, inFile: boolean): FieldError[] {
  const hugePages = /^(limits|requests)\.hugepages-/.test(resource);
  const errors: FieldError[] = [];
  if (inFile && !containerName) errors.push(required(`${field}.containerName`));
  else if (resource === "") errors.push(required(`${field}.resource`));
  else if (!RESOURCES.includes(resource) && !hugePages) errors.push(notSupported(`${field}.resource`, resource, RESOURCES));
  const [, kind = ""] = resource.split(".");
  const wanted = DIVISORS[kind];
  const amount = divisor === undefined ? undefined : parseQuantity(String(divisor));
  if (wanted && amount && amount.nanos !== 0n && !wanted.some((one) => parseQuantity(one)?.nanos === amount.nanos)) {
    const values = kind === "cpu" ? "1m and 1" : wanted.join(", ");
    errors.push(
      invalid(
        `${field}.divisor`,
        resource,
        `only divisor's values ${values} are supported with the ${kind === "ephemeral-storage" ? "local ephemeral storage" : kind} resource`,
      ),
    );
  }
  return errors;
}

/** Mounts of a volume by name, as one list. */
export function onlyOne(field: string): FieldError {
  return forbidden(field, "may not specify more than 1 volume type");
}
