import type { CustomResourceDefinition, FieldError, Schema } from "../../../resources/index.ts";
import { invalid } from "../http/status.ts";
import { CRDS } from "../kinds/custom-resources.ts";
import type { AdmissionPlugin } from "./types.ts";

/** Rules of custom resources that cannot be compiled are refused with their definition, not when an object first meets them. */
export const customRules: AdmissionPlugin = {
  async validate({ resource, object, subresource, operation }) {
    if (resource.id !== CRDS || !object || subresource !== "" || operation === "DELETE") return;
    const { spec } = object as unknown as CustomResourceDefinition;
    const errors: FieldError[] = [];
    for (const [index, { schema }] of (spec?.versions ?? []).entries()) {
      if (schema?.openAPIV3Schema) errors.push(...(await problemsOf(schema.openAPIV3Schema, spec?.versions.length === 1 ? "spec.validation.openAPIV3Schema" : `spec.versions[${index}].schema.openAPIV3Schema`)));
    }
    if (errors.length > 0) throw invalid(resource.definition, object.metadata.name, errors);
  },
};

async function problemsOf(schema: Schema, field: string): Promise<FieldError[]> {
  const errors: FieldError[] = [];
  for (const [index, rule] of (schema["x-kubernetes-validations"] ?? []).entries()) {
    // The compiler is large, and most definitions have no rules.
    const { compile } = await import("../schema/cel-environment.ts");
    try {
      compile(rule.rule);
    } catch (error) {
      const shown = { Rule: rule.rule, Message: rule.message ?? "", MessageExpression: rule.messageExpression ?? "", Reason: rule.reason ?? null, FieldPath: rule.fieldPath ?? "", OptionalOldSelf: null };
      errors.push({ type: "FieldValueInvalid", field: `${field}.x-kubernetes-validations[${index}].rule`, message: `Invalid value: ${JSON.stringify(shown)}: compilation failed: ${error instanceof Error ? error.message : String(error)}` });
    }
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) errors.push(...(await problemsOf(property, `${field}.properties[${name}]`)));
  if (schema.items) errors.push(...(await problemsOf(schema.items, `${field}.items`)));
  if (typeof schema.additionalProperties === "object") errors.push(...(await problemsOf(schema.additionalProperties, `${field}.additionalProperties`)));
  return errors;
}
