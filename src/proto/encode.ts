import { ScalarType, type DescField, type DescMessage, type JsonValue, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { BackwardWriter } from "./backward-writer.ts";

/**
 * Encodes a message, or what `create` takes for one, without making messages of the latter first. Gives the bytes that
 * `toBinary(schema, create(schema, init))` gives, fields in the order of their numbers; what a field is like is worked out
 * when its message type is first met. For proto3, as everything here is. Throws a TypeError or RangeError that names the
 * field for a value that its type does not hold.
 */
export function encode<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Uint8Array<ArrayBuffer> {
  writer.reset();
  if (init instanceof Encoded) writeEncoded(schema, init);
  else writeMessage(planOf(schema), init as Fields);
  return writer.finish();
}

/**
 * A message that is encoded already, to stand wherever `encode` takes such a message: what is part of many is encoded once.
 * Only `encode` understands it; its fields cannot be read.
 */
export function encoded<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): MessageShape<Desc> {
  return new Encoded(schema.typeName, encode(schema, init)) as unknown as MessageShape<Desc>;
}

/** `create` takes it for a finished message by its type's name, and leaves it as it is. */
class Encoded {
  constructor(
    readonly $typeName: string,
    readonly bytes: Uint8Array,
  ) {}
}

type Fields = Readonly<Record<string, unknown>> & {
  readonly $unknown?: readonly { readonly no: number; readonly wireType: number; readonly data: Uint8Array }[];
};

/** How the value of a field is written, whether it stands alone, in a list or in a map. */
interface ValuePlan {
  /** For errors. */
  readonly field: DescField;
  /** A message's type; its plan is made when a value first occurs. */
  readonly message: DescMessage | undefined;
  plan: Plan | undefined;
  /** google.protobuf.Struct is plain JSON in fields. */
  readonly json: boolean;
  /** The type in a wrapper such as google.protobuf.UInt32Value, which is that value itself in fields. */
  readonly wrapped: ScalarType | undefined;
  /** Enums count as INT32. */
  readonly scalar: ScalarType;
  readonly wireType: number;
}

interface FieldPlan extends ValuePlan {
  readonly name: string;
  readonly number: number;
  readonly kind: "single" | "list" | "packed" | "map";
  /** The property that holds it where it is one of several. */
  readonly oneof: string | undefined;
  /** Whether a zero is written too. */
  readonly explicit: boolean;
  readonly mapKey: ScalarType;
}

/** The fields of a message, the greatest number first. */
type Plan = readonly FieldPlan[];

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;
/** FeatureSet.FieldPresence.IMPLICIT. */
const IMPLICIT = 2;
/** Encoding neither waits nor calls back, so one buffer serves all. */
const writer = new BackwardWriter();
const plans = new WeakMap<DescMessage, Plan>();

function planOf(schema: DescMessage): Plan {
  let plan = plans.get(schema);
  if (!plan) plans.set(schema, (plan = [...schema.fields].sort((a, b) => b.number - a.number).map(planField)));
  return plan;
}

function planField(field: DescField): FieldPlan {
  const { fieldKind, message } = field;
  const single = fieldKind === "message" && field.oneof === undefined;
  const scalar = field.scalar ?? ScalarType.INT32;
  return {
    field,
    name: field.localName,
    number: field.number,
    kind: fieldKind === "map" ? "map" : fieldKind === "list" ? (field.packed ? "packed" : "list") : "single",
    oneof: field.oneof?.localName,
    explicit: field.presence !== IMPLICIT,
    mapKey: fieldKind === "map" ? field.mapKey : ScalarType.STRING,
    message,
    plan: undefined,
    json: message?.typeName === "google.protobuf.Struct" && field.parent.typeName !== "google.protobuf.Value",
    wrapped: single ? wrappedScalar(message) : undefined,
    scalar,
    wireType: message ? DELIMITED : wireTypeOf(scalar),
  };
}

