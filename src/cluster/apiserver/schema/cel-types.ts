import type { Environment } from "@marcbachmann/cel-js";
import { resolveSchema, type Schema } from "../../../resources/index.ts";

const RESERVED = new Set("true false null in as break const continue else for function if import let loop package namespace return var void while".split(" "));

/** https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules */
export function escapeName(name: string): string {
  if (RESERVED.has(name)) return `__${name}__`;
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !name.includes("__")) return name;
  return name.replaceAll("__", "__underscores__").replaceAll(".", "__dot__").replaceAll("-", "__dash__").replaceAll("/", "__slash__");
}

/** CEL's types of texts that have one of these formats. */
export const TEXT_FORMATS: Record<string, string> = {
  date: "google.protobuf.Timestamp",
  "date-time": "google.protobuf.Timestamp",
  duration: "google.protobuf.Duration",
  byte: "bytes",
};

/** The CEL type of what a schema describes, with all that is in it registered in `env`; what can be several things is dyn. */
export class TypeRegistry {
  #count = 0;
  constructor(private readonly env: Environment) {}

  /** `isRoot`: a whole object, of which rules see kind, version and name too. */
  typeOf(reference: Schema | undefined, isRoot = false): string {
    if (!reference) return "dyn";
    const schema = resolveSchema(reference);
    if (schema["x-kubernetes-int-or-string"] || schema.nullable) return "dyn";
    switch (schema.type) {
      case "string":
        return TEXT_FORMATS[schema.format ?? ""] ?? "string";
      case "integer":
        return "int";
      case "number":
        return "double";
      case "boolean":
        return "bool";
      case "array":
        return `list<${this.typeOf(schema.items)}>`;
      case "object":
        return this.#object(schema, isRoot || schema["x-kubernetes-embedded-resource"] === true);
      default:
        return "dyn";
    }
  }

  #object(schema: Schema, isResource: boolean): string {
    const { properties, additionalProperties } = schema;
    if (typeof additionalProperties === "object") return `map<string, ${this.typeOf(additionalProperties)}>`;
    if (!properties || schema["x-kubernetes-preserve-unknown-fields"]) return "dyn";
    const fields: Record<string, string> = {};
    for (const [name, property] of Object.entries(properties)) fields[escapeName(name)] = this.typeOf(property);
    if (isResource) Object.assign(fields, { apiVersion: "string", kind: "string", metadata: this.#metadata() });
    return this.#register(fields);
  }

  #metadata(): string {
    return this.#register({ name: "string", generateName: "string" });
  }

  #register(fields: Record<string, string>): string {
    const name = `Object${++this.#count}`;
    this.env.registerType(name, { fields });
    return name;
  }
}
