import { resolveSchema, type Schema, schemaTypeName, zeroTime } from "../../../resources/index.ts";
import { isObject, type JsonObject } from "../json.ts";
import { base64Problem, timeProblem } from "./go-formats.ts";

/** A value of the wrong JSON type, in the words of Go's decoder. */
export class TypeMismatch extends Error {}

export interface DecodeOptions {
  /** Whether empty lists and maps and nulls stay: an applied configuration owns them. */
  keepEmpty?: boolean;
  /** Strategic merges come from Go's maps and not from JSON: there other words are used. */
  words?: "converter";
}

export interface Decoded {
  object: JsonObject;
  /** Paths of fields that the schema does not know, in order: `spec.containers[0].foo`. They are not in the object. */
  unknown: string[];
}

/**
 * Reads an object as Go would read it into the kind's struct: unknown fields are dropped and reported, nulls are dropped,
 * values of the wrong type throw TypeMismatch. Returns a copy.
 */
export function decodeBuiltin(object: JsonObject, schema: Schema, kind: string, options: DecodeOptions = {}): Decoded {
  const unknown: string[] = [];
  const decoder = new Decoder(unknown, true, options);
  const decoded = decoder.value(object, schema, "", { struct: kind, path: "" });
  if (options.words === "converter") unknown.sort();
  return { object: isObject(decoded) ? decoded : {}, unknown };
}

/**
 * Prunes what a structural schema does not name, but for where it says x-kubernetes-preserve-unknown-fields. Wrong types
 * are left for validation. Returns a copy.
 */
export function pruneCustom(object: JsonObject, schema: Schema | undefined, metadata: Schema): Decoded {
  const unknown: string[] = [];
  const decoder = new Decoder(unknown, false);
  const { apiVersion, kind, metadata: objectMetadata, ...rest } = object;
  const meta = new Decoder(unknown, true).value(objectMetadata ?? {}, metadata, "metadata", { struct: "ObjectMeta", path: "metadata" });
  const body = schema ? decoder.value(rest, withoutTypeMeta(schema), "", { struct: "", path: "" }) : {};
  unknown.sort();
  return { object: { apiVersion, kind, metadata: meta, ...(isObject(body) ? body : {}) }, unknown };
}

/** Where a value sits, in Go's terms. */
interface Place {
  /** The innermost struct's type name. */
  struct: string;
  /** JSON names joined by dots, without list indexes and map keys. */
  path: string;
}

class Decoder {
  constructor(
    private readonly unknown: string[],
    /** Go's types: mismatches throw and nulls go. */
    private readonly strict: boolean,
    private readonly options: DecodeOptions = {},
  ) {}

  value(value: unknown, reference: Schema, path: string, place: Place): unknown {
    const schema = resolveSchema(reference);
    if (value === null || value === undefined) return value;
    if (schema["x-kubernetes-embedded-resource"] || isOpaque(schema)) return value;
    if (this.strict) this.#check(value, schema, reference, place);
    if (Array.isArray(value)) {
      const items = schema.items;
      return items ? value.map((item, index) => this.#element(item, items, `${path}[${index}]`, place)) : value;
    }
    if (!isObject(value)) return value;
    return this.#object(value, schema, path, { struct: schemaTypeName(reference) ?? place.struct, path: place.path });
  }

  #check(value: unknown, schema: Schema, reference: Schema, place: Place): void {
    try {
      checkType(value, schema, reference, place);
    } catch (error) {
      throw error instanceof TypeMismatch && this.options.words === "converter" && error.message.startsWith("json: ")
        ? new TypeMismatch(converterProblem(value, schema))
        : error;
    }
  }

  /** An item of a list or a map: there Go reads null as the type's zero value. */
  #element(value: unknown, schema: Schema, path: string, place: Place): unknown {
    return value === null && this.strict ? zeroOf(resolveSchema(schema)) : this.value(value, schema, path, place);
  }

  #object(value: JsonObject, schema: Schema, path: string, place: Place): JsonObject {
    const result: JsonObject = {};
    const { properties, additionalProperties } = schema;
    const keepUnknown = schema["x-kubernetes-preserve-unknown-fields"] === true || additionalProperties === true;
    const element = typeof additionalProperties === "object" ? additionalProperties : undefined;
    for (const name in value) {
      const child = value[name];
      const own = properties && Object.hasOwn(properties, name) ? properties[name] : undefined;
      const below = path ? `${path}.${name}` : name;
      if (own) {
        // Go reads null as absent; custom kinds take it only where their schema says so.
        if (child === null && !this.options.keepEmpty && (this.strict || !resolveSchema(own).nullable)) continue;
        const decoded = this.value(child, own, below, { struct: place.struct, path: place.path ? `${place.path}.${name}` : name });
        // Go writes no empty list or map where the field may be left out; no managers at all is a wish to forget them.
        if (this.strict && !this.options.keepEmpty && name !== "managedFields" && !schema.required?.includes(name) && isEmptyCollection(decoded, own)) continue;
        result[name] = decoded;
      } else if (element) {
        result[name] = this.#element(child, element, below, place);
      } else if (keepUnknown) result[name] = child;
      else this.unknown.push(below);
    }
    if (this.strict && !this.options.keepEmpty) for (const name of zeroTimesOf(properties)) result[name] ??= null;
    return result;
  }
}

