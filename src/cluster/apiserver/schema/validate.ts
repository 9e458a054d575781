import { compileRegex, regexProblem } from "../../../base/regex/index.ts";
import { type FieldError, resolveSchema, type Schema } from "../../../resources/index.ts";
import { equalJson, isObject, type JsonObject, quoteValue } from "../json.ts";
import { formatProblem } from "./formats.ts";

/** Errors beyond that many are not collected: the answer would only grow. */
const MAX_ERRORS = 100;

/**
 * Checks a custom resource against its structural schema, with the messages of Kubernetes' validation
 * (kube-openapi's validator and field.Error). `path` is the dotted path of `value`.
 */
export function validateSchema(value: unknown, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  check(value, schema, path, errors);
  return errors;
}

function check(value: unknown, reference: Schema, path: string, errors: FieldError[]): void {
  if (errors.length >= MAX_ERRORS || value === undefined) return;
  const schema = resolveSchema(reference);
  if (value === null) {
    if (!schema.nullable && schema.type) errors.push(wrongType(path, schema.type, "null"));
    return;
  }
  if (!checkType(value, schema, path, errors)) return;
  if (schema.enum && !schema.enum.some((allowed) => equalJson(allowed, value))) {
    const supported = schema.enum.map((allowed) => (typeof allowed === "string" ? JSON.stringify(allowed) : JSON.stringify(JSON.stringify(allowed))));
    errors.push({ type: "FieldValueNotSupported", field: path, message: `Unsupported value: ${quoteValue(value)}: supported values: ${supported.join(", ")}` });
  }
  if (typeof value === "string") checkString(value, schema, path, errors);
  else if (typeof value === "number") checkNumber(value, schema, path, errors);
  else if (Array.isArray(value)) checkArray(value, schema, path, errors);
  else if (isObject(value)) checkObject(value, schema, path, errors);
  checkCombinations(value, schema, path, errors);
}

function checkType(value: unknown, schema: Schema, path: string, errors: FieldError[]): boolean {
  const actual = jsonType(value);
  if (schema["x-kubernetes-int-or-string"]) {
    if (actual === "string" || actual === "integer") return true;
    errors.push(wrongType(path, "integer,string", actual));
    return false;
  }
  if (!schema.type || schema.type === actual || (schema.type === "number" && actual === "integer")) return true;
  errors.push(wrongType(path, schema.type, actual));
  return false;
}

function checkString(value: string, schema: Schema, path: string, errors: FieldError[]): void {
  const { minLength, maxLength, pattern, format } = schema;
  // Of its length and its form only the first fault is told.
  if (maxLength !== undefined && [...value].length > maxLength) {
    errors.push({ type: "FieldValueTooLong", field: path, message: `Too long: may not be more than ${maxLength} bytes` });
  } else if (minLength !== undefined && [...value].length < minLength)
    errors.push(invalidValue(path, value, `${path} in body should be at least ${minLength} chars long`));
  else if (pattern !== undefined && !patternOf(pattern)(value)) errors.push(invalidValue(path, value, `${path} in body should match '${pattern}'`));
  const problem = format && formatProblem(format, value);
  if (problem)
    errors.push({ ...invalidValue(path, value, `${path} in body must be of type ${format}: ${JSON.stringify(value)}`), type: "FieldValueTypeInvalid" });
}

function checkNumber(value: number, schema: Schema, path: string, errors: FieldError[]): void {
  const { minimum, maximum, format, multipleOf, exclusiveMinimum, exclusiveMaximum } = schema as Schema & {
    multipleOf?: number;
    exclusiveMinimum?: boolean;
    exclusiveMaximum?: boolean;
  };
  if (multipleOf !== undefined && !isMultiple(value, multipleOf))
    errors.push(invalidValue(path, value, `${path} in body should be a multiple of ${multipleOf}`));
  if (maximum !== undefined && (value > maximum || (exclusiveMaximum && value === maximum)))
    errors.push(invalidValue(path, value, `${path} in body should be less than ${exclusiveMaximum ? "" : "or equal to "}${maximum}`));
  if (minimum !== undefined && (value < minimum || (exclusiveMinimum && value === minimum)))
    errors.push(invalidValue(path, value, `${path} in body should be greater than ${exclusiveMinimum ? "" : "or equal to "}${minimum}`));
  if (format === "int32" && (value > 2147483647 || value < -2147483648)) {
    errors.push(invalidValue(path, value, `${path} in body must be of type int32: ${JSON.stringify(String(value))}`));
  }
}

/** With fractions, quotients are as exact as the machine's numbers. */
function isMultiple(value: number, of: number): boolean {
  const quotient = value / of;
  return Math.abs(quotient - Math.round(quotient)) < Number.EPSILON * Math.max(1, Math.abs(quotient));
}

