import { errorText } from "../../../base/index.ts";
import { type FieldError, resolveSchema, type Schema } from "../../../resources/index.ts";
import { equalJson, isObject, type JsonObject } from "../json.ts";
import { compile } from "./cel-environment.ts";
import { escapeName, TEXT_FORMATS } from "./cel-types.ts";
import { hasRules } from "./validate-custom.ts";

type Rule = NonNullable<Schema["x-kubernetes-validations"]>[number];

/** Checks every x-kubernetes-validations rule of a custom resource, from the root down; transition rules need `old`. */
export function evaluateRules(object: unknown, old: unknown, schema: Schema): FieldError[] {
  const errors: FieldError[] = [];
  visit(object, old, schema, "", errors);
  return errors;
}

function visit(value: unknown, old: unknown, reference: Schema, path: string, errors: FieldError[]): void {
  const schema = resolveSchema(reference);
  if (value === undefined || value === null || !hasRules(schema)) return;
  // What was stored under older rules may stay as it is.
  const unchanged = old !== undefined && equalJson(value, old);
  for (const rule of schema["x-kubernetes-validations"] ?? []) {
    const transition = !rule.optionalOldSelf && /\boldSelf\b/.test(rule.rule);
    if (transition ? old === undefined : unchanged) continue;
    const error = evaluate(rule, value, old, schema, path);
    if (error) errors.push(error);
  }
  if (Array.isArray(value)) {
    const { items } = schema;
    if (!items) return;
    const before = Array.isArray(old) ? old : [];
    value.forEach((item, index) => visit(item, correlated(item, before, schema), items, `${path}[${index}]`, errors));
  } else if (isObject(value)) {
    const before = isObject(old) ? old : {};
    for (const name in value) {
      const own = schema.properties && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
      if (own) visit(value[name], before[name], own, path ? `${path}.${name}` : name, errors);
      else if (typeof schema.additionalProperties === "object") visit(value[name], before[name], schema.additionalProperties, `${path}[${name}]`, errors);
    }
  }
}

/** The old item that a list's item came from: only keyed lists can tell. */
function correlated(item: unknown, before: unknown[], schema: Schema): unknown {
  const keys = schema["x-kubernetes-list-map-keys"];
  if (schema["x-kubernetes-list-type"] !== "map" || !keys || !isObject(item)) return undefined;
  return before.find((other) => isObject(other) && keys.every((key) => equalJson(other[key], item[key])));
}

function evaluate(rule: Rule, value: unknown, old: unknown, schema: Schema, path: string): FieldError | undefined {
  const before = old === undefined ? undefined : toCel(old, schema);
  const variables = { self: toCel(value, schema), oldSelf: rule.optionalOldSelf ? optional(before) : before };
  const message = rule.message?.trim();
  const field = rule.fieldPath ? (path + rule.fieldPath).replace(/^\./, "") : path || "<nil>";
  let passed: unknown;
  try {
    passed = compile(rule.optionalOldSelf ? untyped(rule.rule) : rule.rule)(variables);
  } catch (error) {
    return failure("FieldValueInvalid", field, value, schema, `${celError(error)} evaluating rule: ${message ?? rule.rule}`);
  }
  if (passed === true) return undefined;
  const type = rule.reason && rule.reason in PREFIXES ? (rule.reason as keyof typeof PREFIXES) : "FieldValueInvalid";
  return failure(type, field, value, schema, computedMessage(rule, variables) ?? message ?? `failed rule: ${rule.rule.trim()}`);
}

/** What is taken out of an optional has a type that no operator of our evaluator takes; said to be dyn, it has. */
function untyped(rule: string): string {
  return rule.replaceAll(/\boldSelf\.value\(\)/g, "dyn(oldSelf.value())");
}

function optional(value: unknown): unknown {
  return value === undefined ? compile("optional.none()")({}) : compile("optional.of(value)")({ value });
}

const PREFIXES = {
  FieldValueInvalid: "Invalid value",
  FieldValueForbidden: "Forbidden",
  FieldValueRequired: "Required value",
  FieldValueDuplicate: "Duplicate value",
} as const;

function failure(type: keyof typeof PREFIXES, field: string, value: unknown, schema: Schema, why: string): FieldError {
  // The value itself is not shown, only its type: it may be large.
  const shown = type === "FieldValueInvalid" || type === "FieldValueDuplicate" ? `: ${JSON.stringify(typeName(value, schema))}` : "";
  return { type, field, message: `${PREFIXES[type]}${shown}: ${why}` };
}

function typeName(value: unknown, schema: Schema): string {
  if (schema.type) return schema.type;
  if (Array.isArray(value)) return "array";
  return typeof value === "number" ? "integer" : typeof value;
}

function computedMessage({ messageExpression }: Rule, variables: Record<string, unknown>): string | undefined {
  if (!messageExpression) return undefined;
  try {
    const text = compile(messageExpression)(variables);
    return typeof text === "string" && text.trim() !== "" && !text.includes("\n") ? text : undefined;
  } catch {
    // As in Kubernetes: a message that cannot be made falls back to the fixed one.
    return undefined;
  }
}

/** The error in cel-go's words. */
function celError(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  const text = (errorText(error).split("\n")[0] ?? "").trim();
  switch (code) {
    case "int_conversion_error":
      return "type conversion error from 'string' to 'int'";
    case "uint_conversion_error":
      return "type conversion error from 'string' to 'uint'";
    case "double_conversion_error":
      return "type conversion error from 'string' to 'double'";
    case "no_such_key":
      return text.replace("No such key", "no such key");
    case "no_matching_overload":
      return "no such overload";
    default:
      return text;
  }
}

/** JSON as CEL's values: integers are bigints, fields have the names by which rules know them. */
function toCel(value: unknown, reference: Schema | undefined): unknown {
  const schema = reference && resolveSchema(reference);
  if (typeof value === "number") return schema?.type === "number" || !Number.isInteger(value) ? value : BigInt(value);
  if (typeof value === "string") return formatted(value, schema);
  if (Array.isArray(value)) return value.map((item) => toCel(item, schema?.items));
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const name in value) {
    const own = schema?.properties && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
    const element = typeof schema?.additionalProperties === "object" ? schema.additionalProperties : undefined;
    result[own ? escapeName(name) : name] = toCel(value[name], own ?? element);
  }
  return result;
}

/** Times, durations and bytes are no texts for a rule; one that cannot be read is told of by its schema. */
function formatted(text: string, schema: Schema | undefined): unknown {
  switch (TEXT_FORMATS[schema?.format ?? ""]) {
    case "google.protobuf.Timestamp": {
      const time = new Date(text);
      return Number.isNaN(time.getTime()) ? text : time;
    }
    case "google.protobuf.Duration":
      try {
        return compile("duration(text)")({ text });
      } catch {
        return text;
      }
    case "bytes":
      return Uint8Array.from(Buffer.from(text, "base64"));
    default:
      return text;
  }
}
