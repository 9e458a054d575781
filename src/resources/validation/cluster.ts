import type { ConfigMap, CrdSpec, CustomResourceDefinition, Role, RoleBinding, Secret, Webhook, WebhookConfiguration } from "../core.ts";
import type { FieldError, KubeObject, Schema } from "../types.ts";
import { duplicate, forbidden, immutable, invalid, invalids, notSupported, oneOf, required, sameJson, tooLong, Unique } from "./field.ts";
import { validateSelector } from "./metadata.ts";
import { configKey, dns1035Label, dns1123Subdomain, labelValue, qualifiedName } from "./names.ts";

/** etcd's and Kubernetes' limit of a ConfigMap or Secret. */
const MAX_DATA_BYTES = 1024 * 1024;

export function validateConfigMap(map: ConfigMap): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(map.data ?? {})) {
    errors.push(...invalids(`data[${key}]`, key, configKey(key)));
    if (map.binaryData && Object.hasOwn(map.binaryData, key)) errors.push(invalid(`data[${key}]`, key, "duplicate of key present in binaryData"));
    size += Buffer.byteLength(value);
  }
  for (const [key, value] of Object.entries(map.binaryData ?? {})) {
    errors.push(...invalids(`binaryData[${key}]`, key, configKey(key)));
    size += Math.floor((value.length * 3) / 4);
  }
  if (size > MAX_DATA_BYTES) errors.push(tooLong("", MAX_DATA_BYTES));
  return errors;
}

/** What is marked immutable stays as it is, the mark included. */
export function validateImmutableData(object: KubeObject, old: KubeObject): FieldError[] {
  if (old["immutable"] !== true) return [];
  const errors: FieldError[] = [];
  if (object["immutable"] !== true) errors.push(forbidden("immutable", "field is immutable when `immutable` is set"));
  for (const field of ["data", "binaryData"]) if (!sameJson(object[field], old[field])) errors.push(forbidden(field, "field is immutable when `immutable` is set"));
  return errors;
}

const NEEDED_KEYS: Record<string, string[]> = {
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
};

export function validateSecret(secret: Secret): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(secret.data ?? {})) {
    errors.push(...invalids(`data[${key}]`, key, configKey(key)));
    size += Math.floor((value.length * 3) / 4);
  }
  if (size > MAX_DATA_BYTES) errors.push(tooLong("data", MAX_DATA_BYTES));
  for (const key of NEEDED_KEYS[secret.type ?? ""] ?? []) if (secret.data?.[key] === undefined) errors.push(required(`data[${key}]`));
  if (secret.type === "kubernetes.io/service-account-token" && !secret.metadata.annotations?.["kubernetes.io/service-account.name"]) {
    errors.push(required("metadata.annotations[kubernetes.io/service-account.name]"));
  }
  return errors;
}

export function validateSecretUpdate(secret: Secret, old: Secret): FieldError[] {
  return [...(secret.type === old.type ? [] : [immutable("type", secret.type)]), ...validateImmutableData(secret, old)];
}

export function validateRole(role: Role): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, rule] of (role.rules ?? []).entries()) {
    const field = `rules[${index}]`;
    if (!rule.verbs?.length) errors.push(required(`${field}.verbs`, "verbs must contain at least one value"));
    if (rule.nonResourceURLs?.length) {
      if (role.kind === "Role") errors.push(invalid(`${field}.nonResourceURLs`, rule.nonResourceURLs, "namespaced rules cannot apply to non-resource URLs"));
      if (rule.apiGroups?.length || rule.resources?.length || rule.resourceNames?.length) {
        errors.push(invalid(`${field}.nonResourceURLs`, rule.nonResourceURLs, "rules cannot apply to both regular resources and non-resource URLs"));
      }
      continue;
    }
    if (!rule.apiGroups?.length) errors.push(required(`${field}.apiGroups`, "resource rules must supply at least one api group"));
    if (!rule.resources?.length) errors.push(required(`${field}.resources`, "resource rules must supply at least one resource"));
  }
  return errors;
}

export function validateRoleBinding(binding: RoleBinding): FieldError[] {
  const errors: FieldError[] = [];
  const namespaced = binding.kind === "RoleBinding";
  errors.push(...oneOf("roleRef.kind", binding.roleRef?.kind, namespaced ? ["Role", "ClusterRole"] : ["ClusterRole"]));
  if (!binding.roleRef?.name) errors.push(required("roleRef.name"));
  for (const [index, subject] of (binding.subjects ?? []).entries()) {
    const field = `subjects[${index}]`;
    if (!subject.name) errors.push(required(`${field}.name`));
    errors.push(...oneOf(`${field}.kind`, subject.kind, ["ServiceAccount", "User", "Group"]));
    if (subject.kind === "ServiceAccount" && !namespaced && !subject.namespace) errors.push(required(`${field}.namespace`));
  }
  return errors;
}

