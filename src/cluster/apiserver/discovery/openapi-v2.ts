import type { Schema } from "../../../resources/index.ts";
import type { JsonNode, OpenApiDocument } from "./openapi.ts";

const V3 = "#/components/schemas/";
const V2 = "#/definitions/";
const METHODS = ["get", "put", "post", "patch", "delete"] as const;

export interface SwaggerSchema extends Omit<Schema, "properties" | "items" | "additionalProperties"> {
  properties?: Record<string, SwaggerSchema>;
  items?: SwaggerSchema;
  additionalProperties?: SwaggerSchema | boolean;
}

export interface SwaggerOperation {
  description?: string;
  consumes?: string[];
  produces?: string[];
  parameters: { name: string; in: "query" | "path"; type: string; required?: boolean; uniqueItems: true }[];
  responses: Record<string, { description: string; schema?: SwaggerSchema }>;
  [extension: `x-kubernetes-${string}`]: unknown;
}

/** OpenAPI 2, also known as Swagger: one document of all groups. */
export interface SwaggerDocument {
  swagger: "2.0";
  info: JsonNode;
  paths: Record<string, Record<string, SwaggerOperation>>;
  definitions: Record<string, SwaggerSchema>;
}

/**
 * What kubectl asks for where it finds no schema in version 3 (a kind that nobody serves), for
 * `explain --output plaintext-openapiv2`, and in its versions before 1.27 always.
 */
export function swaggerOf(documents: Iterable<OpenApiDocument>): SwaggerDocument {
  const swagger: SwaggerDocument = { swagger: "2.0", info: {}, paths: {}, definitions: {} };
  for (const { info, paths, components } of documents) {
    swagger.info = info;
    for (const [name, schema] of Object.entries(components.schemas)) swagger.definitions[name] ??= swaggerSchema(schema);
    for (const [path, item] of Object.entries(paths)) swagger.paths[path] = operations(item as V3Item);
  }
  return swagger;
}

interface V3Parameter {
  name: string;
  in: "query" | "path";
  required?: boolean;
  schema: { type: string };
}
interface V3Operation {
  parameters?: V3Parameter[];
  requestBody?: { content: Record<string, unknown> };
  responses: Record<string, { description: string; content?: Record<string, { schema: Schema }> }>;
  [extension: `x-${string}`]: unknown;
}
type V3Item = { parameters?: V3Parameter[] } & Partial<Record<(typeof METHODS)[number], V3Operation>>;

function operations(item: V3Item): Record<string, SwaggerOperation> {
  const found: Record<string, SwaggerOperation> = {};
  for (const method of METHODS) {
    const operation = item[method];
    if (!operation) continue;
    const { parameters = [], requestBody, responses, ...extensions } = operation;
    found[method] = {
      ...(requestBody ? { consumes: Object.keys(requestBody.content) } : {}),
      produces: ["application/json"],
      parameters: [...(item.parameters ?? []), ...parameters].map(({ name, in: place, required, schema }) => ({
        name,
        in: place,
        type: schema.type,
        ...(required ? { required } : {}),
        uniqueItems: true as const,
      })),
      responses: Object.fromEntries(
        Object.entries(responses).map(([code, { description, content }]) => {
          const schema = content?.["application/json"]?.schema;
          return [code, { description, ...(schema ? { schema: swaggerSchema(schema) } : {}) }];
        }),
      ),
      ...extensions,
    };
  }
  return found;
}

/** Version 2 has neither nullable nor alternatives; a reference may have a description beside it. */
function swaggerSchema(schema: Schema): SwaggerSchema {
  const reference = schema.$ref ?? schema.allOf?.[0]?.$ref;
  if (reference !== undefined) {
    const { allOf: _, $ref: __, nullable: ___, ...beside } = schema;
    return { ...(beside as SwaggerSchema), $ref: reference.replace(V3, V2) };
  }
  const {
    nullable: _,
    oneOf,
    anyOf: __,
    allOf: ___,
    not: ____,
    properties,
    items,
    additionalProperties,
    "x-kubernetes-int-or-string": either,
    ...rest
  } = schema;
  if (either || oneOf) return { ...(rest as SwaggerSchema), type: "string", ...(either || rest.format ? { format: rest.format ?? "int-or-string" } : {}) };
  return {
    ...rest,
    ...(properties ? { properties: mapValues(properties, swaggerSchema) } : {}),
    ...(items ? { items: swaggerSchema(items) } : {}),
    ...(additionalProperties === undefined
      ? {}
      : { additionalProperties: typeof additionalProperties === "object" ? swaggerSchema(additionalProperties) : additionalProperties }),
  };
}

function mapValues<T, U>(record: Record<string, T>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
