/** A label selector, read: every requirement must hold. */
export type Selector = Requirement[];

export interface Requirement {
  key: string;
  operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
  values: string[];
}

const OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist"] as const;

/** Reads `{matchLabels, matchExpressions}`; an empty one selects all. Undefined for what is none. */
export function parseSelector(value: unknown): Selector | undefined {
  if (!isRecord(value)) return undefined;
  const { matchLabels = {}, matchExpressions = [] } = value;
  if (!isRecord(matchLabels) || !Array.isArray(matchExpressions)) return undefined;
  const selector: Selector = [];
  for (const [key, text] of Object.entries(matchLabels)) {
    if (typeof text !== "string") return undefined;
    selector.push({ key, operator: "In", values: [text] });
  }
  for (const expression of matchExpressions as unknown[]) {
    if (!isRecord(expression)) return undefined;
    const { key, operator, values = [] } = expression;
    const known = OPERATORS.find((each) => each === operator);
    if (typeof key !== "string" || !known || !Array.isArray(values) || !values.every((each) => typeof each === "string")) return undefined;
    // In and NotIn without values, or the others with some, mean nothing.
    if ((known === "In" || known === "NotIn") !== values.length > 0) return undefined;
    selector.push({ key, operator: known, values });
  }
  return selector;
}

export function selects(selector: Selector, labels: Readonly<Record<string, string>>): boolean {
  return selector.every(({ key, operator, values }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    switch (operator) {
      case "In":
        return value !== undefined && values.includes(value);
      case "NotIn":
        return value === undefined || !values.includes(value);
      case "Exists":
        return value !== undefined;
      case "DoesNotExist":
        return value === undefined;
    }
  });
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
