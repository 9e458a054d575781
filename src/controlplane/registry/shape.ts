import { istioCrds, type KubeObject, type Schema } from "../../resources/index.ts";

/** What a spec was found to be: as it is, or without the nulls that an API server would have dropped; or why it cannot be read. */
export type Shape = { readonly object: KubeObject } | { readonly problem: string };

/**
 * Whether an object of Istio's kinds has the types that its definition says. An API server sees to that, but not one whose
 * definitions are older or were loosened, and not a folder of files: one object of another form must not keep all others
 * from the proxies. Values that only make no sense are the webhook's business.
 */
export function checkShape(object: KubeObject): Shape {
  const schema = specSchema(object.kind);
  if (!schema || object.spec === undefined || object.spec === null) return { object };
  const problem = problemOf(schema, object.spec, "spec");
  if (problem !== undefined) return { problem };
  const spec = withoutNulls(schema, object.spec);
  return { object: spec === object.spec ? object : { ...object, spec } };
}

let schemas: Map<string, Schema> | undefined;

function specSchema(kind: string): Schema | undefined {
  schemas ??= new Map(
    istioCrds().flatMap((crd) => {
      const spec = crd.spec?.versions[0]?.schema?.openAPIV3Schema?.properties?.["spec"];
      return spec ? [[crd.spec?.names.kind ?? "", spec] as const] : [];
    }),
  );
  return schemas.get(kind);
}

function problemOf(schema: Schema, value: unknown, path: string): string | undefined {
  // A field that is null counts as one that is not there; an element of a list cannot.
  if (value === null) return undefined;
  if (schema["x-kubernetes-int-or-string"]) return typeof value === "string" || Number.isInteger(value) ? undefined : `${path}: must be an integer or a string`;
  switch (schema.type) {
    case "object":
      if (typeof value !== "object" || Array.isArray(value)) return `${path}: must be an object`;
      for (const name of schema.required ?? [])
        if ((value as Record<string, unknown>)[name] === undefined || (value as Record<string, unknown>)[name] === null) return `${path}.${name}: is required`;
      for (const [name, field] of Object.entries(value)) {
        const below = schema.properties?.[name] ?? (typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined);
        if (below && schema.additionalProperties && field === null) return `${path}.${name}: must not be null`;
        const problem = below && problemOf(below, field, `${path}.${name}`);
        if (problem !== undefined) return problem;
      }
      return undefined;
    case "array":
      if (!Array.isArray(value)) return `${path}: must be a list`;
      for (const [index, item] of value.entries()) {
        if (item === null) return `${path}[${index}]: must not be null`;
        const problem = schema.items && problemOf(schema.items as Schema, item, `${path}[${index}]`);
        if (problem !== undefined) return problem;
      }
      return undefined;
    case "string":
      return typeof value === "string" ? undefined : `${path}: must be a string`;
    case "boolean":
      return typeof value === "boolean" ? undefined : `${path}: must be true or false`;
    case "integer":
      return Number.isSafeInteger(value) && within(schema, value as number) ? undefined : `${path}: must be an integer${bounds(schema)}`;
    case "number":
      return typeof value === "number" && within(schema, value) ? undefined : `${path}: must be a number${bounds(schema)}`;
    default:
      return undefined;
  }
}

/** The least and the greatest that fits: what is beyond could not be sent on. */
const INT32 = { minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };

function within(schema: Schema, value: number): boolean {
  const { minimum, maximum } = schema.format === "int32" ? { ...INT32, ...schema } : schema;
  return Number.isFinite(value) && (minimum === undefined || value >= minimum) && (maximum === undefined || value <= maximum);
}

function bounds({ minimum, maximum }: Schema): string {
  return minimum === undefined && maximum === undefined ? "" : ` from ${minimum ?? "any"} to ${maximum ?? "any"}`;
}

/** The same value where there is nothing to drop. */
function withoutNulls(schema: Schema, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map((item) => withoutNulls((schema.items as Schema | undefined) ?? {}, item));
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  if (!schema.properties) return value;
  const { properties } = schema;
  let changed = false;
  const fields = Object.entries(value).flatMap(([name, field]) => {
    const below = properties[name];
    if (field === null && below && !below.nullable) {
      changed = true;
      return [];
    }
    const kept = below ? withoutNulls(below, field) : field;
    changed ||= kept !== field;
    return [[name, kept] as const];
  });
  return changed ? Object.fromEntries(fields) : value;
}
