import { isObject } from "../json.ts";

/** Go's %+v of decoded JSON: `map[spec:map[replicas:x]]`. */
export function printGo(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(printGo).join(" ")}]`;
  if (isObject(value))
    return `map[${Object.keys(value)
      .sort()
      .map((key) => `${key}:${printGo(value[key])}`)
      .join(" ")}]`;
  return value === null || value === undefined ? "<nil>" : String(value);
}
