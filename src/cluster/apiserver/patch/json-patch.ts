import { cloneJson, equalJson, isObject } from "../json.ts";

/** The patch itself is malformed (400), as opposed to not fitting the document (422). */
export class MalformedPatch extends Error {}
/** The patch does not fit the document: a failed test, a missing path. */
export class PatchMismatch extends Error {}

interface Operation {
  op: string;
  path: string[];
  from?: string[];
  value?: unknown;
}

/** More than that is refused with 413, as Kubernetes does, since each may copy a part of the document. */
export const MAX_JSON_PATCH_OPERATIONS = 10_000;

/** RFC 6902 on a document that the caller gives up. Throws MalformedPatch or PatchMismatch. */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch))
    throw new MalformedPatch(`error decoding patch: json: cannot unmarshal ${typeof patch} into Go value of type []handlers.jsonPatchOp`);
  const holder = { root: document };
  for (const item of patch) run(holder, parseOperation(item));
  return holder.root;
}

function parseOperation(item: unknown): Operation {
  if (!isObject(item) || typeof item.op !== "string") throw new PatchMismatch("Unexpected kind: unknown");
  return {
    op: item.op,
    path: parsePointer(item.path, item.op),
    ...(item.op === "move" || item.op === "copy" ? { from: parsePointer(item.from, item.op) } : {}),
    value: item.value ?? null,
  };
}

function parsePointer(pointer: unknown, op: string): string[] {
  if (typeof pointer !== "string") throw new PatchMismatch(`${op} operation: missing path`);
  // What comes before the first slash counts for nothing, as in Kubernetes' library.
  const path = pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  // Setting it would change the prototype of a shared object instead of a field.
  if (path.includes("__proto__")) throw new PatchMismatch(`${op} operation does not apply: bad path ${pointer}`);
  return path;
}

function run(holder: { root: unknown }, { op, path, from, value }: Operation): void {
  switch (op) {
    case "add":
      return add(holder, path, value);
    case "remove":
      remove(holder, path);
      return;
    case "replace":
      // Kubernetes' library lets a map's missing entry be replaced, but not a list's.
      if (!isObject(tryRead(holder, path.slice(0, -1)))) read(holder, path, "replace");
      if (path.length === 0) holder.root = value;
      else set(holder, path, value);
      return;
    case "move": {
      const moved = read(holder, from ?? [], "move");
      remove(holder, from ?? []);
      return add(holder, path, moved);
    }
    case "copy":
      return add(holder, path, cloneJson(read(holder, from ?? [], "copy")));
    case "test": {
      const found = tryRead(holder, path);
      // A missing value equals null, as in Kubernetes' library.
      if (!equalJson(found ?? null, value ?? null)) throw new PatchMismatch(`testing value /${path.join("/")} failed`);
      return;
    }
    default:
      throw new PatchMismatch(`Unexpected kind: ${op}`);
  }
}

function add(holder: { root: unknown }, path: string[], value: unknown): void {
  if (path.length === 0) {
    holder.root = value;
    return;
  }
  const parent = read(holder, path.slice(0, -1), "add");
  const last = path.at(-1) as string;
  if (Array.isArray(parent)) {
    const index = last === "-" ? parent.length : arrayIndex(last, parent.length + 1, "add");
    parent.splice(index, 0, value);
  } else if (isObject(parent)) parent[last] = value;
  else throw missing("add", path);
}

function remove(holder: { root: unknown }, path: string[]): void {
  read(holder, path, "remove");
  if (path.length === 0) {
    holder.root = null;
    return;
  }
  const parent = read(holder, path.slice(0, -1), "remove");
  const last = path.at(-1) as string;
  if (Array.isArray(parent)) parent.splice(arrayIndex(last, parent.length, "remove"), 1);
  else if (isObject(parent)) delete parent[last];
}

function set(holder: { root: unknown }, path: string[], value: unknown): void {
  const parent = read(holder, path.slice(0, -1), "replace");
  const last = path.at(-1) as string;
  if (Array.isArray(parent)) parent[arrayIndex(last, parent.length, "replace")] = value;
  else if (isObject(parent)) parent[last] = value;
}

function read(holder: { root: unknown }, path: string[], op: string): unknown {
  const value = tryRead(holder, path);
  if (value === undefined) throw missing(op, path);
  return value;
}

function tryRead(holder: { root: unknown }, path: string[]): unknown {
  let current = holder.root;
  for (const part of path) {
    if (Array.isArray(current)) current = /^\d+$/.test(part) ? current[Number(part)] : undefined;
    else if (isObject(current) && Object.hasOwn(current, part)) current = current[part];
    else return undefined;
  }
  return current;
}

function arrayIndex(part: string, length: number, op: string): number {
  const index = /^-?\d+$/.test(part) ? Number(part) : Number.NaN;
  const absolute = index < 0 ? index + length : index;
  if (!(absolute >= 0 && absolute < length))
    throw new PatchMismatch(`${op} operation does not apply: doc is missing path: index ${part}: invalid index referenced`);
  return absolute;
}

function missing(op: string, path: string[]): PatchMismatch {
  const pointer = `/${path.join("/")}`;
  return new PatchMismatch(`${op} operation does not apply: doc is missing ${op === "add" ? "path" : "key"}: ${pointer}: missing value`);
}
