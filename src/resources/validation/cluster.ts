import type { ConfigMap, Role, RoleBinding, Secret } from "../core.ts";
import type { FieldError, KubeObject } from "../types.ts";
import { duplicate, forbidden, immutable, invalid, invalids, notSupported, oneOf, required, sameJson, tooLong } from "./field.ts";
import { configKey, dns1123Label, dns1123Subdomain, labelValue, qualifiedName, signerName } from "./names.ts";

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
  for (const field of ["data", "binaryData"])
    if (!sameJson(object[field], old[field])) errors.push(forbidden(field, "field is immutable when `immutable` is set"));
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
  if (secret.type === "kubernetes.io/basic-auth" && secret.data?.["username"] === undefined && secret.data?.["password"] === undefined)
    errors.push(required("data[username]"), required("data[password]"));
  const configuration =
    secret.type === "kubernetes.io/dockerconfigjson" ? ".dockerconfigjson" : secret.type === "kubernetes.io/dockercfg" ? ".dockercfg" : undefined;
  const text = configuration === undefined ? undefined : secret.data?.[configuration];
  const problem = text === undefined ? undefined : jsonFault(Buffer.from(text, "base64").toString("utf8"));
  if (configuration && problem) errors.push(invalid(`data[${configuration}]`, "<secret contents redacted>", problem));
  for (const key of NEEDED_KEYS[secret.type ?? ""] ?? []) if (secret.data?.[key] === undefined) errors.push(required(`data[${key}]`));
  if (secret.type === "kubernetes.io/service-account-token" && !secret.metadata.annotations?.["kubernetes.io/service-account.name"]) {
    errors.push(required("metadata.annotations[kubernetes.io/service-account.name]"));
  }
  return errors;
}

