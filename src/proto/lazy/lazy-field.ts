import { camelCase, safeName } from "./names.ts";
import type { LazyEnum } from "./lazy-enum.ts";
import type { LazyMessage, LazyOneof } from "./lazy-message.ts";
import type { WireReader } from "./wire.ts";

/** A field of a message. The types that it names are looked for when they are first asked for. */
export class LazyField {
  readonly name: string;
  readonly number: number;
  readonly localName: string;
  readonly jsonName: string;
  readonly deprecated: boolean;
  readonly fieldKind: "scalar" | "enum" | "message" | "list" | "map";
  readonly presence: number;
  readonly packed: boolean | undefined;
  readonly longAsString: boolean;
  readonly #type: number;
  readonly #typeName: string;
  readonly #isMap: boolean;
  #resolved: LazyMessage | LazyEnum | undefined;

  constructor(
    readonly parent: LazyMessage,
    raw: RawField,
    readonly oneof: LazyOneof | undefined,
  ) {
    const { name, number, type, options } = raw;
    this.name = name;
    this.number = number;
    const camel = camelCase(name);
    // A oneof's case is a value, not a property: it needs no other name.
    this.localName = oneof ? camel : safeName(camel);
    this.jsonName = raw.jsonName ?? camel;
    this.deprecated = options.deprecated;
    this.longAsString = options.jstype === JS_STRING;
    this.#type = type;
    this.#typeName = raw.typeName;
    const repeated = raw.label === REPEATED;
    this.#isMap = repeated && type === MESSAGE && parent.mapEntry(raw.typeName) !== undefined;
    const single = type === MESSAGE ? "message" : type === ENUM ? "enum" : "scalar";
    this.fieldKind = this.#isMap ? "map" : repeated ? "list" : single;
    this.presence = !repeated && (oneof !== undefined || raw.proto3Optional || type === MESSAGE) ? EXPLICIT : IMPLICIT;
    const delimited = type === MESSAGE || type === STRING || type === BYTES;
    this.packed = this.fieldKind === "list" ? !delimited && (options.packed ?? true) : undefined;
  }

  get kind(): "field" {
    return "field";
  }

  /** proto3 refuses text that is no UTF-8, and has no groups. */
  get utf8Validation(): boolean {
    return true;
  }

  get delimitedEncoding(): boolean | undefined {
    return this.#isMap || this.#type === MESSAGE ? false : undefined;
  }

  /** proto3 has no default values of its own. */
  get getDefaultValue(): (() => undefined) | undefined {
    return this.fieldKind === "list" || this.fieldKind === "map" ? undefined : noDefault;
  }

  get listKind(): "scalar" | "enum" | "message" | undefined {
    return this.fieldKind === "list" ? kindOf(this.#type) : undefined;
  }

  get mapKind(): "scalar" | "enum" | "message" | undefined {
    const value = this.#entry?.field.value;
    return value && (value.fieldKind as "scalar" | "enum" | "message");
  }

  get mapKey(): number | undefined {
    return this.#entry?.field.key?.scalar;
  }

  get scalar(): number | undefined {
    if (this.#isMap) return this.#entry?.field.value?.scalar;
    return this.#type === MESSAGE || this.#type === ENUM ? undefined : this.#type;
  }

  get message(): LazyMessage | undefined {
    if (this.#isMap) return this.#entry?.field.value?.message;
    return this.#type === MESSAGE ? (this.#resolve() as LazyMessage) : undefined;
  }

  get enum(): LazyEnum | undefined {
    if (this.#isMap) return this.#entry?.field.value?.enum;
    return this.#type === ENUM ? (this.#resolve() as LazyEnum) : undefined;
  }

  get proto(): { readonly name: string; readonly number: number; readonly jsonName: string } {
    return { name: this.name, number: this.number, jsonName: this.jsonName };
  }

  toString(): string {
    return `field ${this.parent.typeName}.${this.name}`;
  }

  get #entry(): LazyMessage | undefined {
    return this.#isMap ? this.parent.mapEntry(this.#typeName) : undefined;
  }

  #resolve(): LazyMessage | LazyEnum {
    return (this.#resolved ??= this.parent.file.resolve(this.#typeName));
  }
}

/** A field as a descriptor writes it. */
export interface RawField {
  name: string;
  number: number;
  label: number;
  type: number;
  typeName: string;
  oneofIndex: number | undefined;
  jsonName: string | undefined;
  proto3Optional: boolean;
  options: { deprecated: boolean; packed: boolean | undefined; jstype: number };
}

export function readField(reader: WireReader): RawField {
  const field: RawField = {
    name: "",
    number: 0,
    label: 0,
    type: 0,
    typeName: "",
    oneofIndex: undefined,
    jsonName: undefined,
    proto3Optional: false,
    options: { deprecated: false, packed: undefined, jstype: 0 },
  };
  while (reader.next()) {
    // Field numbers of FieldDescriptorProto in google/protobuf/descriptor.proto.
    if (reader.field === 1) field.name = reader.text();
    else if (reader.field === 3) field.number = reader.varint;
    else if (reader.field === 4) field.label = reader.varint;
    else if (reader.field === 5) field.type = reader.varint;
    else if (reader.field === 6) field.typeName = reader.text();
    else if (reader.field === 8) readOptions(reader.inner(), field.options);
    else if (reader.field === 9) field.oneofIndex = reader.varint;
    else if (reader.field === 10) field.jsonName = reader.text();
    else if (reader.field === 17) field.proto3Optional = reader.varint !== 0;
  }
  return field;
}

function readOptions(reader: WireReader, options: RawField["options"]): void {
  while (reader.next()) {
    // Field numbers of FieldOptions.
    if (reader.field === 2) options.packed = reader.varint !== 0;
    else if (reader.field === 3) options.deprecated = reader.varint !== 0;
    else if (reader.field === 6) options.jstype = reader.varint;
  }
}

function kindOf(type: number): "scalar" | "enum" | "message" {
  return type === MESSAGE ? "message" : type === ENUM ? "enum" : "scalar";
}

const noDefault = (): undefined => undefined;

// FieldDescriptorProto.Type, FieldDescriptorProto.Label, FieldOptions.JSType and FeatureSet.FieldPresence.
const STRING = 9;
const MESSAGE = 11;
const BYTES = 12;
const ENUM = 14;
const REPEATED = 3;
const JS_STRING = 1;
const EXPLICIT = 1;
const IMPLICIT = 2;
