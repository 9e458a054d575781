import { errorText } from "../../../../base/index.ts";
import type { Webhook } from "../../../../resources/index.ts";
import { isObject, type JsonObject } from "../../json.ts";
import { WebhookUnavailable } from "./caller.ts";

/**
 * Whether all matchConditions of a webhook hold. One that is false decides; else one that cannot be evaluated counts as a
 * webhook that failed.
 */
export async function conditionsHold({ matchConditions = [] }: Webhook, request: JsonObject): Promise<boolean> {
  if (matchConditions.length === 0) return true;
  const { compile } = await import("../../schema/cel-environment.ts");
  const variables = { request: numbers(request), object: numbers(request.object), oldObject: numbers(request.oldObject) };
  let failed: unknown;
  for (const { expression } of matchConditions) {
    try {
      if (compile(expression)(variables) !== true) return false;
    } catch (error) {
      failed = error;
    }
  }
  if (failed !== undefined) throw new WebhookUnavailable(`failed to evaluate match conditions: ${errorText(failed).split("\n")[0] ?? ""}`);
  return true;
}

/** Plain data as CEL has it: whole numbers are integers. */
export function numbers(value: unknown): unknown {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(numbers);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, numbers(item)]));
}
