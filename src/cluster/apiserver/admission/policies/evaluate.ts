import { errorText } from "../../../../base/index.ts";
import type { KubeObject } from "../../../../resources/index.ts";
import { inVersion } from "../../apply/empty-object.ts";
import type { Resource } from "../../catalogue.ts";
import { compile } from "../../schema/cel-environment.ts";
import type { Attributes } from "../types.ts";
import { numbers } from "../webhooks/conditions.ts";
import { admissionReview } from "../webhooks/review.ts";
import type { PolicySpec, Validation } from "./types.ts";

/** One validation that is not kept. */
export interface Decision {
  message: string;
  reason: string;
}

/** Every validation of a policy that a write does not keep. What cannot be evaluated counts as its failurePolicy says. */
export function decide(
  spec: PolicySpec,
  attributes: Attributes,
  resource: Resource,
  namespace: KubeObject | undefined,
  param: KubeObject | undefined,
): Decision[] {
  const shown = (object: KubeObject | undefined) => (object ? numbers(inVersion(object, resource)) : null);
  const context: Record<string, unknown> = {
    object: shown(attributes.object),
    oldObject: shown(attributes.old),
    request: numbers(admissionReview(attributes, resource).request),
    params: numbers(param ?? null),
    namespaceObject: numbers(namespace ?? null),
  };
  context.variables = variablesOf(spec, context);
  const failed = (message: string): Decision[] => (spec.failurePolicy === "Ignore" ? [] : [{ message, reason: "" }]);
  // One condition that is false decides, whatever is wrong with another.
  let broken: string | undefined;
  for (const { expression } of spec.matchConditions ?? []) {
    try {
      if (compile(expression)(context) !== true) return [];
    } catch (error) {
      broken ??= failure(expression, error);
    }
  }
  if (broken !== undefined) return failed(broken);
  return (spec.validations ?? []).flatMap((validation) => {
    try {
      if (compile(validation.expression)(context) === true) return [];
    } catch (error) {
      return failed(failure(validation.expression, error));
    }
    return [{ message: messageOf(validation, context), reason: validation.reason ?? "" }];
  });
}

/** Each is evaluated when it is first used, and once. */
function variablesOf({ variables = [] }: PolicySpec, context: Record<string, unknown>): object {
  const result: Record<string, unknown> = {};
  for (const { name, expression } of variables) {
    let value: { is: unknown } | undefined;
    Object.defineProperty(result, name, { enumerable: true, get: () => (value ??= { is: compile(expression)(context) }).is });
  }
  return result;
}

function messageOf({ expression, message, messageExpression }: Validation, context: Record<string, unknown>): string {
  if (messageExpression) {
    try {
      const text = compile(messageExpression)(context);
      if (typeof text === "string" && text.trim() !== "" && !text.includes("\n")) return text.trim();
    } catch {
      // As in Kubernetes: a message that cannot be made falls back to the fixed one.
    }
  }
  return message?.trim() || `failed expression: ${expression.trim()}`;
}

function failure(expression: string, error: unknown): string {
  return `expression '${expression}' resulted in error: ${errorText(error).split("\n")[0] ?? ""}`;
}
