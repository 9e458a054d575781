import type { CustomResourceDefinition, FieldError, Schema } from "../../../resources/index.ts";
import { invalid } from "../http/status.ts";
import { CRDS } from "../kinds/custom-resources.ts";
import type { Checked } from "../schema/cel-check.ts";
import type { AdmissionPlugin } from "./types.ts";

/** Rules of custom resources that cannot be compiled are refused with their definition, not when an object first meets them. */
export const customRules: AdmissionPlugin = {
  async validate({ resource, object, subresource, operation }) {
    if (resource.id !== CRDS || !object || subresource !== "" || operation === "DELETE") return;
    const { spec } = object as unknown as CustomResourceDefinition;
    const errors: FieldError[] = [];
    for (const [index, { schema }] of (spec?.versions ?? []).entries()) {
      if (schema?.openAPIV3Schema)
        errors.push(
          ...(await problemsOf(
            schema.openAPIV3Schema,
            spec?.versions.length === 1 ? "spec.validation.openAPIV3Schema" : `spec.versions[${index}].schema.openAPIV3Schema`,
          )),
        );
    }
    if (errors.length > 0) throw invalid(resource.definition, object.metadata.name, errors);
  },
};

type Rule = NonNullable<Schema["x-kubernetes-validations"]>[number];

async function problemsOf(schema: Schema, field: string, isRoot = true): Promise<FieldError[]> {
  const errors: FieldError[] = [];
  const rules = schema["x-kubernetes-validations"] ?? [];
  if (rules.length > 0) {
    // The compiler is large, and most definitions have no rules.
    const { ruleChecker } = await import("../schema/cel-check.ts");
    const check = ruleChecker(schema, isRoot);
    for (const [index, rule] of rules.entries()) errors.push(...problemsOfRule(rule, `${field}.x-kubernetes-validations[${index}]`, check));
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) errors.push(...(await problemsOf(property, `${field}.properties[${name}]`, false)));
  if (schema.items) errors.push(...(await problemsOf(schema.items, `${field}.items`, false)));
  if (typeof schema.additionalProperties === "object") errors.push(...(await problemsOf(schema.additionalProperties, `${field}.additionalProperties`, false)));
  return errors;
}

function problemsOfRule(rule: Rule, field: string, check: (expression: string) => Checked): FieldError[] {
  if (rule.rule.trim().includes("\n") && !rule.message && !rule.messageExpression)
    return [{ type: "FieldValueRequired", field: `${field}.message`, message: "Required value: message must be specified if rule contains line breaks" }];
  const invalidAt = (at: string, value: unknown, problem: string): FieldError => ({
    type: "FieldValueInvalid",
    field: `${field}.${at}`,
    message: `Invalid value: ${goJson(value)}: ${problem}`,
  });
  const shown = {
    Rule: rule.rule,
    Message: rule.message ?? "",
    MessageExpression: rule.messageExpression ?? "",
    Reason: rule.reason ?? null,
    FieldPath: rule.fieldPath ?? "",
    OptionalOldSelf: rule.optionalOldSelf ?? null,
  };
  const problems = problemOf(check(rule.rule), "bool", "cel expression must evaluate to a bool").map((problem) => invalidAt("rule", shown, problem));
  if (rule.messageExpression)
    problems.push(
      ...problemOf(check(rule.messageExpression), "string", "messageExpression must evaluate to a string").map((problem) =>
        invalidAt("messageExpression", shown, problem),
      ),
    );
  return problems;
}

function problemOf(checked: Checked, wanted: string, otherwise: string): string[] {
  if ("problem" in checked) return [`compilation failed: ${checked.problem}`];
  return checked.type === wanted || checked.type === "dyn" ? [] : [otherwise];
}

/** Go's JSON escapes what could be HTML. */
function goJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&]/g, (one) => `\\u00${one.charCodeAt(0).toString(16)}`);
}
