/** Reading objects whose shape nobody has checked: what is missing or of another type counts as empty. */
export type Fields = Record<string, unknown>;

export function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A list's objects; anything else in it counts as an empty one. */
export function items(value: unknown): Fields[] {
  return list(value).map(fields);
}

export function strings(value: unknown): string[] {
  return list(value).filter((item): item is string => typeof item === "string");
}
