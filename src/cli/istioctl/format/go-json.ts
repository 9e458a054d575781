import { ScalarType, type DescEnum, type DescField, type DescMessage, type Message, type Registry } from "@bufbuild/protobuf";
import { fromBinary, isMessage, toJson } from "@bufbuild/protobuf";
import { AnySchema, DurationSchema, FieldMaskSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";

/**
 * JSON of messages as Go's jsonpb writes it for istioctl: fields in the order of their declaration, four blanks a level,
 * Structs one level deeper than they should be. `istioctl … -o json` is compared byte for byte.
 */
export function jsonpb(schema: DescMessage, message: Message, registry: Registry): string {
  const writer: Writer = { out: [], registry };
  writeMessage(writer, reflect(schema, message), "");
  return writer.out.join("");
}

/** Go's json.MarshalIndent of a value that JSON.parse gave, with its escapes. */
export function marshalIndent(value: unknown, indent = "    "): string {
  return escapeGo(JSON.stringify(value, null, indent));
}

/** A list of messages: each as jsonpb, then indented as one document, which straightens Structs. */
export function jsonpbList(schema: DescMessage, messages: readonly Message[], registry: Registry): string {
  return marshalIndent(messages.map((message) => JSON.parse(jsonpb(schema, message, registry)) as unknown));
}

interface Writer {
  out: string[];
  registry: Registry;
}

const STEP = "    ";

function writeMessage(writer: Writer, message: ReflectMessage, indent: string, typeUrl?: string): void {
  if (typeUrl === undefined && writeWellKnown(writer, message, indent)) return;
  const { out } = writer;
  out.push("{\n");
  let first = true;
  const separate = (): void => {
    if (!first) out.push(",\n");
    first = false;
  };
  if (typeUrl !== undefined) {
    separate();
    out.push(`${indent}${STEP}"@type": ${JSON.stringify(typeUrl)}`);
  }
  for (const field of message.desc.members) {
    const present = field.kind === "oneof" ? message.oneofCase(field) : message.isSet(field) ? field : undefined;
    if (!present) continue;
    separate();
    out.push(`${indent}${STEP}${JSON.stringify(present.jsonName)}: `);
    writeValue(writer, present, message, indent);
  }
  out.push(`\n${indent}}`);
}

function writeValue(writer: Writer, field: DescField, message: ReflectMessage, indent: string): void {
  const { out } = writer;
  switch (field.fieldKind) {
    case "list": {
      const list = message.get(field);
      out.push("[");
      let comma = "";
      for (let index = 0; index < list.size; index++) {
        out.push(`${comma}\n${indent}${STEP}${STEP}`);
        writeSingular(writer, elementOf(field), list.get(index), indent + STEP);
        comma = ",";
      }
      out.push(`\n${indent}${STEP}]`);
      return;
    }
    case "map": {
      const entries = [...message.get(field)].map(([key, value]): [string, unknown] => [String(key), value]);
      out.push("{");
      let comma = "";
      for (const [key, value] of entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
        out.push(`${comma}\n${indent}${STEP}${STEP}${goString(key)}: `);
        writeSingular(writer, elementOf(field), value, indent + STEP);
        comma = ",";
      }
      out.push(`\n${indent}${STEP}}`);
      return;
    }
    default:
      writeSingular(writer, elementOf(field), message.get(field), indent);
  }
}

type Element = { kind: "message" } | { kind: "enum"; desc: DescEnum } | { kind: "scalar"; type: ScalarType };

function elementOf(field: DescField): Element {
  if (field.message) return { kind: "message" };
  if (field.enum) return { kind: "enum", desc: field.enum };
  return { kind: "scalar", type: field.scalar ?? ScalarType.STRING };
}

function writeSingular(writer: Writer, element: Element, value: unknown, indent: string): void {
  const { out } = writer;
  if (element.kind === "message") return writeMessage(writer, value as ReflectMessage, indent + STEP);
  if (element.kind === "enum") {
    const name = element.desc.value[value as number]?.name;
    out.push(element.desc.typeName === "google.protobuf.NullValue" ? "null" : name === undefined ? String(value) : JSON.stringify(name));
    return;
  }
  out.push(scalarJson(element.type, value));
}

function scalarJson(type: ScalarType, value: unknown): string {
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString("base64"));
  if (typeof value === "bigint") return `"${value}"`;
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return JSON.stringify(Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
    return goNumber(type === ScalarType.FLOAT ? shortestFloat(value) : value);
  }
  if (typeof value === "string") {
    const wide =
      type === ScalarType.INT64 || type === ScalarType.UINT64 || type === ScalarType.SINT64 || type === ScalarType.FIXED64 || type === ScalarType.SFIXED64;
    return wide ? `"${value}"` : goString(value);
  }
  return JSON.stringify(value);
}

