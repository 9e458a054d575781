/** One operation of a JSON Patch (RFC 6902). */
export interface PatchOperation {
  op: "add" | "replace" | "remove";
  path: string;
  value?: unknown;
}

/** The operations that make `after` of `before`. Lists that differ are replaced whole: order matters in a pod. */
export function diff(before: unknown, after: unknown, path = ""): PatchOperation[] {
  if (isRecord(before) && isRecord(after)) {
    const operations: PatchOperation[] = [];
    for (const key of Object.keys(before)) if (after[key] === undefined) operations.push({ op: "remove", path: `${path}/${escape(key)}` });
    for (const [key, value] of Object.entries(after)) {
      if (value === undefined) continue;
      if (before[key] === undefined) operations.push({ op: "add", path: `${path}/${escape(key)}`, value });
      else operations.push(...diff(before[key], value, `${path}/${escape(key)}`));
    }
    return operations;
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ op: "replace", path, value: after }];
}

const escape = (key: string): string => key.replace(/~/g, "~0").replace(/\//g, "~1");

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
