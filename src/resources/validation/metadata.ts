import type { FieldError, KubeObject, LabelSelector } from "../types.ts";
import { invalid, invalids, required } from "./field.ts";
import { dns1123Subdomain, labelValue, qualifiedName } from "./names.ts";

/** Annotations of one object together. https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/ */
const MAX_ANNOTATION_BYTES = 256 * 1024;

/** metadata: names, labels, annotations, finalizers, owners. `nameRule` is the kind's own. */
export function validateMetadata(object: KubeObject, nameRule: (name: string) => string[] = dns1123Subdomain): FieldError[] {
  const { name, generateName, labels, annotations, finalizers, ownerReferences } = object.metadata;
  const errors: FieldError[] = [];
  // A generated name may end in a hyphen, to which the suffix is added.
  if (generateName) errors.push(...invalids("metadata.generateName", generateName, nameRule(generateName.replace(/-$/, "a"))));
  if (!name) errors.push(required("metadata.name", "name or generateName is required"));
  else errors.push(...invalids("metadata.name", name, nameRule(name)));
  errors.push(...validateLabels(labels, "metadata.labels"));
  let size = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    errors.push(...invalids("metadata.annotations", key, qualifiedName(key.toLowerCase())));
    size += key.length + value.length;
  }
  if (size > MAX_ANNOTATION_BYTES)
    errors.push({ type: "FieldValueTooLong", field: "metadata.annotations", message: `Too long: may not be more than ${MAX_ANNOTATION_BYTES} bytes` });
  for (const owner of ownerReferences ?? []) {
    for (const part of ["apiVersion", "kind", "name", "uid"] as const) {
      if (!owner[part])
        errors.push(invalid(`metadata.ownerReferences.${part}`, owner[part] ?? "", part === "apiVersion" ? "version must not be empty" : "must not be empty"));
    }
    if (owner.kind === "Event" && (owner.apiVersion === "v1" || owner.apiVersion === "events.k8s.io/v1")) {
      const [group, version] = owner.apiVersion === "v1" ? ["", "v1"] : owner.apiVersion.split("/");
      errors.push(invalid("metadata.ownerReferences", owner, `${group}/${version}, Kind=Event is disallowed from being an owner`));
    }
  }
  const controllers = (ownerReferences ?? []).filter((owner) => owner.controller);
  if (controllers.length > 1) {
    const [first, second] = controllers;
    errors.push(
      invalid(
        "metadata.ownerReferences",
        ownerReferences,
        `Only one reference can have Controller set to true. Found "true" in references for ${first?.kind}/${first?.name} and ${second?.kind}/${second?.name}`,
      ),
    );
  }
  for (const finalizer of finalizers ?? []) errors.push(...invalids("metadata.finalizers", finalizer, qualifiedName(finalizer)));
  return errors;
}

/** Finalizers that need no domain. */
const STANDARD_FINALIZERS = ["kubernetes", "orphan", "foregroundDeletion"];

/** What built-in kinds ask of their finalizers beyond that. */
export function validateFinalizers({ metadata }: KubeObject): FieldError[] {
  return (metadata.finalizers ?? []).flatMap((finalizer, index) => {
    const field = `metadata.finalizers[${index}]`;
    const standard = finalizer.includes("/") || STANDARD_FINALIZERS.includes(finalizer);
    return standard ? [] : [invalid(field, finalizer, "name is neither a standard finalizer name nor is it fully qualified")];
  });
}

export function validateLabels(labels: Record<string, string> | undefined, field: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels ?? {})) {
    errors.push(...invalids(field, key, qualifiedName(key)), ...invalids(field, value, labelValue(value)));
  }
  return errors;
}

export function validateSelector(selector: LabelSelector | undefined | null, field: string): FieldError[] {
  if (!selector) return [];
  const errors = validateLabels(selector.matchLabels, `${field}.matchLabels`);
  for (const [index, { key, operator, values }] of (selector.matchExpressions ?? []).entries()) {
    const at = `${field}.matchExpressions[${index}]`;
    if (operator === "In" || operator === "NotIn") {
      if (!values?.length) errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (values?.length)
        errors.push({
          type: "FieldValueForbidden",
          field: `${at}.values`,
          message: "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        });
    } else errors.push(invalid(`${at}.operator`, operator, "not a valid selector operator"));
    errors.push(...invalids(`${at}.key`, key, qualifiedName(key)));
    for (const [at2, value] of (values ?? []).entries()) errors.push(...invalids(`${at}.values[${at2}]`, value, labelValue(value)));
  }
  return errors;
}

/** Whether labels are ones that the selector takes. An empty selector takes all. */
export function selectorMatches(selector: LabelSelector | undefined | null, labels: Record<string, string> = {}): boolean {
  if (!selector) return false;
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false;
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const has = Object.hasOwn(labels, key);
    const isIn = has && values.includes(labels[key] ?? "");
    if (operator === "In" ? !isIn : operator === "NotIn" ? isIn : operator === "Exists" ? !has : has) return false;
  }
  return true;
}
