import type { LazyFile } from "./lazy-file.ts";
import { nameOf, type LazyMessage } from "./lazy-message.ts";
import { safeName } from "./names.ts";
import type { WireReader } from "./wire.ts";

/** A gRPC service. */
export class LazyService {
  readonly kind = "service";
  readonly name: string;
  #methods: readonly LazyMethod[] | undefined;

  constructor(
    readonly file: LazyFile,
    /** Where its descriptor is in the file's. */
    private readonly start: number,
    private readonly end: number,
  ) {
    this.name = nameOf(file.reader(start, end));
  }

  get typeName(): string {
    return `${this.file.scope}${this.name}`;
  }

  get methods(): readonly LazyMethod[] {
    if (this.#methods) return this.#methods;
    const methods: LazyMethod[] = [];
    const reader = this.file.reader(this.start, this.end);
    while (reader.next()) if (reader.field === METHOD) methods.push(new LazyMethod(this, reader.inner()));
    return (this.#methods = methods);
  }

  get method(): Readonly<Record<string, LazyMethod>> {
    return Object.fromEntries(this.methods.map((method) => [method.localName, method]));
  }

  get deprecated(): boolean {
    return false;
  }

  get proto(): { readonly name: string } {
    return { name: this.name };
  }

  toString(): string {
    return `service ${this.typeName}`;
  }
}

class LazyMethod {
  readonly kind = "rpc";
  readonly name: string;
  readonly localName: string;
  readonly methodKind: "unary" | "client_streaming" | "server_streaming" | "bidi_streaming";
  readonly #input: string;
  readonly #output: string;

  constructor(
    readonly parent: LazyService,
    reader: WireReader,
  ) {
    const texts = ["", "", "", ""];
    let client = false;
    let server = false;
    while (reader.next()) {
      // Field numbers of MethodDescriptorProto: name, input_type, output_type, client_streaming, server_streaming.
      if (reader.field <= 3) texts[reader.field] = reader.text();
      else if (reader.field === 5) client = reader.varint !== 0;
      else if (reader.field === 6) server = reader.varint !== 0;
    }
    const [, name = "", input = "", output = ""] = texts;
    this.name = name;
    this.localName = safeName(safeName(name.slice(0, 1).toLowerCase() + name.slice(1)));
    this.methodKind = client && server ? "bidi_streaming" : client ? "client_streaming" : server ? "server_streaming" : "unary";
    this.#input = input;
    this.#output = output;
  }

  get input(): LazyMessage {
    return this.parent.file.resolve(this.#input) as LazyMessage;
  }

  get output(): LazyMessage {
    return this.parent.file.resolve(this.#output) as LazyMessage;
  }

  get deprecated(): boolean {
    return false;
  }

  /** IDEMPOTENCY_UNKNOWN: the generator takes method options away. */
  get idempotency(): 0 {
    return 0;
  }

  get proto(): { readonly name: string } {
    return { name: this.name };
  }

  toString(): string {
    return `rpc ${this.parent.typeName}.${this.name}`;
  }
}

/** Field number in ServiceDescriptorProto. */
const METHOD = 2;