function writeMessage(plan: Plan, fields: Fields): void {
  const { $unknown } = fields;
  if ($unknown) {
    for (let index = $unknown.length - 1; index >= 0; index--) {
      const { no, wireType, data } = $unknown[index] as { no: number; wireType: number; data: Uint8Array };
      writer.raw(data);
      writer.tag(no, wireType);
    }
  }
  for (const field of plan) {
    let value: unknown;
    if (field.oneof === undefined) value = fields[field.name];
    else {
      const oneof = fields[field.oneof] as { case?: string; value?: unknown } | undefined;
      if (oneof?.case !== field.name) continue;
      ({ value } = oneof);
    }
    if (value !== undefined && value !== null) writeField(field, value);
  }
}

function writeField(field: FieldPlan, value: unknown): void {
  switch (field.kind) {
    case "single":
      if (!field.explicit && isZero(value)) return;
      writeValue(field, value);
      writer.tag(field.number, field.wireType);
      return;
    case "list": {
      const items = value as readonly unknown[];
      for (let index = items.length - 1; index >= 0; index--) {
        writeValue(field, items[index]);
        writer.tag(field.number, field.wireType);
      }
      return;
    }
    case "packed": {
      const items = value as readonly unknown[];
      if (items.length === 0) return;
      const end = writer.position;
      for (let index = items.length - 1; index >= 0; index--) writeScalar(field.field, field.scalar, items[index]);
      writer.delimit(field.number, end);
      return;
    }
    case "map": {
      const keys = Object.keys(value as object);
      for (let index = keys.length - 1; index >= 0; index--) {
        const key = keys[index] as string;
        const end = writer.position;
        writeValue(field, (value as Record<string, unknown>)[key]);
        writer.tag(2, field.wireType);
        writeScalar(field.field, field.mapKey, keyOf(field.mapKey, key));
        writer.tag(1, wireTypeOf(field.mapKey));
        writer.delimit(field.number, end);
      }
    }
  }
}

/** With its length where it has one, without its tag. */
function writeValue(field: ValuePlan, value: unknown): void {
  const { message } = field;
  if (!message) return writeScalar(field.field, field.scalar, value);
  const end = writer.position;
  if (field.json) writeStruct(value as Record<string, JsonValue>);
  else if (field.wrapped !== undefined && typeof value !== "object") writeWrapped(field, field.wrapped, value);
  else if (field.wrapped === ScalarType.BYTES && value instanceof Uint8Array) writeWrapped(field, field.wrapped, value);
  else if (typeof value !== "object") throw mismatch(field.field, value);
  else if (value instanceof Encoded) writeEncoded(message, value, field.field);
  else writeMessage((field.plan ??= planOf(message)), value as Fields);
  writer.length(end);
}

function writeEncoded(schema: DescMessage, value: Encoded, field?: DescField): void {
  if (value.$typeName !== schema.typeName) throw new TypeError(`${(field ?? schema).toString()}: an encoded ${value.$typeName} does not fit`);
  writer.raw(value.bytes);
}

function writeWrapped({ field }: ValuePlan, scalar: ScalarType, value: unknown): void {
  if (isZero(value)) return;
  writeScalar(field, scalar, value);
  writer.tag(1, wireTypeOf(scalar));
}

function writeScalar(field: DescField, scalar: ScalarType, value: unknown): void {
  switch (scalar) {
    case ScalarType.STRING:
      if (typeof value !== "string") throw mismatch(field, value);
      return writer.text(value);
    case ScalarType.BYTES: {
      const bytes = Array.isArray(value) ? Uint8Array.from(value as number[]) : value;
      if (!(bytes instanceof Uint8Array)) throw mismatch(field, value);
      const end = writer.position;
      writer.raw(bytes);
      return writer.length(end);
    }
    case ScalarType.BOOL:
      if (typeof value !== "boolean") throw mismatch(field, value);
      return writer.varint(value ? 1 : 0);
    case ScalarType.INT32:
      return writer.int32(integer(field, value, -(2 ** 31), 2 ** 31 - 1));
    case ScalarType.UINT32:
      return writer.varint(integer(field, value, 0, 2 ** 32 - 1));
    case ScalarType.SINT32: {
      const number = integer(field, value, -(2 ** 31), 2 ** 31 - 1);
      return writer.varint(((number << 1) ^ (number >> 31)) >>> 0);
    }
    case ScalarType.FIXED32:
      return writer.fixed32(integer(field, value, 0, 2 ** 32 - 1));
    case ScalarType.SFIXED32:
      return writer.fixed32(integer(field, value, -(2 ** 31), 2 ** 31 - 1));
    case ScalarType.FLOAT:
      return writer.float(real(field, value));
    case ScalarType.DOUBLE:
      return writer.double(real(field, value));
    case ScalarType.INT64:
      return writer.varint64(long(field, value, true));
    case ScalarType.UINT64:
      return writer.varint64(long(field, value, false));
    case ScalarType.SINT64: {
      const number = long(field, value, true);
      return writer.varint64((number << 1n) ^ (number >> 63n));
    }
    case ScalarType.FIXED64:
      return writer.fixed64(long(field, value, false));
    case ScalarType.SFIXED64:
      return writer.fixed64(long(field, value, true));
  }
}

