import { parseDuration } from "../../policy/index.ts";

/** Fields of Kubernetes' and Istio's types that are maps of texts, whose keys are data and not fields. */
const MAPS = new Set([
  "labels",
  "annotations",
  "nodeSelector",
  "matchLabels",
  "limits",
  "requests",
  "proxyMetadata",
  "overhead",
  "volumeAttributes",
  "data",
  "stringData",
]);

/** JSON of a Go struct: templates name its fields as Go does, `Containers` for `containers` and `UID` for `uid`. */
export class GoStruct {
  readonly #byName: ReadonlyMap<string, unknown>;

  constructor(readonly json: Readonly<Record<string, unknown>>) {
    this.#byName = new Map(Object.entries(json).map(([key, value]) => [key.toLowerCase(), MAPS.has(key) ? value : structOf(value)]));
  }

  /** A field, or what a getter of it gives; undefined where there is none. */
  get(name: string): unknown {
    const key = name.toLowerCase();
    return this.#byName.get(key) ?? (key.startsWith("get") ? this.#byName.get(key.slice(3)) : undefined);
  }
}

/** A value of JSON as templates see it: objects are structs, also those in lists. */
export function structOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(structOf);
  return typeof value === "object" && value !== null && !(value instanceof GoStruct) ? new GoStruct(value as Record<string, unknown>) : (value ?? undefined);
}

/** The JSON behind a value. */
export function jsonOf(value: unknown): unknown {
  if (value instanceof GoStruct) return value.json;
  if (Array.isArray(value)) return value.map(jsonOf);
  if (isMap(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, jsonOf(item)]));
  return value;
}

/** A field of a struct, a key of a map, or what Go's wrappers of plain values offer. */
export function fieldOf(value: unknown, name: string): unknown {
  if (value instanceof GoStruct) return value.get(name);
  if (isMap(value)) return Object.hasOwn(value, name) ? (value[name] ?? undefined) : undefined;
  if (name === "GetValue" || name === "Value" || name === "String" || name === "AsDuration") return value;
  if ((name === "Seconds" || name === "GetSeconds") && typeof value === "string") return Number(parseDuration(value)?.seconds ?? 0n);
  return undefined;
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof GoStruct);
}

/** What Go's templates take for true: whatever is not empty; a struct always is. */
export function truthy(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isMap(value)) return Object.keys(value).length > 0;
  return value !== undefined && value !== null && value !== false && value !== 0 && value !== "" && value !== 0n;
}

/** Go's fmt.Sprint: maps by their keys in order. */
export function goText(value: unknown): string {
  if (value === undefined || value === null) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(goText).join(" ")}]`;
  if (value instanceof GoStruct) return `{${Object.values(value.json).map(goText).join(" ")}}`;
  if (isMap(value))
    return `map[${Object.keys(value)
      .sort()
      .map((key) => `${key}:${goText(value[key])}`)
      .join(" ")}]`;
  return String(value);
}
