import { ENUM_NUMBER, mismatch, ReadProblem, readNumber, readScalar } from "./go-scalars.ts";
import { durationProblem } from "./go-duration.ts";
import type { AnyResolver, EnumType, FieldType, MessageType, ValueType, WellKnown } from "./types.ts";

export interface ReadOptions {
  /** Passes over fields that a message does not have. */
  readonly allowUnknown?: boolean;
  readonly resolve?: AnyResolver;
}

const OBJECT = "map[string]json.RawMessage";
const LIST = "[]json.RawMessage";

/**
 * Reads plain data as a protobuf message, as Go's reader does: fields by both of their names, numbers as strings,
 * enumerations by number. Returns the same data with names as JSON has them, words of enumerations, and without what is
 * null. Throws a ReadProblem of the first mistake in the order of the message's fields.
 */
export function readMessage(value: unknown, type: MessageType, options: ReadOptions = {}): Record<string, unknown> {
  if (value === null || value === undefined) return {};
  if (type.open) return objectOf(value) as Record<string, unknown>;
  const rest = new Map(Object.entries(objectOf(value)));
  const read: Record<string, unknown> = {};
  for (const field of type.fields) {
    const raw = rest.get(field.jsonName) ?? rest.get(field.name);
    rest.delete(field.name);
    rest.delete(field.jsonName);
    if (raw === undefined || (raw === null && !takesNull(field))) continue;
    if (field.oneof !== undefined) for (const other of type.fields) if (other.oneof === field.oneof) delete read[other.jsonName];
    read[field.jsonName] = readField(raw, field, options);
  }
  const [unknown] = rest.keys();
  if (unknown !== undefined && !options.allowUnknown) throw new ReadProblem(`unknown field ${JSON.stringify(unknown)} in ${type.name}`);
  return read;
}

/** Null is a value of its own in free data only. */
function takesNull({ list, mapKey, type }: FieldType): boolean {
  return !list && mapKey === undefined && type.kind === "wellKnown" && type.wellKnown === "Value";
}

function objectOf(value: unknown): object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw mismatch(value, OBJECT);
  return value;
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw mismatch(value, LIST);
  return value as readonly unknown[];
}

function readField(raw: unknown, { list, mapKey, type }: FieldType, options: ReadOptions): unknown {
  if (list) return listOf(raw).map((item) => readValue(item, type, options));
  if (mapKey === undefined) return readValue(raw, type, options);
  const entries = Object.entries(objectOf(raw)).map(([key, value]): [string, unknown] => {
    if (mapKey !== "string") readScalar(key, mapKey);
    return [key, readValue(value, type, options)];
  });
  return Object.fromEntries(entries);
}

function readValue(value: unknown, type: ValueType, options: ReadOptions): unknown {
  switch (type.kind) {
    case "message":
      return readMessage(value, type, options);
    case "enum":
      return readEnum(value, type);
    case "wellKnown":
      return readWellKnown(value, type.wellKnown, options);
    case "scalar":
      return value === null ? emptyOf(type.scalar) : readScalar(value, type.scalar);
  }
}

function emptyOf(scalar: string): unknown {
  if (scalar === "string" || scalar === "bytes") return "";
  return scalar === "bool" ? false : 0;
}

function readEnum(value: unknown, { name, values }: EnumType): unknown {
  if (typeof value === "string") {
    if (!values.has(value)) throw new ReadProblem(`unknown value ${JSON.stringify(goJson(value))} for enum ${name}`);
    return value;
  }
  const number = value === null ? 0 : readNumber(value, ENUM_NUMBER, false);
  for (const [word, its] of values) if (its === number) return word;
  return number;
}

/** Text as Go writes it as JSON, where the marks of HTML are escaped. */
function goJson(text: string): string {
  return JSON.stringify(text).replace(/[<>&]/g, (mark) => `\\u00${mark.charCodeAt(0).toString(16)}`);
}

function readWellKnown(value: unknown, type: WellKnown, options: ReadOptions): unknown {
  if (value === null && type !== "Value") return type === "Struct" ? {} : undefined;
  switch (type) {
    case "Any":
      return readAny(objectOf(value) as Record<string, unknown>, options);
    case "Duration": {
      const problem = durationProblem(readScalar(value, "string") as string);
      if (problem !== undefined) throw new ReadProblem(`bad Duration: ${problem}`);
      return value;
    }
    case "Timestamp": {
      const text = readScalar(value, "string") as string;
      if (Number.isNaN(Date.parse(text)))
        throw new ReadProblem(
          `bad Timestamp: parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05.999999999Z07:00": cannot parse ${JSON.stringify(text)} as "2006"`,
        );
      return text;
    }
    case "Struct":
      return wrapped("bad StructValue", () => objectOf(value));
    case "ListValue":
      return wrapped("bad ListValue", () => listOf(value));
    case "Value":
      return value;
  }
}

function readAny(value: Record<string, unknown>, { resolve, ...options }: ReadOptions): unknown {
  const typeUrl = value["@type"];
  if (typeUrl === undefined) throw new ReadProblem("Any JSON doesn't have '@type'");
  if (typeof typeUrl !== "string") throw new ReadProblem(`can't unmarshal Any's '@type': ${JSON.stringify(JSON.stringify(typeUrl))}`);
  const type = resolve?.(typeUrl);
  if (type === undefined) throw new ReadProblem(`could not resolve Any message type: ${typeUrl}`);
  const { "@type": _, ...fields } = value;
  return {
    "@type": typeUrl,
    ...(wrapped(`can't unmarshal Any nested proto ${typeUrl}`, () => readMessage(fields, type, { ...options, ...(resolve && { resolve }) })) as object),
  };
}

/** What is told of a part becomes part of a text, and no longer a mismatch of types. */
function wrapped(prefix: string, read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    throw error instanceof ReadProblem ? new ReadProblem(`${prefix}: ${error.message}`) : error;
  }
}
