import { safeName, sharedPrefix } from "./names.ts";
import type { LazyFile } from "./lazy-file.ts";
import { nameOf, type LazyMessage } from "./lazy-message.ts";
import type { WireReader } from "./wire.ts";

export interface EnumValue {
  readonly kind: "enum_value";
  readonly parent: LazyEnum;
  readonly name: string;
  readonly localName: string;
  readonly jsonName: string;
  readonly number: number;
  readonly deprecated: boolean;
  readonly proto: { readonly name: string; readonly number: number };
  toString(): string;
}

interface Body {
  readonly values: readonly EnumValue[];
  readonly value: Readonly<Record<number, EnumValue>>;
  readonly sharedPrefix: string | undefined;
  readonly deprecated: boolean;
}

/** An enum whose values are read when they are first asked for. */
export class LazyEnum {
  readonly kind = "enum";
  readonly name: string;
  #body: Body | undefined;

  constructor(
    readonly file: LazyFile,
    readonly parent: LazyMessage | undefined,
    /** Where its descriptor is in the file's. */
    private readonly start: number,
    private readonly end: number,
  ) {
    this.name = nameOf(file.reader(start, end));
  }

  get typeName(): string {
    return `${(this.parent ?? this.file).scope}${this.name}`;
  }

  /** proto3's enums are open: unknown numbers are values too. */
  get open(): boolean {
    return true;
  }

  get values(): readonly EnumValue[] {
    return this.#read().values;
  }

  get value(): Readonly<Record<number, EnumValue>> {
    return this.#read().value;
  }

  get sharedPrefix(): string | undefined {
    return this.#read().sharedPrefix;
  }

  get deprecated(): boolean {
    return this.#read().deprecated;
  }

  get proto(): { readonly name: string } {
    return { name: this.name };
  }

  toString(): string {
    return `enum ${this.typeName}`;
  }

  #read(): Body {
    if (this.#body) return this.#body;
    const found: { name: string; number: number; deprecated: boolean }[] = [];
    const reader = this.file.reader(this.start, this.end);
    let deprecated = false;
    while (reader.next()) {
      if (reader.field === VALUE) found.push(readValue(reader.inner()));
      else if (reader.field === OPTIONS) deprecated = isDeprecated(reader.inner());
    }
    const prefix = sharedPrefix(
      this.name,
      found.map(({ name }) => name),
    );
    const values = found.map((each) => new Value(this, each, prefix));
    const value: Record<number, EnumValue> = {};
    // Where several names stand for a number, the first is its name.
    for (const each of values) value[each.number] ??= each;
    return (this.#body = { values, value, sharedPrefix: prefix, deprecated });
  }
}

class Value implements EnumValue {
  readonly kind = "enum_value";
  readonly name: string;
  readonly localName: string;
  readonly number: number;
  readonly deprecated: boolean;

  constructor(
    readonly parent: LazyEnum,
    { name, number, deprecated }: { name: string; number: number; deprecated: boolean },
    prefix: string | undefined,
  ) {
    this.name = name;
    this.localName = safeName(prefix === undefined ? name : name.slice(prefix.length));
    this.number = number;
    this.deprecated = deprecated;
  }

  get jsonName(): string {
    return this.name;
  }

  get proto(): { readonly name: string; readonly number: number } {
    return { name: this.name, number: this.number };
  }

  toString(): string {
    return `enum value ${this.parent.typeName}.${this.name}`;
  }
}

function readValue(reader: WireReader): { name: string; number: number; deprecated: boolean } {
  const value = { name: "", number: 0, deprecated: false };
  while (reader.next()) {
    if (reader.field === NAME) value.name = reader.text();
    else if (reader.field === VALUE_NUMBER) value.number = reader.varint;
    else if (reader.field === VALUE_OPTIONS) value.deprecated = flag(reader.inner(), VALUE_DEPRECATED);
  }
  return value;
}

function isDeprecated(options: WireReader): boolean {
  return flag(options, ENUM_DEPRECATED);
}

function flag(options: WireReader, field: number): boolean {
  let set = false;
  while (options.next()) if (options.field === field) set = options.varint !== 0;
  return set;
}

// Field numbers of google/protobuf/descriptor.proto: EnumDescriptorProto, EnumValueDescriptorProto and their options.
const NAME = 1;
const VALUE = 2;
const OPTIONS = 3;
const VALUE_NUMBER = 2;
const VALUE_OPTIONS = 3;
const ENUM_DEPRECATED = 3;
const VALUE_DEPRECATED = 1;