export function validateRoleBindingUpdate(binding: RoleBinding, old: RoleBinding): FieldError[] {
  return sameJson(binding.roleRef, old.roleRef) ? [] : [invalid("roleRef", { APIGroup: binding.roleRef.apiGroup, Kind: binding.roleRef.kind, Name: binding.roleRef.name }, "cannot change roleRef")];
}

interface Taint {
  key?: string;
  value?: string;
  effect?: string;
}

export function validateNode(node: KubeObject): FieldError[] {
  const { taints = [] } = (node.spec ?? {}) as { taints?: Taint[] };
  const seen = new Set<string>();
  return taints.flatMap(({ key = "", value = "", effect = "" }, index) => {
    const field = `metadata.taints[${index}]`;
    const errors = [...invalids(`${field}.key`, key, qualifiedName(key)), ...invalids(`${field}.value`, value, labelValue(value))];
    if (effect === "") errors.push(required(`${field}.effect`));
    else if (!EFFECTS.includes(effect)) errors.push(notSupported(`${field}.effect`, effect, EFFECTS));
    if (seen.has(`${key}/${effect}`)) errors.push({ ...duplicate(field, { key, value, effect }), message: `Duplicate value: ${JSON.stringify({ key, ...(value ? { value } : {}), effect })}: taints must be unique by key and effect pair` });
    seen.add(`${key}/${effect}`);
    return errors;
  });
}

const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

export function validateNodeUpdate(node: KubeObject, old: KubeObject): FieldError[] {
  const ranges = ({ spec }: KubeObject) => (spec as { podCIDRs?: string[] } | undefined)?.podCIDRs ?? [];
  return ranges(old).length > 0 && !sameJson(ranges(node), ranges(old)) ? [forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')] : [];
}

export function validateEvent(event: KubeObject): FieldError[] {
  const { involvedObject = {} } = event as KubeObject & { involvedObject?: { namespace?: string } };
  const own = event.metadata.namespace ?? "";
  const about = involvedObject.namespace ?? "";
  // What has no namespace is told of in the default one.
  return about === own || (about === "" && own === "default") ? [] : [invalid("involvedObject.namespace", about, "does not match event.namespace")];
}

export function validateWebhooks(configuration: WebhookConfiguration): FieldError[] {
  const names = new Unique();
  return (configuration.webhooks ?? []).flatMap((webhook, index) => [
    ...validateWebhook(webhook, `webhooks[${index}]`),
    ...names.check(`webhooks[${index}].name`, webhook.name),
  ]);
}

function validateWebhook(webhook: Webhook, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!webhook.name) errors.push(required(`${field}.name`));
  else {
    const problems = dns1123Subdomain(webhook.name);
    errors.push(...invalids(`${field}.name`, webhook.name, problems));
    if (problems.length === 0 && webhook.name.split(".").length < 3) errors.push(invalid(`${field}.name`, webhook.name, "should be a domain with at least three segments separated by dots"));
  }
  if (!webhook.admissionReviewVersions?.length) errors.push(required(`${field}.admissionReviewVersions`, "must specify one of v1, v1beta1"));
  else if (!webhook.admissionReviewVersions.some((version) => version === "v1" || version === "v1beta1")) {
    errors.push(invalid(`${field}.admissionReviewVersions`, webhook.admissionReviewVersions, "must include at least one of v1, v1beta1"));
  }
  if (!webhook.sideEffects) errors.push(required(`${field}.sideEffects`, "must specify one of None, NoneOnDryRun"));
  else errors.push(...oneOf(`${field}.sideEffects`, webhook.sideEffects, ["None", "NoneOnDryRun"]));
  if (webhook.failurePolicy) errors.push(...oneOf(`${field}.failurePolicy`, webhook.failurePolicy, ["Fail", "Ignore"]));
  const seconds = webhook.timeoutSeconds;
  if (seconds !== undefined && (seconds < 1 || seconds > 30)) errors.push(invalid(`${field}.timeoutSeconds`, seconds, "the timeout value must be between 1 and 30 seconds"));
  errors.push(...validateSelector(webhook.namespaceSelector, `${field}.namespaceSelector`), ...validateSelector(webhook.objectSelector, `${field}.objectSelector`));
  const { url, service } = webhook.clientConfig ?? {};
  if ((url === undefined) === (service === undefined)) errors.push(required(`${field}.clientConfig`, "exactly one of url or service is required"));
  if (url !== undefined && !/^https:\/\/[^/]+/.test(url)) errors.push(invalid(`${field}.clientConfig.url`, url, "'https' is the only allowed URL scheme; desired format: https://host[/path]"));
  if (service) {
    if (!service.name) errors.push(required(`${field}.clientConfig.service.name`, "service name is required"));
    if (!service.namespace) errors.push(required(`${field}.clientConfig.service.namespace`, "service namespace is required"));
  }
  return errors;
}

