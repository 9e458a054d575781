import type { KubeObject } from "../../../resources/types.ts";

const REDACTED = "[redacted]";
/** Names of variables whose values are not for others. */
const SENSITIVE = /token|passw|secret|credential|private|api_?key/i;
/** kubectl keeps the whole object here, secrets and all. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** An object that can be shown: no Secret's contents, no variables that look like one, no history of who wrote what. */
export function redacted(object: KubeObject): KubeObject {
  const { managedFields: _, annotations, ...metadata } = object.metadata as KubeObject["metadata"] & { managedFields?: unknown };
  const kept = Object.fromEntries(Object.entries(annotations ?? {}).filter(([name]) => name !== LAST_APPLIED));
  const shown = { ...object, metadata: { ...metadata, ...(Object.keys(kept).length > 0 && { annotations: kept }) } };
  if (object.kind !== "Secret") return hideVariables(shown) as KubeObject;
  const hide = (data: unknown): Record<string, string> => Object.fromEntries(Object.keys((data ?? {}) as object).map((key) => [key, REDACTED]));
  const { data, stringData } = object;
  return { ...shown, ...(data !== undefined && { data: hide(data) }), ...(stringData !== undefined && { stringData: hide(stringData) }) };
}

function hideVariables(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hideVariables);
  if (typeof value !== "object" || value === null) return value;
  const fields = value as Record<string, unknown>;
  if (typeof fields.name === "string" && typeof fields.value === "string" && SENSITIVE.test(fields.name)) return { ...fields, value: REDACTED };
  return Object.fromEntries(Object.entries(fields).map(([key, part]) => [key, hideVariables(part)]));
}
