/** A JSON object whose fields are not known yet. */
export type JsonObject = { [field: string]: unknown };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A copy that shares nothing; only for JSON data. Several times faster than by way of text. */
export function cloneJson<T>(value: T): T {
  return clone(value) as T;
}

function clone(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(clone);
  const result: JsonObject = {};
  for (const key in value) {
    const item = (value as JsonObject)[key];
    if (item !== undefined) result[key] = typeof item === "object" ? clone(item) : item;
  }
  return result;
}

/** Equality of JSON data; the order of an object's fields does not count, absent and undefined are the same. */
export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => equalJson(item, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  for (const key in a) if (!equalJson(a[key], b[key])) return false;
  for (const key in b) if (b[key] !== undefined && a[key] === undefined) return false;
  return true;
}

/** Reads `a.b.c`; undefined as soon as something on the way is missing. */
export function getPath(value: unknown, path: readonly string[]): unknown {
  let current = value;
  for (const name of path) {
    if (!isObject(current)) return undefined;
    current = current[name];
  }
  return current;
}

/**
 * Go's %#v-free rendering of a value in a field error: strings quoted, everything else as compact JSON.
 * Absent values print as null.
 */
export function quoteValue(value: unknown): string {
  return JSON.stringify(value ?? null);
}
