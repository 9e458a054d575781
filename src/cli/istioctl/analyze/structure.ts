import { validateSchema } from "../../../cluster/apiserver/schema/validate.ts";
import { definitionFromCrd, istioCrds, resolveSchema, type ResourceDefinition, type Schema } from "../../../resources/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { messageAt } from "./message-names.ts";

let definitions: Map<string, ResourceDefinition> | undefined;

/** The schema of one of Istio's kinds; undefined for others and for versions that are not served. */
function specSchema({ apiVersion, kind }: KubeObject): Schema | undefined {
  definitions ??= new Map(istioCrds().map((crd) => definitionFromCrd(crd)).map((definition) => [`${definition.group}/${definition.kind}`, definition]));
  const [group = "", version] = apiVersion.split("/");
  const schema = definitions.get(`${group}/${kind}`)?.versions.find(({ name }) => name === version)?.schema;
  return schema && resolveSchema(schema).properties?.spec;
}

/**
 * Why an object cannot be read as its kind: a value of another type, or a word that is none of a field's. What is only
 * out of range is the analyzers' to tell.
 */
export function structureProblem(object: KubeObject): string | undefined {
  const schema = specSchema(object);
  if (!schema || object.spec === undefined) return undefined;
  const problem = validateSchema({ spec: withoutNulls(object.spec) }, { type: "object", properties: { spec: schema } }, "").find(({ type }) => type === "FieldValueTypeInvalid" || type === "FieldValueNotSupported");
  if (!problem) return undefined;
  const [, value] = /^Unsupported value: ("(?:[^"\\]|\\.)*")/.exec(problem.message) ?? [];
  const enumeration = value && messageAt(groupOf(object), object.kind, problem.field.replace(/^spec\.?/, ""));
  return enumeration ? `unknown value ${JSON.stringify(value)} for enum ${enumeration}` : `${problem.field}: ${problem.message}`;
}

/** A field that is null is one that is not there. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== null)
      .map(([key, part]) => [key, withoutNulls(part)]),
  );
}

/** Fields that the kind does not have, each with the message that lacks it. */
export function unknownFields(object: KubeObject): string[] {
  const schema = specSchema(object);
  if (!schema) return [];
  return unknownIn(object.spec, schema, "").map(([path, field]) => {
    const message = messageAt(groupOf(object), object.kind, path);
    return message ? `unknown field ${JSON.stringify(field)} in ${message}` : `unknown field ${JSON.stringify(`spec.${path}.${field}`)}`;
  });
}

function groupOf({ apiVersion }: KubeObject): string {
  return apiVersion.split("/")[0] ?? "";
}

/** Paths with the names below them that are not known. */
function unknownIn(value: unknown, reference: Schema, path: string): [path: string, field: string][] {
  const schema = resolveSchema(reference);
  if (Array.isArray(value)) return schema.items ? value.flatMap((item, index) => unknownIn(item, schema.items as Schema, `${path}[${index}]`)) : [];
  if (typeof value !== "object" || value === null || schema["x-kubernetes-preserve-unknown-fields"]) return [];
  return Object.entries(value).flatMap(([key, part]): [string, string][] => {
    const known = schema.properties?.[key];
    if (known) return unknownIn(part, known, path === "" ? key : `${path}.${key}`);
    if (typeof schema.additionalProperties === "object") return unknownIn(part, schema.additionalProperties, `${path}[${key}]`);
    return schema.additionalProperties === true || !schema.properties ? [] : [[path, key]];
  });
}