/** encoding/json: an exponent below 1e-6 and from 1e21 on, where JavaScript agrees but for the digits of the exponent. */
function goNumber(value: number): string {
  return JSON.stringify(value).replace(/e([+-])(\d)$/, "e$10$2");
}

/** The shortest decimal that is this 32-bit float again. */
function shortestFloat(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return value;
}

function goString(text: string): string {
  return escapeGo(JSON.stringify(text));
}

/** encoding/json escapes what HTML or JavaScript would read as more than text. */
function escapeGo(json: string): string {
  return json.replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Types with a JSON form of their own. True when the message was one. */
function writeWellKnown(writer: Writer, message: ReflectMessage, indent: string): boolean {
  const { out, registry } = writer;
  const { typeName } = message.desc;
  if (!typeName.startsWith("google.protobuf.")) return false;
  switch (typeName) {
    case "google.protobuf.Any": {
      const any = message.message;
      if (isMessage(any, AnySchema)) writeAny(writer, any.typeUrl, any.value, indent);
      return true;
    }
    case "google.protobuf.Duration":
    case "google.protobuf.Timestamp":
    case "google.protobuf.FieldMask": {
      const schema = { "google.protobuf.Duration": DurationSchema, "google.protobuf.Timestamp": TimestampSchema, "google.protobuf.FieldMask": FieldMaskSchema }[
        typeName
      ];
      out.push(goString(String(toJson(schema, message.message as never, { registry }))));
      return true;
    }
    case "google.protobuf.Value": {
      const oneof = message.desc.oneofs[0];
      const field = oneof && message.oneofCase(oneof);
      if (field) writeValue(writer, field, message, indent);
      else out.push("null");
      return true;
    }
    case "google.protobuf.Struct":
    case "google.protobuf.ListValue":
    case "google.protobuf.BoolValue":
    case "google.protobuf.BytesValue":
    case "google.protobuf.StringValue":
    case "google.protobuf.Int32Value":
    case "google.protobuf.UInt32Value":
    case "google.protobuf.Int64Value":
    case "google.protobuf.UInt64Value":
    case "google.protobuf.FloatValue":
    case "google.protobuf.DoubleValue": {
      const field = message.desc.fields[0];
      if (field) writeValue(writer, field, message, indent);
      return true;
    }
    default:
      return false;
  }
}

function writeAny(writer: Writer, typeUrl: string, bytes: Uint8Array, indent: string): void {
  const { out, registry } = writer;
  const desc = registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
  // istioctl fails on a type that it does not know; one resource should not hide the others.
  if (!desc) {
    out.push(
      `{\n${indent}${STEP}"@type": ${JSON.stringify(typeUrl)},\n${indent}${STEP}"value": ${JSON.stringify(Buffer.from(bytes).toString("base64"))}\n${indent}}`,
    );
    return;
  }
  const inner = reflect(desc, fromBinary(desc, bytes));
  if (!desc.typeName.startsWith("google.protobuf.") || desc.typeName === "google.protobuf.Empty") return writeMessage(writer, inner, indent, typeUrl);
  out.push(`{\n${indent}${STEP}"@type": ${JSON.stringify(typeUrl)},\n${indent}${STEP}"value": `);
  writeMessage(writer, inner, indent + STEP);
  out.push(`\n${indent}}`);
}
