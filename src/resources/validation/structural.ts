import { regexProblem } from "../../base/regex/index.ts";
import type { FieldError, Schema } from "../types.ts";
import { forbidden, invalid, notSupported, required } from "./field.ts";

const TYPES = ["array", "boolean", "integer", "number", "object", "string"];
const LIST_TYPES = ["atomic", "set", "map"];
/** What the alternatives of a schema may not say again: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema */
const NOT_IN_ALTERNATIVES = ["description", "type", "default", "nullable", "additionalProperties"] as const;

/** A schema of custom resources: every value has a type, every list says what it is, and defaults fit. */
export function validateStructural(schema: Schema, field: string): FieldError[] {
  const errors: FieldError[] = [];
  visit(schema, field, { root: true, alternative: false }, errors);
  return errors;
}

interface Where {
  root: boolean;
  /** Within allOf, anyOf, oneOf or not. */
  alternative: boolean;
}

function visit(at: Schema, path: string, where: Where, errors: FieldError[]): void {
  if (at.$ref !== undefined) {
    errors.push(forbidden(`${path}.$ref`, "$ref is not supported"));
    return;
  }
  if (where.alternative)
    for (const name of NOT_IN_ALTERNATIVES) if (at[name] !== undefined) errors.push(forbidden(`${path}.${name}`, "must be empty to be structural"));
  if (!where.alternative) checkType(at, path, where.root, errors);
  checkLists(at, path, errors);
  if (at.pattern !== undefined) {
    const problem = regexProblem(at.pattern, "go");
    if (problem) errors.push(invalid(`${path}.pattern`, at.pattern, `must be a valid regular expression, but isn't: ${problem}`));
  }
  if ((at as { uniqueItems?: boolean }).uniqueItems)
    errors.push(forbidden(`${path}.uniqueItems`, "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"));
  if (at.additionalProperties !== undefined && where.root) errors.push(forbidden(`${path}.additionalProperties`, "must not be used at the root"));
  else if (at.additionalProperties === false) errors.push(forbidden(`${path}.additionalProperties`, "additionalProperties cannot be set to false"));
  else if (at.additionalProperties !== undefined && at.properties && Object.keys(at.properties).length > 0)
    errors.push(forbidden(`${path}.additionalProperties`, "additionalProperties and properties are mutual exclusive"));
  if (at.default !== undefined && !where.alternative) checkDefault(at, path, errors);
  for (const [index, { rule }] of (at["x-kubernetes-validations"] ?? []).entries())
    if (!rule?.trim()) errors.push(required(`${path}.x-kubernetes-validations[${index}].rule`, "rule is not specified"));
  const below = { root: false, alternative: where.alternative };
  for (const [name, property] of Object.entries(at.properties ?? {})) {
    const own = `${path}.properties[${name}]`;
    if (where.root && name === "metadata") checkMetadata(property, own, errors);
    visit(property, own, below, errors);
  }
  if (at.items) visit(at.items, `${path}.items`, below, errors);
  if (typeof at.additionalProperties === "object") visit(at.additionalProperties, `${path}.additionalProperties`, below, errors);
  for (const name of ["allOf", "anyOf", "oneOf"] as const) {
    // The one place where alternatives name types: how int-or-string was said before it had a word.
    if (at["x-kubernetes-int-or-string"] && name !== "oneOf") continue;
    for (const [index, one] of (at[name] ?? []).entries()) visit(one, `${path}.${name}[${index}]`, { root: false, alternative: true }, errors);
  }
  if (at.not) visit(at.not, `${path}.not`, { root: false, alternative: true }, errors);
}

function checkType(at: Schema, path: string, root: boolean, errors: FieldError[]): void {
  const untyped = at["x-kubernetes-int-or-string"] || (at["x-kubernetes-preserve-unknown-fields"] && !root);
  if (!at.type && !untyped) errors.push(required(`${path}.type`, root ? "must not be empty at the root" : "must not be empty for specified object fields"));
  else if (at.type && !TYPES.includes(at.type)) errors.push(notSupported(`${path}.type`, at.type, TYPES));
  if (root && at.type && at.type !== "object") errors.push(invalid(`${path}.type`, at.type, "must be object at the root"));
}

function checkLists(at: Schema, path: string, errors: FieldError[]): void {
  if (at.type === "array" && !at.items) errors.push(required(`${path}.items`, "must be specified"));
  const type = at["x-kubernetes-list-type"];
  const keys = at["x-kubernetes-list-map-keys"];
  if (type !== undefined && !LIST_TYPES.includes(type)) errors.push(notSupported(`${path}.x-kubernetes-list-type`, type, LIST_TYPES));
  if (type !== undefined && at.type !== "array") errors.push(invalid(`${path}.type`, at.type ?? "", "must be array if x-kubernetes-list-type is specified"));
  if (type !== "map") return;
  const field = `${path}.x-kubernetes-list-map-keys`;
  if (!keys?.length) errors.push(required(field, "must not be empty if x-kubernetes-list-type is map"));
  else if (keys.some((key) => !at.items?.properties?.[key])) errors.push(invalid(field, keys, "entries must all be names of item properties"));
  else {
    for (const key of keys) {
      const required_ = at.items?.required?.includes(key) || at.items?.properties?.[key]?.default !== undefined;
      if (!required_)
        errors.push(
          required(
            `${path}.items.properties[${key}].default`,
            "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
          ),
        );
    }
  }
}

function checkMetadata({ properties = {} }: Schema, path: string, errors: FieldError[]): void {
  if (Object.keys(properties).some((name) => name !== "name" && name !== "generateName"))
    errors.push(forbidden(path, "must not specify anything other than name and generateName, but metadata is implicitly specified"));
}

/** A default of another type, or with fields that would be pruned. */
function checkDefault(at: Schema, path: string, errors: FieldError[]): void {
  const value = at.default;
  const actual = Array.isArray(value)
    ? "array"
    : value === null
      ? "null"
      : typeof value === "number"
        ? Number.isInteger(value)
          ? "integer"
          : "number"
        : typeof value;
  const fits = !at.type || actual === at.type || (at.type === "number" && actual === "integer") || (value === null && at.nullable === true);
  if (!fits)
    errors.push({
      type: "FieldValueTypeInvalid",
      field: `${path}.default`,
      message: `Invalid value: ${JSON.stringify(actual)}:  in body must be of type ${at.type}: ${JSON.stringify(actual)}`,
    });
  else if (hasUnknown(value, at)) errors.push(invalid(`${path}.default`, value, "must not have unknown fields"));
}

function hasUnknown(value: unknown, schema: Schema): boolean {
  if (Array.isArray(value)) return value.some((item) => schema.items !== undefined && hasUnknown(item, schema.items));
  if (typeof value !== "object" || value === null || schema["x-kubernetes-preserve-unknown-fields"]) return false;
  return Object.entries(value).some(([name, item]) => {
    const own = schema.properties?.[name] ?? (typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined);
    return own ? hasUnknown(item, own) : schema.additionalProperties !== true;
  });
}
