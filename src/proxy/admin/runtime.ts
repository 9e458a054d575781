import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** /runtime: the bootstrap's layers with what each says of every value; the last that says something counts. */
export function runtimeJson(bootstrapJson: string): object {
  const bootstrap = JSON.parse(bootstrapJson) as { layered_runtime?: { layers?: { name?: string; static_layer?: JsonObject }[] } };
  const layers = bootstrap.layered_runtime?.layers ?? [];
  const flat = layers.map(({ static_layer }) => new Map(flatten("", static_layer ?? {})));
  const names = new Set(flat.flatMap((layer) => [...layer.keys()]));
  const entries = Object.fromEntries(
    [...names].sort().map((name) => {
      const values = flat.map((layer) => layer.get(name) ?? "");
      return [name, { layer_values: values, final_value: values.findLast((value) => value !== "") ?? "" }];
    }),
  );
  return { entries, layers: layers.map(({ name }) => name ?? "") };
}

/** Objects are paths, but for fractions of requests, which are values. */
function* flatten(prefix: string, object: JsonObject): IterableIterator<readonly [string, string]> {
  for (const [key, value] of Object.entries(object)) {
    const name = prefix === "" ? key : `${prefix}.${key}`;
    if (isObject(value) && !("numerator" in value)) yield* flatten(name, value);
    else yield [name, isObject(value) ? JSON.stringify(value) : String(value)];
  }
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