const zeroTimes = new WeakMap<object, string[]>();

/** Fields whose times Go holds by value: it writes null where there is none. */
function zeroTimesOf(properties: Schema["properties"]): string[] {
  if (!properties) return [];
  const known = zeroTimes.get(properties);
  if (known) return known;
  const names = Object.keys(properties).filter((name) => properties[name] === zeroTime);
  zeroTimes.set(properties, names);
  return names;
}

/** What apimachinery's converter says where JSON's decoder would name the field. */
function converterProblem(value: unknown, schema: Schema): string {
  const kind = Array.isArray(value) ? "slice" : isObject(value) ? "map" : typeof value === "boolean" ? "bool" : typeof value === "number" ? "int64" : "string";
  switch (schema.type) {
    case "array":
      return `cannot restore slice from ${kind}`;
    case "object":
      return schema.properties ? `cannot restore struct from: ${kind}` : `cannot restore map from ${kind}`;
    case "integer":
      return `unrecognized type: ${schema.format ?? "int64"}`;
    case "number":
      return "unrecognized type: float64";
    case "boolean":
      return "unrecognized type: bool";
    default:
      return "unrecognized type: string";
  }
}

function isEmptyCollection(value: unknown, reference: Schema): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && typeof resolveSchema(reference).additionalProperties === "object" && Object.keys(value).length === 0;
}

function zeroOf({ type }: Schema): unknown {
  switch (type) {
    case "object":
      return {};
    case "array":
      return [];
    case "string":
      return "";
    case "integer":
    case "number":
      return 0;
    case "boolean":
      return false;
    default:
      return null;
  }
}

function withoutTypeMeta(reference: Schema): Schema {
  const schema = resolveSchema(reference);
  const { apiVersion: _, kind: __, metadata: ___, ...properties } = schema.properties ?? {};
  return { ...schema, properties };
}

/** Takes any JSON: preserved as a whole, or a schema that says nothing. */
function isOpaque(schema: Schema): boolean {
  return schema.type === undefined && !schema.properties && !schema.items && !schema["x-kubernetes-int-or-string"];
}

function checkType(value: unknown, schema: Schema, reference: Schema, place: Place): void {
  const actual = Array.isArray(value) ? "array" : value === null ? "null" : typeof value === "boolean" ? "bool" : typeof value;
  if (schema["x-kubernetes-int-or-string"]) {
    if (schema.format === "quantity") return checkQuantity(value, place);
    if (actual === "string" || (actual === "number" && Number.isInteger(value))) return;
    throw mismatch(actual, place, "intstr.IntOrString");
  }
  switch (schema.type) {
    case "string":
      if (actual === "string") return checkFormat(value as string, schema.format);
      break;
    case "boolean":
      if (actual === "bool") return;
      break;
    case "integer":
      if (actual === "number" && inRange(value as number, schema.format)) return;
      if (actual === "number") throw mismatch(`number ${String(value)}`, place, schema.format ?? "int64");
      break;
    case "number":
      if (actual === "number") return;
      break;
    case "array":
      if (actual === "array") return;
      break;
    case "object":
      if (actual === "object") return;
      break;
    default:
      return;
  }
  throw mismatch(actual, place, goType(reference));
}

function checkFormat(text: string, format: string | undefined): void {
  const problem = format === "date-time" ? timeProblem(text) : format === "byte" ? base64Problem(text) : undefined;
  if (problem) throw new TypeMismatch(problem);
}

const QUANTITY = /^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/;

function checkQuantity(value: unknown, place: Place): void {
  if (typeof value === "number") return;
  if (typeof value !== "string") throw mismatch(typeof value === "boolean" ? "bool" : typeof value, place, "string");
  if (!QUANTITY.test(value)) throw new TypeMismatch("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
}

function inRange(value: number, format: string | undefined): boolean {
  return Number.isInteger(value) && (format !== "int32" || (value >= -(2 ** 31) && value < 2 ** 31));
}

function mismatch(actual: string, { struct, path }: Place, type: string): TypeMismatch {
  return new TypeMismatch(
    path
      ? `json: cannot unmarshal ${actual} into Go struct field ${struct}.${path} of type ${type}`
      : `json: cannot unmarshal ${actual} into Go value of type ${type}`,
  );
}

/** Go's name of the type that a schema stands for: `[]v1.Container`, `map[string]string`. */
function goType(reference: Schema): string {
  const name = schemaTypeName(reference);
  const schema = resolveSchema(reference);
  if (name) return `${reference.$ref?.split(".").at(-2) ?? "v1"}.${name}`;
  switch (schema.type) {
    case "boolean":
      return "bool";
    case "integer":
      return schema.format ?? "int64";
    case "number":
      return "float64";
    case "array":
      return `[]${schema.items ? goType(schema.items) : "interface {}"}`;
    case "object":
      return typeof schema.additionalProperties === "object" ? `map[string]${goType(schema.additionalProperties)}` : "map[string]interface {}";
    default:
      return schema.format === "date-time" ? "v1.Time" : "string";
  }
}