export function validateCrd(crd: CustomResourceDefinition): FieldError[] {
  const spec = crd.spec as CrdSpec | undefined;
  if (!spec?.names) return [required("spec.names")];
  const errors: FieldError[] = [];
  const wanted = `${spec.names.plural}.${spec.group}`;
  if (crd.metadata.name !== wanted) errors.push(invalid("metadata.name", crd.metadata.name, 'must be spec.names.plural+"."+spec.group'));
  if (!spec.group) errors.push(required("spec.group"));
  else {
    errors.push(...invalids("spec.group", spec.group, dns1123Subdomain(spec.group)));
    if (!spec.group.includes(".")) errors.push(invalid("spec.group", spec.group, "should be a domain with at least one dot"));
  }
  errors.push(...oneOf("spec.scope", spec.scope, ["Cluster", "Namespaced"]));
  for (const [field, value] of [["plural", spec.names.plural], ["singular", spec.names.singular]] as const) {
    if (!value) errors.push(required(`spec.names.${field}`));
    else errors.push(...invalids(`spec.names.${field}`, value, dns1035Label(value)));
  }
  for (const [field, value] of [["kind", spec.names.kind], ["listKind", spec.names.listKind]] as const) {
    if (!value) errors.push(required(`spec.names.${field}`));
    else errors.push(...invalids(`spec.names.${field}`, value, dns1035Label(value.toLowerCase()).map((problem) => `may have mixed case, but should otherwise match: ${problem}`)));
  }
  const versions = spec.versions ?? [];
  if (versions.filter((version) => version.storage).length !== 1) errors.push(invalid("spec.versions", versions, "must have exactly one version marked as storage version"));
  const names = new Set<string>();
  for (const [index, version] of versions.entries()) {
    const field = `spec.versions[${index}]`;
    const name = version.name ?? "";
    errors.push(...invalids(`${field}.name`, name, dns1035Label(name)));
    if (names.has(version.name)) errors.push(duplicate(`${field}.name`, version.name));
    names.add(version.name);
    const schema = version.schema?.openAPIV3Schema;
    if (!schema) errors.push(required(`${field}.schema.openAPIV3Schema`, "schemas are required"));
    else errors.push(...validateStructural(schema, `${field}.schema.openAPIV3Schema`));
  }
  return errors;
}

/** Every value of a structural schema has a type. https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema */
function validateStructural(schema: Schema, field: string): FieldError[] {
  const errors: FieldError[] = [];
  const visit = (at: Schema, path: string, root: boolean): void => {
    if (at.$ref !== undefined) errors.push(forbidden(`${path}.$ref`, "$ref is not supported"));
    if (!at.type && !at["x-kubernetes-int-or-string"] && !(at["x-kubernetes-preserve-unknown-fields"] && !root)) {
      errors.push(required(`${path}.type`, root ? "must not be empty at the root" : "must not be empty for specified object fields"));
    }
    if (root && at.type && at.type !== "object") errors.push(invalid(`${path}.type`, at.type, "must be object at the root"));
    for (const [name, property] of Object.entries(at.properties ?? {})) visit(property, `${path}.properties[${name}]`, false);
    if (at.items) visit(at.items, `${path}.items`, false);
    if (typeof at.additionalProperties === "object") visit(at.additionalProperties, `${path}.additionalProperties`, false);
    if (at.type === "array" && !at.items) errors.push(required(`${path}.items`, "must be specified"));
  };
  visit(schema, field, true);
  return errors;
}

export function validateCrdUpdate(crd: CustomResourceDefinition, old: CustomResourceDefinition): FieldError[] {
  const errors: FieldError[] = [];
  if (crd.spec?.scope !== old.spec?.scope) errors.push(immutable("spec.scope", crd.spec?.scope));
  if (crd.spec?.names?.kind !== old.spec?.names?.kind) errors.push(immutable("spec.names.kind", crd.spec?.names?.kind));
  return errors;
}

export function validateIngress(ingress: KubeObject): FieldError[] {
  const spec = (ingress.spec ?? {}) as {
    rules?: { host?: string; http?: { paths?: { path?: string; pathType?: string }[] } }[];
    defaultBackend?: unknown;
  };
  const errors: FieldError[] = [];
  if (!spec.rules?.length && !spec.defaultBackend) errors.push(invalid("spec", spec.rules ?? [], "either `defaultBackend` or `rules` must be specified"));
  for (const [index, rule] of (spec.rules ?? []).entries()) {
    if (rule.host) errors.push(...invalids(`spec.rules[${index}].host`, rule.host, dns1123Subdomain(rule.host.replace(/^\*\./, ""))));
    for (const [at, path] of (rule.http?.paths ?? []).entries()) {
      const field = `spec.rules[${index}].http.paths[${at}]`;
      if (!path.pathType) errors.push(required(`${field}.pathType`, "pathType must be specified"));
      else errors.push(...oneOf(`${field}.pathType`, path.pathType, ["Exact", "ImplementationSpecific", "Prefix"]));
      if (path.pathType !== "ImplementationSpecific" && !path.path?.startsWith("/")) errors.push(invalid(`${field}.path`, path.path ?? "", "must be an absolute path"));
    }
  }
  return errors;
}
