import { LazyEnum } from "./lazy-enum.ts";
import { LazyField, readField, type RawField } from "./lazy-field.ts";
import type { LazyFile } from "./lazy-file.ts";
import { camelCase, safeName } from "./names.ts";
import type { WireReader } from "./wire.ts";

/** A message type. What it declares is read when it is first asked for, and its fields apart from its nested types. */
export class LazyMessage {
  readonly kind = "message";
  readonly name: string;
  #types: Types | undefined;
  #members: Members | undefined;

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

  /** What the full names of nested types begin with. */
  get scope(): string {
    return `${this.typeName}.`;
  }

  get fields(): readonly LazyField[] {
    return this.#readMembers().fields;
  }

  get field(): Readonly<Record<string, LazyField>> {
    return this.#readMembers().field;
  }

  get oneofs(): readonly LazyOneof[] {
    return this.#readMembers().oneofs;
  }

  get members(): readonly (LazyField | LazyOneof)[] {
    return this.#readMembers().members;
  }

  get deprecated(): boolean {
    return this.#readTypes().deprecated;
  }

  get nestedMessages(): readonly LazyMessage[] {
    return this.#readTypes().messages;
  }

  get nestedEnums(): readonly LazyEnum[] {
    return this.#readTypes().enums;
  }

  get nestedExtensions(): readonly never[] {
    return [];
  }

  get proto(): { readonly name: string; readonly reservedName: readonly string[] } {
    return { name: this.name, reservedName: this.#readTypes().reservedNames };
  }

  /** The message that a map's entries are on the wire; undefined when `typeName`, with a leading dot, is none of those. */
  mapEntry(typeName: string): LazyMessage | undefined {
    const { mapEntries } = this.#readTypes();
    return mapEntries.length === 0 ? undefined : mapEntries.find((entry) => `.${entry.typeName}` === typeName);
  }

  toString(): string {
    return `message ${this.typeName}`;
  }

  #readTypes(): Types {
    if (this.#types) return this.#types;
    const types: Types = { messages: [], enums: [], mapEntries: [], reservedNames: [], deprecated: false };
    const reader = this.file.reader(this.start, this.end);
    while (reader.next()) {
      if (reader.field === NESTED_TYPE) {
        (isMapEntry(reader.inner()) ? types.mapEntries : types.messages).push(new LazyMessage(this.file, this, reader.start, reader.end));
      } else if (reader.field === ENUM_TYPE) types.enums.push(new LazyEnum(this.file, this, reader.start, reader.end));
      else if (reader.field === RESERVED_NAME) types.reservedNames.push(reader.text());
      else if (reader.field === OPTIONS) types.deprecated = option(reader.inner(), DEPRECATED);
    }
    return (this.#types = types);
  }

  #readMembers(): Members {
    if (this.#members) return this.#members;
    const raw: RawField[] = [];
    const declared: LazyOneof[] = [];
    const reader = this.file.reader(this.start, this.end);
    while (reader.next()) {
      if (reader.field === FIELD) raw.push(readField(reader.inner()));
      else if (reader.field === ONEOF) declared.push(new LazyOneof(this, nameOf(reader.inner())));
    }
    const members: Members = { fields: [], field: {}, oneofs: [], members: [] };
    for (const each of raw) {
      // The oneof of an optional field is only a way of writing it.
      const oneof = each.oneofIndex === undefined || each.proto3Optional ? undefined : declared[each.oneofIndex];
      const field = new LazyField(this, each, oneof);
      members.fields.push(field);
      members.field[field.localName] = field;
      if (!oneof) members.members.push(field);
      else {
        if (oneof.fields.length === 0) members.members.push(oneof);
        oneof.fields.push(field);
      }
    }
    members.oneofs.push(...declared.filter(({ fields }) => fields.length > 0));
    return (this.#members = members);
  }
}

/** Fields of which a message has at most one. */
export class LazyOneof {
  readonly kind = "oneof";
  readonly fields: LazyField[] = [];
  readonly localName: string;

  constructor(
    readonly parent: LazyMessage,
    readonly name: string,
  ) {
    this.localName = safeName(camelCase(name));
  }

  get deprecated(): boolean {
    return false;
  }

  get proto(): { readonly name: string } {
    return { name: this.name };
  }

  toString(): string {
    return `oneof ${this.parent.typeName}.${this.name}`;
  }
}

interface Types {
  readonly messages: LazyMessage[];
  readonly enums: LazyEnum[];
  readonly mapEntries: LazyMessage[];
  readonly reservedNames: string[];
  deprecated: boolean;
}

interface Members {
  readonly fields: LazyField[];
  readonly field: Record<string, LazyField>;
  readonly oneofs: LazyOneof[];
  readonly members: (LazyField | LazyOneof)[];
}

/** The first field of all descriptors that have a name. */
export function nameOf(reader: WireReader): string {
  while (reader.next()) if (reader.field === NAME) return reader.text();
  return "";
}

function isMapEntry(message: WireReader): boolean {
  while (message.next()) if (message.field === OPTIONS) return option(message.inner(), MAP_ENTRY);
  return false;
}

function option(options: WireReader, field: number): boolean {
  let set = false;
  while (options.next()) if (options.field === field) set = options.varint !== 0;
  return set;
}

// Field numbers of google/protobuf/descriptor.proto: DescriptorProto and MessageOptions.
const NAME = 1;
const FIELD = 2;
const NESTED_TYPE = 3;
const ENUM_TYPE = 4;
const OPTIONS = 7;
const ONEOF = 8;
const RESERVED_NAME = 10;
const DEPRECATED = 3;
const MAP_ENTRY = 7;
