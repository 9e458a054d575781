import type { FieldError, KubeObject, ResourceDefinition } from "../../../resources/index.ts";
import { equalJson } from "../json.ts";

/** RFC 3339 in UTC, whole seconds: the form of every time that the server writes. */
export function timestamp(now: number): string {
  return `${new Date(now).toISOString().slice(0, 19)}Z`;
}

/** Whether an object is where its kind belongs; names, labels and the like are checked by the definition. */
export function scopeErrors({ metadata }: KubeObject, { namespaced }: ResourceDefinition): FieldError[] {
  if (namespaced && !metadata.namespace) return [{ type: "FieldValueRequired", field: "metadata.namespace", message: "Required value" }];
  if (!namespaced && metadata.namespace) return [{ type: "FieldValueForbidden", field: "metadata.namespace", message: "Forbidden: not allowed on this type" }];
  return [];
}

/** What must not change in metadata. */
export function metadataUpdateErrors(object: KubeObject, old: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  if (old.metadata.deletionTimestamp) {
    const added = object.metadata.finalizers?.filter((finalizer) => !old.metadata.finalizers?.includes(finalizer)) ?? [];
    if (added.length > 0) {
      errors.push({
        type: "FieldValueForbidden",
        field: "metadata.finalizers",
        message: `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((one) => JSON.stringify(one)).join(", ")}}`,
      });
    }
  }
  for (const field of ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] as const) {
    if (!equalJson(object.metadata[field], old.metadata[field])) {
      errors.push({
        type: "FieldValueInvalid",
        field: `metadata.${field}`,
        message: `Invalid value: ${JSON.stringify(object.metadata[field] ?? "")}: field is immutable`,
      });
    }
  }
  return errors;
}
