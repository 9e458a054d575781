import { ScalarType, type DescEnum, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { newerFields, newerWords } from "./newer-envoy.ts";
import type { EnumType, FieldType, MessageType, Scalar, ValueType, WellKnown } from "./types.ts";

const SCALARS: Readonly<Record<ScalarType, Scalar>> = {
  [ScalarType.BOOL]: "bool",
  [ScalarType.BYTES]: "bytes",
  [ScalarType.DOUBLE]: "double",
  [ScalarType.FIXED32]: "uint32",
  [ScalarType.FIXED64]: "uint64",
  [ScalarType.FLOAT]: "float",
  [ScalarType.INT32]: "int32",
  [ScalarType.INT64]: "int64",
  [ScalarType.SFIXED32]: "int32",
  [ScalarType.SFIXED64]: "int64",
  [ScalarType.SINT32]: "int32",
  [ScalarType.SINT64]: "int64",
  [ScalarType.STRING]: "string",
  [ScalarType.UINT32]: "uint32",
  [ScalarType.UINT64]: "uint64",
};
const WRAPPER = /^google\.protobuf\.(Bool|Bytes|Double|Float|Int32|Int64|String|UInt32|UInt64)Value$/;
const WELL_KNOWN = /^google\.protobuf\.(Any|Duration|Timestamp|Struct|Value|ListValue)$/;

const known = new WeakMap<DescMessage, MessageType>();

/** A generated message as the reader takes it. Its fields are looked at when they are first needed: Envoy's messages hold each other. */
export function messageOf(desc: DescMessage): MessageType {
  const found = known.get(desc);
  if (found) return found;
  let fields: FieldType[] | undefined;
  const type: MessageType = {
    kind: "message",
    name: desc.typeName,
    get fields() {
      return (fields ??= [...desc.fields.map(fieldOf), ...newerFields(desc.typeName).map(newerField)]);
    },
  };
  known.set(desc, type);
  return type;
}

function fieldOf(field: DescField): FieldType {
  return { ...plainFieldOf(field), ...(field.oneof && { oneof: field.oneof.name }) };
}

function plainFieldOf(field: DescField): FieldType {
  const { name, jsonName } = field;
  switch (field.fieldKind) {
    case "scalar":
      return { name, jsonName, list: false, type: scalar(field.scalar) };
    case "enum":
      return { name, jsonName, list: false, type: enumOf(field.enum) };
    case "message":
      return { name, jsonName, list: false, type: valueOf(field.message) };
    case "list":
      return {
        name,
        jsonName,
        list: true,
        type: field.listKind === "scalar" ? scalar(field.scalar) : field.listKind === "enum" ? enumOf(field.enum) : valueOf(field.message),
      };
    case "map":
      return {
        name,
        jsonName,
        list: false,
        mapKey: SCALARS[field.mapKey],
        type: field.mapKind === "scalar" ? scalar(field.scalar) : field.mapKind === "enum" ? enumOf(field.enum) : valueOf(field.message),
      };
  }
}

/** Of a field that is not known further anything is taken. */
function newerField(name: string): FieldType {
  return { name, jsonName: name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()), list: false, type: { kind: "wellKnown", wellKnown: "Value" } };
}

function scalar(type: ScalarType): ValueType {
  return { kind: "scalar", scalar: SCALARS[type] };
}

function enumOf({ typeName, values }: DescEnum): EnumType {
  return {
    kind: "enum",
    name: typeName,
    values: new Map([
      ...values.map(({ name, number }): [string, number] => [name, number]),
      ...newerWords(typeName).map((word): [string, number] => [word, NaN]),
    ]),
  };
}

function valueOf(message: DescMessage): ValueType {
  const wrapped = WRAPPER.exec(message.typeName)?.[1];
  if (wrapped !== undefined) return { kind: "scalar", scalar: wrapped.toLowerCase() as Scalar };
  const wellKnown = WELL_KNOWN.exec(message.typeName)?.[1];
  return wellKnown === undefined ? messageOf(message) : { kind: "wellKnown", wellKnown: wellKnown as WellKnown };
}
