import type { JsonObject } from "../json.ts";
import { MESSAGES } from "./messages.ts";
import { MalformedProtobuf, MAX_DEPTH, readFields, utf8 } from "./reader.ts";

interface Field {
  /** "" lends the fields of its message to the one around it. */
  name: string;
  type: string;
  shape: "single" | "repeated" | "map";
  /** Whether zero, false and "" are values. */
  keepZero: boolean;
}

/** One message as the JSON object that the same value would be. Unknown fields are skipped. Throws MalformedProtobuf. */
export function decodeMessage(bytes: Uint8Array, type: string, depth = 0): JsonObject {
  if (depth > MAX_DEPTH) throw new MalformedProtobuf("message is nested too deeply");
  const fields = fieldsOf(type);
  const object: JsonObject = {};
  for (const { number, value } of readFields(bytes)) {
    const field = fields.get(number);
    if (!field) continue;
    if (field.shape === "map") {
      if (typeof value === "bigint") throw wrongWire(type, field);
      const [key, item] = mapEntry(value, field.type, depth);
      if (key === "__proto__") continue;
      const map = (object[field.name] ??= {}) as JsonObject;
      map[key] = item;
    } else if (field.shape === "repeated") {
      const list = (object[field.name] ??= []) as unknown[];
      list.push(scalarOrMessage(value, field, type, depth));
    } else if (field.name === "") {
      if (typeof value === "bigint") throw wrongWire(type, field);
      Object.assign(object, decodeMessage(value, field.type, depth + 1));
    } else {
      const item = scalarOrMessage(value, field, type, depth);
      if (item === undefined || (!field.keepZero && isZero(item))) continue;
      object[field.name] = item;
    }
  }
  return object;
}

export function isKnownMessage(type: string): boolean {
  return lines().has(type);
}

function scalarOrMessage(value: bigint | Uint8Array, field: Field, type: string, depth: number): unknown {
  if (typeof value === "bigint") {
    switch (field.type) {
      case "int":
        return Number(BigInt.asIntN(64, value));
      case "bool":
        return value !== 0n;
      case "double":
        return new Float64Array(BigUint64Array.of(value).buffer)[0];
      default:
        throw wrongWire(type, field);
    }
  }
  switch (field.type) {
    case "int":
    case "bool":
    case "double":
      throw wrongWire(type, field);
    case "string":
      return utf8(value);
    case "bytes":
      return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
    case "time":
      return timeOf(value, false);
    case "microTime":
      return timeOf(value, true);
    case "quantity":
      return utf8(lengthDelimited(value, 1));
    case "raw":
      return rawJson(lengthDelimited(value, 1));
    case "intOrString":
      return intOrString(value);
    case "ExtraValue":
      return [...readFields(value)].flatMap((item) => (item.number === 1 && typeof item.value !== "bigint" ? [utf8(item.value)] : []));
    default:
      return decodeMessage(value, field.type, depth + 1);
  }
}

function mapEntry(bytes: Uint8Array, type: string, depth: number): [string, unknown] {
  let key = "";
  let item: unknown = type === "string" || type === "bytes" || type === "quantity" ? "" : {};
  for (const { number, value } of readFields(bytes)) {
    if (number === 1 && typeof value !== "bigint") key = utf8(value);
    if (number === 2) item = scalarOrMessage(value, { name: "value", type, shape: "single", keepZero: true }, "map", depth);
  }
  return [key, item];
}

/** RFC 3339; undefined for Go's zero time, which JSON writes as null. */
function timeOf(bytes: Uint8Array, micro: boolean): string | undefined {
  let seconds = 0;
  let nanos = 0;
  for (const { number, value } of readFields(bytes)) {
    if (typeof value !== "bigint") continue;
    if (number === 1) seconds = Number(BigInt.asIntN(64, value));
    if (number === 2) nanos = Number(BigInt.asIntN(32, value));
  }
  if (bytes.length === 0) return undefined;
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) throw new MalformedProtobuf("time out of range");
  const text = date.toISOString().slice(0, 19);
  return micro ? `${text}.${String(Math.floor(nanos / 1000)).padStart(6, "0")}Z` : `${text}Z`;
}

function intOrString(bytes: Uint8Array): number | string {
  let isString = false;
  let int = 0;
  let text = "";
  for (const { number, value } of readFields(bytes)) {
    if (number === 1 && typeof value === "bigint") isString = value === 1n;
    else if (number === 2 && typeof value === "bigint") int = Number(BigInt.asIntN(32, value));
    else if (number === 3 && typeof value !== "bigint") text = utf8(value);
  }
  return isString ? text : int;
}

function lengthDelimited(bytes: Uint8Array, wanted: number): Uint8Array {
  for (const { number, value } of readFields(bytes)) if (number === wanted && typeof value !== "bigint") return value;
  return new Uint8Array();
}

function rawJson(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(utf8(bytes), (key, value: unknown) => (key === "__proto__" ? undefined : value));
  } catch {
    throw new MalformedProtobuf("embedded JSON cannot be read");
  }
}

function isZero(value: unknown): boolean {
  return value === 0 || value === false || value === "";
}

function wrongWire(type: string, { name }: Field): MalformedProtobuf {
  return new MalformedProtobuf(`wrong wireType for field ${type}.${name}`);
}

const parsed = new Map<string, Map<number, Field>>();
let byName: Map<string, string> | undefined;

function lines(): Map<string, string> {
  return (byName ??= new Map(
    MESSAGES.trim()
      .split("\n")
      .map((line): [string, string] => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
  ));
}

function fieldsOf(type: string): Map<number, Field> {
  const known = parsed.get(type);
  if (known) return known;
  const fields = new Map<number, Field>();
  for (const text of (lines().get(type) ?? "").split(", ")) {
    const match = /^(\d+) (\S*) (\{)?(\w+)\}?(\[\])?(!)?$/.exec(text);
    if (!match) continue;
    const [, number, name = "", map, fieldType = "", list, keep] = match;
    fields.set(Number(number), { name, type: fieldType, shape: map ? "map" : list ? "repeated" : "single", keepZero: keep !== undefined });
  }
  parsed.set(type, fields);
  return fields;
}
