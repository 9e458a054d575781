import { resolveSchema, type Schema } from "../../../resources/index.ts";
import { isObject, type JsonObject } from "../json.ts";

/** How server-side apply sees a value: what it merges field by field, what it takes as one piece. */
export type Shape =
  | { kind: "scalar" }
  | { kind: "atomic" }
  | { kind: "map"; field(name: string): { schema: Schema | undefined; declared: boolean } }
  | { kind: "set" }
  | { kind: "list"; items: Schema | undefined; keys: readonly string[]; sortedKeys: readonly string[]; builtin: boolean };

/** The one key of Kubernetes' own keyed lists that may be left out (ports of containers, services, slices). */
const DEFAULT_KEYS: JsonObject = { protocol: "TCP" };

const SCALAR: Shape = { kind: "scalar" };
const ATOMIC: Shape = { kind: "atomic" };
const SET: Shape = { kind: "set" };
const UNTYPED: Shape = { kind: "map", field: () => ({ schema: undefined, declared: false }) };

/**
 * The shape of a value under a schema. Where there is no schema the value decides: objects merge by field, lists are
 * one piece. `other` stands in when the value itself is absent.
 */
export function shapeOf(reference: Schema | undefined, value: unknown, other?: unknown): Shape {
  const schema = reference && resolveSchema(reference);
  const sample = value ?? other;
  if (Array.isArray(sample)) return schema ? known(lists, schema, listShape) : ATOMIC;
  if (!isObject(sample)) return SCALAR;
  if (schema === undefined) return UNTYPED;
  return known(maps, schema, mapShape);
}

/** A schema's shape is asked for at each value that it describes, and never changes. */
const maps = new WeakMap<Schema, Shape>();
const lists = new WeakMap<Schema, Shape>();

function known(shapes: WeakMap<Schema, Shape>, schema: Schema, make: (schema: Schema) => Shape): Shape {
  let shape = shapes.get(schema);
  if (!shape) shapes.set(schema, (shape = make(schema)));
  return shape;
}

function mapShape(schema: Schema): Shape {
  if (schema["x-kubernetes-map-type"] === "atomic") return ATOMIC;
  const { properties, additionalProperties } = schema;
  const element = typeof additionalProperties === "object" ? additionalProperties : undefined;
  if (!properties && !element) return UNTYPED;
  const undeclared = { schema: element, declared: false };
  const declared = new Map(Object.entries(properties ?? {}).map(([name, own]) => [name, { schema: own, declared: true }]));
  return { kind: "map", field: (name) => declared.get(name) ?? undeclared };
}

function listShape(schema: Schema): Shape {
  switch (schema["x-kubernetes-list-type"]) {
    case "set":
      return SET;
    case "map": {
      const keys = schema["x-kubernetes-list-map-keys"] ?? [];
      return {
        kind: "list",
        items: schema.items && resolveSchema(schema.items),
        keys,
        sortedKeys: keys.toSorted(),
        builtin: schema["x-kubernetes-patch-merge-key"] !== undefined,
      };
    }
    default:
      return ATOMIC;
  }
}

/** The path element of a list's item: `v:"x"` in sets, `k:{…}` in keyed lists; missing keys take the schema's default. */
export function itemElement(shape: Shape, item: unknown, index: number): string {
  if (shape.kind === "set") return `v:${JSON.stringify(item)}`;
  if (shape.kind !== "list" || !isObject(item)) return `i:${index}`;
  const keys: JsonObject = {};
  for (const key of shape.sortedKeys) {
    const value =
      item[key] ?? shape.items?.properties?.[key]?.default ?? DEFAULT_KEYS[key] ?? (shape.builtin ? zeroKey(shape.items?.properties?.[key]) : undefined);
    if (value !== undefined) keys[key] = value;
  }
  return `k:${JSON.stringify(keys)}`;
}

/** Keys of Kubernetes' own lists are never absent, only empty: validation says so. */
function zeroKey(schema: Schema | undefined): unknown {
  return schema?.type === "integer" ? 0 : "";
}

/** Items of a list by their path element; of duplicates the last. */
export function itemsByElement(shape: Shape, list: readonly unknown[]): Map<string, unknown> {
  return new Map(list.map((item, index) => [itemElement(shape, item, index), item]));
}

export function itemSchema(shape: Shape): Schema | undefined {
  return shape.kind === "list" ? shape.items : undefined;
}
