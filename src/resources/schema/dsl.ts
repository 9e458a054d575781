/**
 * A few words to write schemas with. Everything is plain `Schema` data; nothing here is evaluated before a component is
 * asked for, so that a server starts without building thousands of objects.
 */
import type { Schema } from "../types.ts";

export const str: Schema = { type: "string" };
export const bool: Schema = { type: "boolean" };
export const int32: Schema = { type: "integer", format: "int32" };
export const int64: Schema = { type: "integer", format: "int64" };
export const double: Schema = { type: "number", format: "double" };
export const bytes: Schema = { type: "string", format: "byte" };
export const intOrString: Schema = { "x-kubernetes-int-or-string": true };
/** Amounts such as `500m` or `1Gi`; a bare number is taken too. */
export const quantity: Schema = { "x-kubernetes-int-or-string": true, format: "quantity" };
export const time: Schema = { type: "string", format: "date-time", nullable: true };
/** A time that Go holds by value: where nobody sets it, the object shows null. */
export const zeroTime: Schema = { ...time };
/** Microseconds. */
export const microTime = time;
/** Whatever JSON there is. */
export const any: Schema = { "x-kubernetes-preserve-unknown-fields": true };
/** An object whose fields nobody checks. */
export const freeObject: Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

/** An object; a name that ends in "!" is required. */
export function obj(fields: Record<string, Schema>, extra?: Schema): Schema {
  const properties: Record<string, Schema> = {};
  const required: string[] = [];
  for (const [name, schema] of Object.entries(fields)) {
    const bare = name.endsWith("!") ? name.slice(0, -1) : name;
    if (bare !== name) required.push(bare);
    properties[bare] = schema;
  }
  return { type: "object", ...(required.length > 0 ? { required } : {}), properties, ...extra };
}

/** An object that server-side apply owns as a whole. */
export function atomicObj(fields: Record<string, Schema>): Schema {
  return obj(fields, { "x-kubernetes-map-type": "atomic" });
}

export function map(values: Schema, extra?: Schema): Schema {
  return { type: "object", additionalProperties: values, ...extra };
}

export function atomicMap(values: Schema): Schema {
  return map(values, { "x-kubernetes-map-type": "atomic" });
}

/** A list that is replaced as a whole. */
export function list(items: Schema, extra?: Schema): Schema {
  return { type: "array", items, "x-kubernetes-list-type": "atomic", ...extra };
}

/** A list without a merge rule, as structural schemas of custom resources have it. */
export function plainList(items: Schema, extra?: Schema): Schema {
  return { type: "array", items, ...extra };
}

export function setList(items: Schema): Schema {
  return { type: "array", items, "x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge" };
}

/** A list whose items are told apart by `keys`; strategic merge knows them by `mergeKey`, the first of the keys by default. */
export function mapList(items: Schema, keys: string[], options: { mergeKey?: string; retainKeys?: boolean } = {}): Schema {
  return {
    type: "array",
    items,
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": keys,
    "x-kubernetes-patch-merge-key": options.mergeKey ?? keys[0] ?? "",
    "x-kubernetes-patch-strategy": options.retainKeys ? "merge,retainKeys" : "merge",
  };
}

const PREFIX = "#/components/schemas/";

/** A component by its short name: `core.v1.Pod`, `meta.v1.ObjectMeta`. */
export function ref(name: string): Schema {
  return { $ref: PREFIX + fullName(name) };
}

/** `core.v1.Pod` is io.k8s.api.core.v1.Pod in OpenAPI. */
export function fullName(name: string): string {
  if (name.startsWith("meta.")) return `io.k8s.apimachinery.pkg.apis.${name}`;
  if (name.startsWith("apiregistration.")) return `io.k8s.kube-aggregator.pkg.apis.${name}`;
  if (name.startsWith("apiextensions.")) return `io.k8s.apiextensions-apiserver.pkg.apis.${name}`;
  return `io.k8s.api.${name}`;
}

export function refName(schema: Schema): string | undefined {
  return schema.$ref?.startsWith(PREFIX) ? schema.$ref.slice(PREFIX.length) : undefined;
}

export type Components = Record<string, () => Schema>;

/** A kind's own schema: apiVersion, kind, metadata and what is its own. */
export function kind(group: string, version: string, name: string, fields: Record<string, Schema>): Schema {
  return obj(
    { apiVersion: str, kind: str, metadata: ref("meta.v1.ObjectMeta"), ...fields },
    { "x-kubernetes-group-version-kind": [{ group, version, kind: name }] },
  );
}
