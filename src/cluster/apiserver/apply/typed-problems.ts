import { resolveSchema, type Schema } from "../../../resources/index.ts";
import { isObject } from "../json.ts";
import { printGo } from "../schema/go-print.ts";
import { itemElement, shapeOf } from "./shape.ts";

/**
 * Why a configuration cannot be applied: fields without a schema, values of another type, list items without their keys.
 * In the words of structured-merge-diff. Custom kinds without a schema take anything.
 */
export function typedProblems(value: unknown, schema: Schema | undefined, custom: boolean): string[] {
  const problems: string[] = [];
  if (schema) visit(value, custom ? withObjectFields(schema) : schema, "", problems);
  return problems;
}

const ANYTHING: Schema = { "x-kubernetes-preserve-unknown-fields": true };

/** Schemas of custom kinds say nothing of what every object has. */
function withObjectFields(reference: Schema): Schema {
  const schema = resolveSchema(reference);
  return { ...schema, properties: { ...schema.properties, apiVersion: ANYTHING, kind: ANYTHING, metadata: ANYTHING } };
}

function visit(value: unknown, reference: Schema, path: string, problems: string[]): void {
  const schema = resolveSchema(reference);
  if (value === null || value === undefined || schema["x-kubernetes-int-or-string"]) return;
  const wanted = wantedType(schema, value);
  if (wanted) {
    problems.push(`${path}: expected ${wanted}, got ${printed(value, wanted)}`);
    return;
  }
  if (Array.isArray(value)) visitList(value, schema, path, problems);
  else if (isObject(value)) visitMap(value, schema, path, problems);
}

function visitMap(value: Record<string, unknown>, { properties, additionalProperties, ...schema }: Schema, path: string, problems: string[]): void {
  const element = typeof additionalProperties === "object" ? additionalProperties : undefined;
  const open =
    schema["x-kubernetes-preserve-unknown-fields"] === true ||
    additionalProperties === true ||
    schema["x-kubernetes-embedded-resource"] ||
    !(properties ?? element);
  for (const [name, item] of Object.entries(value)) {
    const own = properties && Object.hasOwn(properties, name) ? properties[name] : element;
    if (own) visit(item, own, `${path}.${name}`, problems);
    else if (!open) problems.push(`${path}.${name}: field not declared in schema`);
  }
}

function visitList(list: readonly unknown[], schema: Schema, path: string, problems: string[]): void {
  const shape = shapeOf(schema, list);
  const seen = new Set<string>();
  for (const [index, item] of list.entries()) {
    if (shape.kind === "list" && !isObject(item))
      problems.push(
        `${path}: element ${index}: associative list with keys may not have ${item === null ? "an element that's an explicit null" : "non-map elements"}`,
      );
    else if (shape.kind === "list") {
      const element = itemElement(shape, item, index);
      const keys = JSON.parse(element.slice(2)) as Record<string, unknown>;
      const missing = shape.keys.find((key) => !(key in keys));
      if (missing !== undefined) {
        problems.push(
          `${path}: element ${index}: associative list with keys has an element that omits key field ${JSON.stringify(missing)} (and doesn't have default value)`,
        );
        continue;
      }
      if (seen.has(element))
        problems.push(
          `${path}: duplicate entries for key [${Object.entries(keys)
            .map(([key, of]) => `${key}=${JSON.stringify(of)}`)
            .join(",")}]`,
        );
      seen.add(element);
      if (schema.items)
        visit(
          item,
          schema.items,
          `${path}[${Object.entries(keys)
            .map(([key, of]) => `${key}=${JSON.stringify(of)}`)
            .join(",")}]`,
          problems,
        );
    } else if (shape.kind === "set") {
      const element = itemElement(shape, item, index);
      if (seen.has(element)) problems.push(`${path}: duplicate entries for key [=${JSON.stringify(item)}]`);
      seen.add(element);
    } else if (schema.items) visit(item, schema.items, `${path}[${index}]`, problems);
  }
}

/** The type that a value should have and has not. */
function wantedType({ type, properties, additionalProperties }: Schema, value: unknown): string | undefined {
  switch (type ?? ((properties ?? additionalProperties) ? "object" : undefined)) {
    case "string":
      return typeof value === "string" ? undefined : "string";
    case "integer":
    case "number":
      return typeof value === "number" ? undefined : "numeric (int or float)";
    case "boolean":
      return typeof value === "boolean" ? undefined : "boolean";
    case "array":
      return Array.isArray(value) ? undefined : "list";
    case "object":
      return isObject(value) ? undefined : "map";
    default:
      return undefined;
  }
}

/** Each type's refusal prints the value in a way of its own. */
function printed(value: unknown, wanted: string): string {
  if (wanted.startsWith("numeric"))
    return Array.isArray(value) ? "[]interface {}" : isObject(value) ? "map[string]interface {}" : typeof value === "boolean" ? "bool" : typeof value;
  return wanted === "string" && typeof value !== "object" ? `&value.valueUnstructured{Value:${String(value)}}` : `&{${printGo(value)}}`;
}
