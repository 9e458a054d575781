import { resolveSchema, type Schema } from "../../../resources/index.ts";
import type { ExplainedField, Explanations } from "./explanations.ts";

const PREFIX = "#/components/schemas/";
const OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/** Says of apiVersion and kind what every kind says of them. */
const TYPE_META = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
/** What every kind of a CustomResourceDefinition says of its metadata; built-in kinds of most groups use the same words. */
const METADATA_OF = "io.k8s.api.core.v1.Pod";
/** The one type without a comment in the package. */
const QUANTITY = "An amount with a suffix: 500m is half of one, 1Ki is 1024, 1k is 1000. Written back in its canonical form, without losing precision.";

/**
 * The components of an OpenAPI document as Kubernetes' own has them: each type and field with its text, and types that
 * have a name under that name, also where our schemas have them written out. Types without explanations stay as they are.
 */
export function explainedComponents(schemas: Record<string, Schema>, explanations: Explanations): Record<string, Schema> {
  const explained: Record<string, Schema> = {};
  const queue = Object.entries(schemas);
  const refer = (name: string, schema: Schema): Schema => {
    if (!(name in explained)) {
      // The name is taken before the type is looked into: types may hold themselves.
      explained[name] = {};
      queue.push([name, schema]);
    }
    return { allOf: [{ $ref: PREFIX + name }] };
  };
  for (const [name] of queue) explained[name] = {};
  for (let next = queue.shift(); next; next = queue.shift()) {
    const [name, schema] = next;
    explained[name] = explainType(name, schema, explanations, refer);
  }
  return explained;
}

type Refer = (name: string, schema: Schema) => Schema;

function explainType(name: string, schema: Schema, explanations: Explanations, refer: Refer): Schema {
  const about = explanations[name];
  const isKind = schema.properties?.["apiVersion"] !== undefined && schema.properties["kind"] !== undefined;
  if (!about && !isKind) return schema;
  if (about?.paths) schema = withPaths(schema, about.paths, "");
  const text = about?.text ?? (name.endsWith(".Quantity") ? QUANTITY : schema.description);
  const described: Schema = { ...(text ? { description: text } : {}), ...asType(schema) };
  const free = schema["x-kubernetes-preserve-unknown-fields"] === true && about?.fields ? fromExplanation(about.fields, refer) : {};
  if (!schema.properties) return { ...described, ...free };
  const properties: Record<string, Schema> = {};
  for (const [field, of] of Object.entries(schema.properties)) {
    const entry: Partial<ExplainedField> = { ...about?.fields?.[field], ...(isKind ? generalField(field, about?.fields?.[field], explanations) : {}) };
    const type = typeOf(entry.form ?? "");
    const inner = type ? named(of, type, refer) : of.$ref ? { allOf: [of] } : of;
    properties[field] = { ...(entry.text ? { description: entry.text } : {}), ...withEnum(inner, entry.enum) };
  }
  return { ...described, properties: { ...free.properties, ...properties } };
}

/** Fields that say nothing of themselves get the text of their path; items and values do not repeat their field's. */
function withPaths(schema: Schema, paths: Record<string, string>, path: string, isField = true): Schema {
  if (schema.$ref) return schema;
  const { properties, items, additionalProperties: values } = schema;
  const text = schema.description ?? (isField ? paths[path] : undefined);
  return {
    ...(text ? { description: text } : {}),
    ...schema,
    ...(properties
      ? { properties: Object.fromEntries(Object.entries(properties).map(([name, of]) => [name, withPaths(of, paths, path === "" ? name : `${path}.${name}`)])) }
      : {}),
    ...(items ? { items: withPaths(items, paths, path, false) } : {}),
    ...(typeof values === "object" ? { additionalProperties: withPaths(values, paths, path, false) } : {}),
  };
}

/** What fields mean that every kind has, where its own type does not say it. */
function generalField(field: string, own: ExplainedField | undefined, explanations: Explanations): Partial<ExplainedField> {
  if (own?.text) return {};
  if (field === "metadata") return { ...explanations[METADATA_OF]?.fields?.[field], form: own?.form ?? OBJECT_META };
  return field === "apiVersion" || field === "kind" ? { ...explanations[TYPE_META]?.fields?.[field] } : {};
}

/** The fields of a type that is taken as it comes here, as the explanations have them. */
function fromExplanation(fields: Record<string, ExplainedField>, refer: Refer): Schema {
  const required = Object.keys(fields).filter((field) => fields[field]?.required);
  const properties = Object.fromEntries(
    Object.entries(fields).map(([field, { text, form, enum: values }]) => [
      field,
      { ...(text ? { description: text } : {}), ...withEnum(fromForm(form, refer), values) },
    ]),
  );
  return { ...(required.length > 0 ? { required } : {}), properties };
}

const FREE: Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

function fromForm(form: string, refer: Refer): Schema {
  if (form.startsWith("[]")) return { type: "array", items: fromForm(form.slice(2), refer) };
  if (form.startsWith("map[string]")) return { type: "object", additionalProperties: fromForm(form.slice("map[string]".length), refer) };
  return form === "string" || form === "integer" || form === "boolean" || form === "object" ? { type: form } : refer(form, WELL_KNOWN[form] ?? FREE);
}

/** Types that are no objects, where only an explanation names them. */
const WELL_KNOWN: Record<string, Schema> = {
  "io.k8s.apimachinery.pkg.apis.meta.v1.Time": { type: "string", format: "date-time" },
  "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": { type: "string", format: "date-time" },
  "io.k8s.apimachinery.pkg.api.resource.Quantity": { format: "quantity", "x-kubernetes-int-or-string": true },
  "io.k8s.apimachinery.pkg.util.intstr.IntOrString": { "x-kubernetes-int-or-string": true },
};

/** The name of the type in `[]io.k8s.api.core.v1.Container`. */
function typeOf(form: string): string | undefined {
  const type = form.replace(/^(?:\[\]|map\[string\])+/, "");
  return type.includes(".") ? type : undefined;
}

/** The schema with the innermost item or value replaced by a reference to the type's name. */
function named(schema: Schema, type: string, refer: Refer): Schema {
  if (schema.items) return { ...schema, items: named(schema.items, type, refer) };
  if (typeof schema.additionalProperties === "object") return { ...schema, additionalProperties: named(schema.additionalProperties, type, refer) };
  return refer(type, resolveSchema(schema));
}

/** A type's own schema: what our schemas say in structural form, in the words of a built-in type's. */
function asType(schema: Schema): Schema {
  if (schema["x-kubernetes-int-or-string"]) {
    return schema.format === "quantity"
      ? { oneOf: [{ type: "string" }, { type: "number" }] }
      : { format: "int-or-string", oneOf: [{ type: "integer" }, { type: "string" }] };
  }
  const { nullable: _, "x-kubernetes-preserve-unknown-fields": free, ...rest } = schema;
  return free ? { type: "object", ...rest } : rest;
}

function withEnum(schema: Schema, values: string[] | undefined): Schema {
  const { nullable: _, ...rest } = schema;
  if (!values) return rest;
  return rest.items ? { ...rest, items: { ...rest.items, enum: values } } : { ...rest, enum: values };
}
