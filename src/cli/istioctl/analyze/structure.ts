import { validateSchema } from "../../../cluster/apiserver/schema/validate.ts";
import { definitionFromCrd, istioCrds, resolveSchema, type ResourceDefinition, type Schema } from "../../../resources/index.ts";
import type { KubeObject } from "../../../resources/types.ts";

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
  return problem && `${problem.field}: ${problem.message}`;
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

/** Istio's protobuf packages by group: fields are told of by their message's name. */
const PACKAGES: Readonly<Record<string, string>> = {
  "networking.istio.io": "istio.networking.v1alpha3",
  "security.istio.io": "istio.security.v1beta1",
  "telemetry.istio.io": "istio.telemetry.v1alpha1",
  "extensions.istio.io": "istio.extensions.v1alpha1",
};

/** Fields that the kind does not have. */
export function unknownFields(object: KubeObject): string[] {
  const schema = specSchema(object);
  if (!schema) return [];
  return unknownIn(object.spec, schema, "").map((path) => {
    const top = path.indexOf(".") < 0 && path.indexOf("[") < 0;
    return top ? `unknown field ${JSON.stringify(path)} in ${PACKAGES[object.apiVersion.split("/")[0] ?? ""]}.${object.kind}` : `unknown field ${JSON.stringify(`spec.${path}`)}`;
  });
}

function unknownIn(value: unknown, reference: Schema, path: string): string[] {
  const schema = resolveSchema(reference);
  if (Array.isArray(value)) return schema.items ? value.flatMap((item, index) => unknownIn(item, schema.items as Schema, `${path}[${index}]`)) : [];
  if (typeof value !== "object" || value === null || schema["x-kubernetes-preserve-unknown-fields"]) return [];
  return Object.entries(value).flatMap(([key, part]) => {
    const below = path === "" ? key : `${path}.${key}`;
    const known = schema.properties?.[key];
    if (known) return unknownIn(part, known, below);
    if (typeof schema.additionalProperties === "object") return unknownIn(part, schema.additionalProperties, below);
    return schema.additionalProperties === true || !schema.properties ? [] : [below];
  });
}
