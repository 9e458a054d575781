import { resolveSchema, type Schema } from "../../../resources/index.ts";
import { cloneJson, isObject, type JsonObject } from "../json.ts";

/**
 * Fills in the defaults of a structural schema, in place. A null where null is not allowed counts as absent if there is
 * a default. Defaults inside an absent object do not make the object.
 */
export function applyDefaults(value: unknown, reference: Schema | undefined): void {
  if (!reference) return;
  const schema = resolveSchema(reference);
  if (Array.isArray(value)) {
    if (schema.items) for (const item of value) applyDefaults(item, schema.items);
    return;
  }
  if (!isObject(value)) return;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    setDefault(value, name, resolveSchema(property));
    applyDefaults(value[name], property);
  }
  const { additionalProperties } = schema;
  if (typeof additionalProperties === "object") {
    for (const name in value)
      if (!schema.properties?.[name]) {
        setDefault(value, name, resolveSchema(additionalProperties));
        applyDefaults(value[name], additionalProperties);
      }
  }
}

function setDefault(object: JsonObject, name: string, schema: Schema): void {
  if (schema.default === undefined) return;
  if (object[name] === undefined || (object[name] === null && !schema.nullable)) object[name] = cloneJson(schema.default);
}
