import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { SwaggerDocument, SwaggerOperation, SwaggerSchema } from "./openapi-v2.ts";

/**
 * A document of OpenAPI 2 as gnostic's message openapi.v2.Document
 * (https://github.com/google/gnostic-models/blob/main/openapiv2/OpenAPIv2.proto): the only form in which Go clients ask for it.
 */
export function encodeSwagger({ swagger, info, paths, definitions }: SwaggerDocument): Uint8Array {
  const writer = new BinaryWriter();
  text(writer, 1, swagger);
  message(writer, 2, () => {
    text(writer, 1, String(info["title"] ?? ""));
    text(writer, 2, String(info["version"] ?? ""));
  });
  message(writer, 8, () => {
    for (const [path, item] of Object.entries(paths)) {
      named(writer, 2, path, () => {
        for (const [method, operation] of Object.entries(item)) message(writer, METHOD_FIELDS[method] ?? 0, () => writeOperation(writer, operation));
      });
    }
  });
  message(writer, 9, () => {
    for (const [name, schema] of Object.entries(definitions)) named(writer, 1, name, () => writeSchema(writer, schema));
  });
  return writer.finish();
}

const METHOD_FIELDS: Record<string, number> = { get: 2, put: 3, post: 4, delete: 5, patch: 8 };

function writeOperation(writer: BinaryWriter, operation: SwaggerOperation): void {
  for (const type of operation.produces ?? []) text(writer, 6, type);
  for (const type of operation.consumes ?? []) text(writer, 7, type);
  for (const { name, in: place, type, required } of operation.parameters) {
    // ParametersItem, Parameter, NonBodyParameter, and then the query's or the path's.
    message(writer, 8, () =>
      message(writer, 1, () =>
        message(writer, 2, () =>
          message(writer, place === "query" ? 3 : 4, () => {
            if (required) flag(writer, 1);
            text(writer, 2, place);
            text(writer, 4, name);
            text(writer, place === "query" ? 6 : 5, type);
          }),
        ),
      ),
    );
  }
  message(writer, 9, () => {
    for (const [code, { description, schema }] of Object.entries(operation.responses)) {
      named(writer, 1, code, () =>
        message(writer, 1, () => {
          text(writer, 1, description);
          if (schema) message(writer, 2, () => message(writer, 1, () => writeSchema(writer, schema)));
        }),
      );
    }
  });
  extensions(writer, 13, operation);
}

function writeSchema(writer: BinaryWriter, schema: SwaggerSchema): void {
  if (schema.$ref) text(writer, 1, schema.$ref);
  if (schema.format) text(writer, 2, schema.format);
  if (schema.description) text(writer, 4, schema.description);
  if (schema.default !== undefined) message(writer, 5, () => text(writer, 2, JSON.stringify(schema.default)));
  for (const [key, field] of [
    ["maximum", 7],
    ["minimum", 9],
  ] as const)
    if (schema[key] !== undefined) writer.tag(field, WireType.Bit64).double(schema[key]);
  for (const [key, field] of LENGTHS) if (schema[key] !== undefined) writer.tag(field, WireType.Varint).int64(schema[key]);
  if (schema.pattern) text(writer, 13, schema.pattern);
  for (const name of schema.required ?? []) text(writer, 19, name);
  for (const value of schema.enum ?? []) message(writer, 20, () => text(writer, 2, JSON.stringify(value)));
  const { additionalProperties: values, items, properties } = schema;
  if (typeof values === "object") message(writer, 21, () => message(writer, 1, () => writeSchema(writer, values)));
  else if (values === true) message(writer, 21, () => flag(writer, 2));
  if (schema.type) message(writer, 22, () => text(writer, 1, schema.type ?? ""));
  if (items) message(writer, 23, () => message(writer, 1, () => writeSchema(writer, items)));
  if (properties) {
    message(writer, 25, () => {
      for (const [name, property] of Object.entries(properties)) named(writer, 1, name, () => writeSchema(writer, property));
    });
  }
  extensions(writer, 31, schema);
}

const LENGTHS = [
  ["maxLength", 11],
  ["minLength", 12],
  ["maxItems", 14],
  ["minItems", 15],
  ["maxProperties", 17],
  ["minProperties", 18],
] as const;

/** NamedAny: its value as YAML, of which JSON is a part. */
function extensions(writer: BinaryWriter, field: number, of: object): void {
  for (const [name, value] of Object.entries(of)) if (name.startsWith("x-")) named(writer, field, name, () => text(writer, 2, JSON.stringify(value)));
}

function named(writer: BinaryWriter, field: number, name: string, value: () => void): void {
  message(writer, field, () => {
    text(writer, 1, name);
    message(writer, 2, value);
  });
}

function message(writer: BinaryWriter, field: number, write: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write();
  writer.join();
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}

function flag(writer: BinaryWriter, field: number): void {
  writer.tag(field, WireType.Varint).bool(true);
}
