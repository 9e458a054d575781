import { type FieldError, type KubeObject, resolveSchema, type Schema } from "../../../resources/index.ts";
import { validateSchema } from "./validate.ts";

/** The note that stands in for rules which could not be checked. */
const RULES_SKIPPED: FieldError = {
  type: "FieldValueInvalid",
  field: "<nil>",
  message: "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
};

/** What leaves an object in a form that rules cannot be sure of; a value that breaks a pattern or a bound does not. */
const BLOCKING: ReadonlySet<string> = new Set([
  "FieldValueTypeInvalid",
  "FieldValueRequired",
  "FieldValueNotSupported",
  "FieldValueTooLong",
  "FieldValueTooMany",
]);

/** A custom resource against its schema and, if that holds, its CEL rules. */
export async function validateCustom(object: KubeObject, old: KubeObject | undefined, schema: Schema): Promise<FieldError[]> {
  const resolved = resolveSchema(schema);
  const errors: FieldError[] = [];
  const { apiVersion: _, kind: __, metadata: ___, ...properties } = resolved.properties ?? {};
  const { apiVersion: ____, kind: _____, metadata: ______, ...body } = object;
  errors.push(...validateSchema(body, { ...resolved, properties }, ""));
  if (!hasRules(resolved)) return errors;
  if (errors.some(({ type }) => BLOCKING.has(type))) return [...errors, RULES_SKIPPED];
  const { evaluateRules } = await import("./cel-rules.ts");
  return [...errors, ...(await evaluateRules(object, old, resolved))];
}

const ruled = new WeakMap<Schema, boolean>();

/** Whether a schema has CEL rules anywhere. */
export function hasRules(reference: Schema): boolean {
  const schema = resolveSchema(reference);
  let known = ruled.get(schema);
  if (known === undefined) {
    ruled.set(schema, false); // a recursive schema does not loop
    known =
      (schema["x-kubernetes-validations"]?.length ?? 0) > 0 ||
      Object.values(schema.properties ?? {}).some(hasRules) ||
      (schema.items !== undefined && hasRules(schema.items)) ||
      (typeof schema.additionalProperties === "object" && hasRules(schema.additionalProperties));
    ruled.set(schema, known);
  }
  return known;
}
