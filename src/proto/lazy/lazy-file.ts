import { LazyEnum } from "./lazy-enum.ts";
import { LazyMessage } from "./lazy-message.ts";
import { LazyService } from "./lazy-service.ts";
import { WireReader } from "./wire.ts";

/** One .proto file: the types that it declares at its top, each read when it is first asked for. */
export class LazyFile {
  readonly kind = "file";
  readonly messages: readonly LazyMessage[];
  readonly enums: readonly LazyEnum[];
  readonly services: readonly LazyService[];
  readonly #path: string;
  readonly #package: string;
  readonly #bytes: Buffer;

  /** Throws for a file that is not proto3: older syntax has defaults and groups, which nothing here knows. */
  constructor(
    descriptor: string,
    readonly dependencies: readonly LazyFile[],
  ) {
    this.#bytes = Buffer.from(descriptor, "base64");
    const messages: LazyMessage[] = [];
    const enums: LazyEnum[] = [];
    const services: LazyService[] = [];
    let path = "";
    let name = "";
    let syntax = "";
    const reader = this.reader(0, this.#bytes.length);
    while (reader.next()) {
      // Field numbers of FileDescriptorProto in google/protobuf/descriptor.proto.
      if (reader.field === 1) path = reader.text();
      else if (reader.field === 2) name = reader.text();
      else if (reader.field === 4) messages.push(new LazyMessage(this, undefined, reader.start, reader.end));
      else if (reader.field === 5) enums.push(new LazyEnum(this, undefined, reader.start, reader.end));
      else if (reader.field === 6) services.push(new LazyService(this, reader.start, reader.end));
      else if (reader.field === 12) syntax = reader.text();
    }
    if (syntax !== "proto3") throw new Error(`${path}: syntax "${syntax || "proto2"}" where proto3 is expected`);
    this.#path = path;
    this.#package = name;
    this.messages = messages;
    this.enums = enums;
    this.services = services;
  }

  /** proto3, in protobuf's enum Edition. */
  get edition(): 999 {
    return 999;
  }

  get name(): string {
    return this.#path.replace(/\.proto$/, "");
  }

  get extensions(): readonly never[] {
    return [];
  }

  get deprecated(): boolean {
    return false;
  }

  get proto(): { readonly name: string; readonly package: string; readonly syntax: string } {
    return { name: this.#path, package: this.#package, syntax: "proto3" };
  }

  /** What the full names of the types at its top begin with. */
  get scope(): string {
    return this.#package === "" ? "" : `${this.#package}.`;
  }

  reader(start: number, end: number): WireReader {
    return new WireReader(this.#bytes, start, end);
  }

  /** The type of a full name with a leading dot, of this file or of one that it imports. */
  resolve(typeName: string): LazyMessage | LazyEnum {
    const name = typeName.slice(1);
    const found = this.#declared(name) ?? this.dependencies.map((file) => file.#declared(name)).find((type) => type !== undefined);
    if (!found) throw new Error(`${this.#path}: ${name} is in none of the files that it imports`);
    return found;
  }

  toString(): string {
    return `file ${this.#path}`;
  }

  #declared(name: string): LazyMessage | LazyEnum | undefined {
    const { scope } = this;
    if (!name.startsWith(scope)) return undefined;
    const parts = name.slice(scope.length).split(".");
    const last = parts.pop();
    let messages = this.messages;
    let enums = this.enums;
    for (const part of parts) {
      const message = messages.find((each) => each.name === part);
      if (!message) return undefined;
      messages = message.nestedMessages;
      enums = message.nestedEnums;
    }
    return messages.find((each) => each.name === last) ?? enums.find((each) => each.name === last);
  }
}
