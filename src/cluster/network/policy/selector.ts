import type { LabelSelector } from "../../../resources/index.ts";

type Requirement = NonNullable<LabelSelector["matchExpressions"]>[number];

const OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist"] as const;

/** Reads `{matchLabels, matchExpressions}`; an empty one selects all. Undefined for what is none. */
export function parseSelector(value: unknown): LabelSelector | undefined {
  if (!isRecord(value)) return undefined;
  const { matchLabels = {}, matchExpressions = [] } = value;
  if (!isRecord(matchLabels) || !Array.isArray(matchExpressions)) return undefined;
  // Labels are requirements too: as such no name of theirs means anything to a JavaScript object.
  const requirements: Requirement[] = [];
  for (const [key, text] of Object.entries(matchLabels)) {
    if (typeof text !== "string") return undefined;
    requirements.push({ key, operator: "In", values: [text] });
  }
  for (const expression of matchExpressions as unknown[]) {
    if (!isRecord(expression)) return undefined;
    const { key, operator, values = [] } = expression;
    const known = OPERATORS.find((each) => each === operator);
    if (typeof key !== "string" || !known || !Array.isArray(values) || !values.every((each) => typeof each === "string")) return undefined;
    // In and NotIn without values, or the others with some, mean nothing.
    if ((known === "In" || known === "NotIn") !== values.length > 0) return undefined;
    requirements.push({ key, operator: known, values });
  }
  return { matchExpressions: requirements };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