/** Go's word for the first character that cannot begin JSON; what is wrong further in is told in general. */
function jsonFault(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch {
    const first = text.trimStart()[0];
    if (first === undefined) return "unexpected end of JSON input";
    return /[{["\-\dtfn]/.test(first) ? "unexpected end of JSON input" : `invalid character '${first}' looking for beginning of value`;
  }
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

const RBAC = "rbac.authorization.k8s.io";

export function validateRoleBinding(binding: RoleBinding): FieldError[] {
  const errors: FieldError[] = [];
  const namespaced = binding.kind === "RoleBinding";
  if (binding.roleRef?.apiGroup !== RBAC) errors.push(notSupported("roleRef.apiGroup", binding.roleRef?.apiGroup ?? "", [RBAC]));
  errors.push(...oneOf("roleRef.kind", binding.roleRef?.kind, namespaced ? ["Role", "ClusterRole"] : ["ClusterRole"]));
  if (!binding.roleRef?.name) errors.push(required("roleRef.name"));
  for (const [index, subject] of (binding.subjects ?? []).entries()) {
    const field = `subjects[${index}]`;
    if (!subject.name) errors.push(required(`${field}.name`));
    errors.push(...oneOf(`${field}.kind`, subject.kind, ["ServiceAccount", "User", "Group"]));
    if (subject.kind === "ServiceAccount") {
      if (subject.name) errors.push(...invalids(`${field}.name`, subject.name, dns1123Subdomain(subject.name)));
      if (subject.apiGroup) errors.push(notSupported(`${field}.apiGroup`, subject.apiGroup, [""]));
    } else if ((subject.kind === "User" || subject.kind === "Group") && subject.apiGroup !== RBAC)
      errors.push(notSupported(`${field}.apiGroup`, subject.apiGroup ?? "", [RBAC]));
    if (subject.kind === "ServiceAccount" && !namespaced && !subject.namespace) errors.push(required(`${field}.namespace`));
  }
  return errors;
}

export function validateRoleBindingUpdate(binding: RoleBinding, old: RoleBinding): FieldError[] {
  return sameJson(binding.roleRef, old.roleRef)
    ? []
    : [invalid("roleRef", { APIGroup: binding.roleRef.apiGroup, Kind: binding.roleRef.kind, Name: binding.roleRef.name }, "cannot change roleRef")];
}

const USAGES = [
  "signing",
  "digital signature",
  "content commitment",
  "key encipherment",
  "key agreement",
  "data encipherment",
  "cert sign",
  "crl sign",
  "encipher only",
  "decipher only",
  "any",
  "server auth",
  "client auth",
  "code signing",
  "email protection",
  "s/mime",
  "ipsec end system",
  "ipsec tunnel",
  "ipsec user",
  "timestamping",
  "ocsp signing",
  "microsoft sgc",
  "netscape sgc",
];
/** A certificate that ends sooner than that is not worth its signature. */
const MIN_CERTIFICATE_SECONDS = 600;

export function validateSigningRequest(request: KubeObject): FieldError[] {
  const {
    request: text = "",
    signerName: signer = "",
    usages = [],
    expirationSeconds,
  } = (request.spec ?? {}) as { request?: string; signerName?: string; usages?: string[]; expirationSeconds?: number };
  const errors: FieldError[] = [];
  const pem = Buffer.from(text, "base64").toString("latin1");
  if (!pem.includes("-----BEGIN CERTIFICATE REQUEST-----")) errors.push(invalid("spec.request", text, "PEM block type must be CERTIFICATE REQUEST"));
  if (usages.length === 0) errors.push(required("spec.usages"));
  for (const [index, usage] of usages.entries()) if (!USAGES.includes(usage)) errors.push(notSupported(`spec.usages[${index}]`, usage, USAGES.toSorted()));
  for (const [index, usage] of usages.entries()) if (usages.indexOf(usage) < index) errors.push(duplicate(`spec.usages[${index}]`, usage));
  errors.push(...validateSigner("spec.signerName", signer));
  if (expirationSeconds !== undefined && expirationSeconds < MIN_CERTIFICATE_SECONDS)
    errors.push(invalid("spec.expirationSeconds", expirationSeconds, "may not specify a duration less than 600 seconds (10 minutes)"));
  return errors;
}

function validateSigner(field: string, signer: string): FieldError[] {
  if (signer === "") return [required(field)];
  if (signer === LEGACY_SIGNER) return [invalid(field, signer, "the legacy signerName is not allowed via this API version")];
  const { domain, path, shape } = signerName(signer);
  const [before, after] = signer.split("/");
  return [...invalids(field, signer, shape), ...invalids(field, before, domain), ...invalids(field, after, path)];
}

const LEGACY_SIGNER = "kubernetes.io/legacy-unknown";

export function validateRuntimeClass(runtime: KubeObject): FieldError[] {
  const handler = String(runtime["handler"] ?? "");
  return invalids("handler", handler, dns1123Label(handler));
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
    if (seen.has(`${key}/${effect}`))
      errors.push({
        ...duplicate(field, { key, value, effect }),
        message: `Duplicate value: ${JSON.stringify({ key, ...(value ? { value } : {}), effect })}: taints must be unique by key and effect pair`,
      });
    seen.add(`${key}/${effect}`);
    return errors;
  });
}

const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

export function validateNodeUpdate(node: KubeObject, old: KubeObject): FieldError[] {
  const ranges = ({ spec }: KubeObject) => (spec as { podCIDRs?: string[] } | undefined)?.podCIDRs ?? [];
  return ranges(old).length > 0 && !sameJson(ranges(node), ranges(old))
    ? [forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')]
    : [];
}

export function validateEvent(event: KubeObject): FieldError[] {
  const { involvedObject = {} } = event as KubeObject & { involvedObject?: { namespace?: string } };
  const own = event.metadata.namespace ?? "";
  const about = involvedObject.namespace ?? "";
  // What has no namespace is told of in the default one.
  return about === own || (about === "" && own === "default") ? [] : [invalid("involvedObject.namespace", about, "does not match event.namespace")];
}

/** Above are the system's own. */
const MAX_PRIORITY = 1_000_000_000;
const SYSTEM_CLASSES = ["system-node-critical", "system-cluster-critical"];

export function validatePriorityClass(priorityClass: KubeObject): FieldError[] {
  const { name } = priorityClass.metadata;
  const value = Number(priorityClass["value"] ?? 0);
  const policy = String(priorityClass["preemptionPolicy"] ?? "");
  const errors: FieldError[] = [];
  if (name?.startsWith("system-") && !SYSTEM_CLASSES.includes(name))
    errors.push(
      forbidden(
        "metadata.name",
        `priority class names with 'system-' prefix are reserved for system use only. error: ${name} is not a known system priority class`,
      ),
    );
  if (value > MAX_PRIORITY && !SYSTEM_CLASSES.includes(name ?? ""))
    errors.push(forbidden("value", `maximum allowed value of a user defined priority is ${MAX_PRIORITY}`));
  if (policy !== "PreemptLowerPriority" && policy !== "Never") errors.push(notSupported("preemptionPolicy", policy, ["PreemptLowerPriority", "Never"]));
  return errors;
}

export function validateLease(lease: KubeObject): FieldError[] {
  const { leaseDurationSeconds: seconds, leaseTransitions: transitions } = (lease.spec ?? {}) as { leaseDurationSeconds?: number; leaseTransitions?: number };
  const errors: FieldError[] = seconds !== undefined && seconds <= 0 ? [invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")] : [];
  return transitions !== undefined && transitions < 0
    ? [...errors, invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0")]
    : errors;
}
