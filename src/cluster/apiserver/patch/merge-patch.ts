import { isObject, type JsonObject } from "../json.ts";

/** RFC 7386 on a document that the caller gives up: null removes, objects merge, all else replaces. */
export function applyMergePatch(document: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const target: JsonObject = isObject(document) ? document : {};
  for (const key in patch) {
    const value = patch[key];
    if (value === null) delete target[key];
    else target[key] = isObject(value) ? applyMergePatch(target[key], value) : value;
  }
  return target;
}