/** google.protobuf.Struct: a map of google.protobuf.Value. */
function writeStruct(json: Readonly<Record<string, JsonValue>>): void {
  const keys = Object.keys(json);
  for (let index = keys.length - 1; index >= 0; index--) {
    const key = keys[index] as string;
    const end = writer.position;
    writeJson(json[key] as JsonValue);
    writer.delimit(2, end);
    writer.text(key);
    writer.tag(1, DELIMITED);
    writer.delimit(1, end);
  }
}

/** google.protobuf.Value. */
function writeJson(value: JsonValue): void {
  if (value === null || value === undefined) {
    writer.varint(0);
    return writer.tag(1, VARINT);
  }
  if (typeof value === "number") {
    writer.double(value);
    return writer.tag(2, FIXED64);
  }
  if (typeof value === "string") {
    writer.text(value);
    return writer.tag(3, DELIMITED);
  }
  if (typeof value === "boolean") {
    writer.varint(value ? 1 : 0);
    return writer.tag(4, VARINT);
  }
  const end = writer.position;
  if (!Array.isArray(value)) {
    writeStruct(value);
    return writer.delimit(5, end);
  }
  for (let index = value.length - 1; index >= 0; index--) {
    const itemEnd = writer.position;
    writeJson(value[index] as JsonValue);
    writer.delimit(1, itemEnd);
  }
  writer.delimit(6, end);
}

function isZero(value: unknown): boolean {
  return value === 0
    ? !Object.is(value, -0)
    : value === "" || value === false || value === 0n || (value instanceof Uint8Array && value.length === 0) || (Array.isArray(value) && value.length === 0);
}

/** Keys of maps are names of properties. */
function keyOf(scalar: ScalarType, key: string): unknown {
  switch (scalar) {
    case ScalarType.STRING:
      return key;
    case ScalarType.BOOL:
      return key === "true";
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return BigInt(key);
    default:
      return Number(key);
  }
}

function wireTypeOf(scalar: ScalarType): number {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return DELIMITED;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return FIXED64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return FIXED32;
    default:
      return VARINT;
  }
}

function wrappedScalar(message: DescMessage | undefined): ScalarType | undefined {
  return message?.typeName.startsWith("google.protobuf.") &&
    message.typeName.endsWith("Value") &&
    message.typeName !== "google.protobuf.Value" &&
    message.typeName !== "google.protobuf.ListValue"
    ? message.fields[0]?.scalar
    : undefined;
}

function integer(field: DescField, value: unknown, min: number, max: number): number {
  if (typeof value !== "number") throw mismatch(field, value);
  if (!Number.isInteger(value) || value < min || value > max) throw new RangeError(`${field.toString()}: ${value} is no integer from ${min} to ${max}`);
  return value;
}

function real(field: DescField, value: unknown): number {
  if (typeof value !== "number") throw mismatch(field, value);
  return value;
}

function long(field: DescField, value: unknown, signed: boolean): bigint {
  if (typeof value !== "bigint" && !Number.isInteger(value) && typeof value !== "string") throw mismatch(field, value);
  const number = BigInt(value as bigint | number | string);
  if ((signed ? BigInt.asIntN(64, number) : BigInt.asUintN(64, number)) !== number) throw new RangeError(`${field.toString()}: ${number} does not fit`);
  return number;
}

function mismatch(field: DescField, value: unknown): TypeError {
  return new TypeError(`${field.toString()}: a value of type ${value === null ? "null" : typeof value} does not fit`);
}
