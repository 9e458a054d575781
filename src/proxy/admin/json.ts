/**
 * JSON as Envoy's admin pages have it: one blank a level, and a line end after it. The protobuf library escapes angle
 * brackets, so that a page shown as HTML cannot carry markup.
 */
export function adminJson(value: unknown): string {
  return `${JSON.stringify(value, null, 1).replace(/[<>]/g, (bracket) => (bracket === "<" ? "\\u003c" : "\\u003e"))}\n`;
}

/** A protobuf Timestamp in JSON: no fraction when it is zero. */
export function timestamp(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(".000Z", "Z");
}