function checkArray(value: unknown[], schema: Schema, path: string, errors: FieldError[]): void {
  const { minItems, maxItems, items } = schema;
  if (maxItems !== undefined && value.length > maxItems) errors.push(tooMany(path, value.length, maxItems));
  if (minItems !== undefined && value.length < minItems)
    errors.push(invalidValue(path, value.length, `${path} in body should have at least ${minItems} items`));
  if (items) value.forEach((item, index) => check(item, items, `${path}[${index}]`, errors));
  checkDuplicates(value, schema, path, errors);
}

function checkDuplicates(value: unknown[], schema: Schema, path: string, errors: FieldError[]): void {
  const listType = schema["x-kubernetes-list-type"];
  if (listType !== "set" && listType !== "map") return;
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const seen = new Set<string>();
  value.forEach((item, index) => {
    const identity = listType === "set" ? item : isObject(item) ? Object.fromEntries(keys.map((key) => [key, item[key]])) : item;
    const text = JSON.stringify(identity);
    if (seen.has(text)) errors.push({ type: "FieldValueDuplicate", field: `${path}[${index}]`, message: `Duplicate value: ${text}` });
    seen.add(text);
  });
}

function checkObject(value: JsonObject, schema: Schema, path: string, errors: FieldError[]): void {
  const { required, properties, additionalProperties, minProperties, maxProperties } = schema;
  const count = Object.keys(value).length;
  if (maxProperties !== undefined && count > maxProperties) errors.push(tooMany(path, count, maxProperties));
  if (minProperties !== undefined && count < minProperties)
    errors.push(invalidValue(path, count, `${path} in body should have at least ${minProperties} properties`));
  for (const name in value) {
    const below = path ? `${path}.${name}` : name;
    const own = properties && Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (own) check(value[name], own, below, errors);
    else if (typeof additionalProperties === "object") check(value[name], additionalProperties, below, errors);
  }
  for (const name of required ?? []) {
    if (value[name] === undefined) errors.push({ type: "FieldValueRequired", field: path ? `${path}.${name}` : name, message: "Required value" });
  }
}

function checkCombinations(value: unknown, schema: Schema, path: string, errors: FieldError[]): void {
  const failures = (schemas: Schema[]) => schemas.map((one) => validateSchema(value, one, path));
  // The real server's refusal is about no field, and goes on with what is wrong by the first alternative.
  const fail = (why: string, first: FieldError[] = []) => errors.push({ ...invalidValue("<nil>", "", why) }, ...first);
  const shown = JSON.stringify(path);
  for (const one of schema.allOf ?? []) {
    const below = validateSchema(value, one, path);
    if (below.length > 0) fail(`${shown} must validate all the schemas (allOf)`, below);
  }
  if (schema.anyOf && !schema["x-kubernetes-int-or-string"]) {
    const all = failures(schema.anyOf);
    if (all.every((one) => one.length > 0)) fail(`${shown} must validate at least one schema (anyOf)`, all[0]);
  }
  if (schema.oneOf) {
    const all = failures(schema.oneOf);
    const count = all.filter((one) => one.length === 0).length;
    if (count !== 1)
      fail(
        `${shown} must validate one and only one schema (oneOf). Found ${count === 0 ? "none valid" : `${count} valid alternatives`}`,
        count === 0 ? all[0] : [],
      );
  }
  if (schema.not && validateSchema(value, schema.not, path).length === 0) fail(`${shown} must not validate the schema (not)`);
}

function jsonType(value: unknown): "object" | "array" | "string" | "integer" | "number" | "boolean" {
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value === "string" ? "string" : typeof value === "boolean" ? "boolean" : "object";
}

function wrongType(path: string, expected: string, actual: string): FieldError {
  const shown = JSON.stringify(actual);
  return { type: "FieldValueTypeInvalid", field: path, message: `Invalid value: ${shown}: ${path} in body must be of type ${expected}: ${shown}` };
}

function invalidValue(path: string, value: unknown, why: string): FieldError {
  return { type: "FieldValueInvalid", field: path, message: `Invalid value: ${quoteValue(value)}: ${why}` };
}

function tooMany(path: string, actual: number, max: number): FieldError {
  return { type: "FieldValueTooMany", field: path, message: `Too many: ${actual}: must have at most ${max} items` };
}

const patterns = new Map<string, (text: string) => boolean>();

/** Schemas come and go with CRDs, whose patterns are few: kept for good. One that Go cannot read matches all. */
function patternOf(pattern: string): (text: string) => boolean {
  let compiled = patterns.get(pattern);
  if (!compiled) {
    compiled = regexProblem(pattern, "go") === undefined ? compileRegex(pattern, "go").found : () => true;
    patterns.set(pattern, compiled);
  }
  return compiled;
}
