import { resolveSchema, type Schema } from "../../../resources/index.ts";
import { equalJson, isObject, type JsonObject } from "../json.ts";
import { printGo } from "../schema/go-print.ts";

/** The patch contradicts itself or lacks a merge key. */
export class StrategicPatchError extends Error {}

const DIRECTIVE = "$patch";
const RETAIN_KEYS = "$retainKeys";
const SET_ORDER = "$setElementOrder/";
const DELETE_FROM_PRIMITIVES = "$deleteFromPrimitiveList/";

/**
 * Kubernetes' strategic merge patch: a merge patch that merges lists by key where the schema says so
 * (x-kubernetes-patch-strategy, x-kubernetes-patch-merge-key) and knows directives for deleting, replacing and ordering.
 * Takes over `original` and `patch`. See design-proposals/cli/preserve-order-in-strategic-merge-patch.
 */
export function applyStrategicMergePatch(original: JsonObject, patch: JsonObject, schema: Schema | undefined): JsonObject {
  return mergeMap(original, patch, schema);
}

function mergeMap(original: JsonObject, patch: JsonObject, schema: Schema | undefined): JsonObject {
  const directive = patch[DIRECTIVE];
  if (directive !== undefined) return replaceOrDelete(directive, patch);
  retainKeys(original, patch);
  const pending = mergeOrderedLists(original, patch, schema);
  for (const [key, value] of Object.entries(pending)) {
    if (key.startsWith(DELETE_FROM_PRIMITIVES)) {
      const field = key.slice(DELETE_FROM_PRIMITIVES.length);
      const list = original[field];
      if (Array.isArray(list) && Array.isArray(value)) original[field] = list.filter((item) => !value.includes(item));
    } else if (value === null) delete original[key];
    else original[key] = mergeField(original[key], value, fieldSchema(schema, key));
  }
  return original;
}

function mergeField(current: unknown, value: unknown, schema: Schema | undefined): unknown {
  const strategies = strategiesOf(schema);
  if (isObject(current) && isObject(value)) {
    return strategies.includes("replace") ? value : mergeMap(current, value, schema);
  }
  if (Array.isArray(current) && Array.isArray(value)) {
    return strategies.includes("merge") ? mergeList(current, value, schema) : withoutDirectives(value);
  }
  return withoutDirectives(value);
}

/** Handles each `$setElementOrder/x` with its list; returns what is left of the patch. */
function mergeOrderedLists(original: JsonObject, patch: JsonObject, schema: Schema | undefined): JsonObject {
  const rest = { ...patch };
  for (const key in patch) {
    if (!key.startsWith(SET_ORDER)) continue;
    delete rest[key];
    const field = key.slice(SET_ORDER.length);
    const order = patch[key];
    const current = original[field];
    const change = rest[field];
    if (!Array.isArray(order)) throw new StrategicPatchError(`invalid value for ${key}: expecting a list`);
    const listSchema = fieldSchema(schema, field);
    const mergeKey = listSchema?.["x-kubernetes-patch-merge-key"];
    if (Array.isArray(change)) checkOrder(change, order, mergeKey);
    let merged: unknown[];
    if (Array.isArray(current)) {
      if (Array.isArray(change)) {
        const result = mergeField(current.slice(), change, listSchema);
        merged = Array.isArray(result) ? result : [];
      } else merged = current;
    } else if (Array.isArray(change)) merged = withoutDirectives(change) as unknown[];
    else continue;
    delete rest[field];
    original[field] = ordered(merged, order, Array.isArray(current) ? current : [], mergeKey);
  }
  return rest;
}

function mergeList(original: unknown[], patch: unknown[], schema: Schema | undefined): unknown[] {
  const mergeKey = schema?.["x-kubernetes-patch-merge-key"];
  const scalars = [...original, ...patch].every((item) => !isObject(item));
  if (scalars) return ordered([...new Set([...original, ...patch])], patch, original, undefined);
  if (!mergeKey) throw new StrategicPatchError("cannot merge lists without merge key");
  let merged = original.slice();
  const changes: JsonObject[] = [];
  let replace = false;
  for (const item of patch) {
    if (!isObject(item)) throw new StrategicPatchError("cannot merge a list of objects with a scalar");
    const directive = item[DIRECTIVE];
    if (directive === undefined) changes.push(item);
    else if (directive === "replace") replace = true;
    else if (directive === "delete") {
      if (item[mergeKey] === undefined) throw noMergeKey(item, mergeKey);
      merged = merged.filter((existing) => !sameKey(existing, item, mergeKey));
    } else throw new StrategicPatchError(`Unknown patch type found: ${String(directive)}`);
  }
  if (replace) return withoutDirectives(changes) as unknown[];
  for (const item of changes) {
    if (item[mergeKey] === undefined) throw noMergeKey(item, mergeKey);
    const index = merged.findIndex((existing) => sameKey(existing, item, mergeKey));
    if (index < 0) merged.push(withoutDirectives(item));
    else merged[index] = mergeMap(merged[index] as JsonObject, item, schema?.items);
  }
  return ordered(merged, changes, original, mergeKey);
}

/** The schema of a field, through arrays' items and maps' values. */
function fieldSchema(reference: Schema | undefined, field: string): Schema | undefined {
  const schema = reference && resolveSchema(reference);
  const own = schema?.properties?.[field];
  if (own) return own;
  return typeof schema?.additionalProperties === "object" ? schema.additionalProperties : undefined;
}

function strategiesOf(schema: Schema | undefined): string[] {
  return schema?.["x-kubernetes-patch-strategy"]?.split(",") ?? [];
}

function replaceOrDelete(directive: unknown, patch: JsonObject): JsonObject {
  if (directive === "delete") return {};
  if (directive !== "replace") throw new StrategicPatchError(`Unknown patch type found: ${String(directive)}`);
  const { [DIRECTIVE]: _, ...rest } = patch;
  return rest;
}

function retainKeys(original: JsonObject, patch: JsonObject): void {
  const kept = patch[RETAIN_KEYS];
  if (kept === undefined) return;
  delete patch[RETAIN_KEYS];
  if (!Array.isArray(kept)) throw new StrategicPatchError("invalid value for $retainKeys: expecting a list");
  for (const key in patch) {
    if (patch[key] !== null && !key.startsWith("$") && !kept.includes(key)) throw new StrategicPatchError(`field ${key} is not in the $retainKeys list`);
  }
  for (const key in original) if (!kept.includes(key)) delete original[key];
}

function checkOrder(changes: unknown[], order: unknown[], mergeKey: string | undefined): void {
  let at = 0;
  for (const item of changes) {
    if (isObject(item) && item[DIRECTIVE] !== undefined) continue;
    while (at < order.length && !sameElement(order[at], item, mergeKey)) at++;
    if (at >= order.length)
      throw new StrategicPatchError(`The order in patch list:\n${printGo(changes)}\n doesn't match $setElementOrder list:\n${printGo(order)}\n`);
    at++;
  }
}

/**
 * Elements named by `order` in that order; the others keep the order of `live` and go before the first named element
 * that stood behind them.
 */
function ordered(merged: unknown[], order: unknown[], live: unknown[], mergeKey: string | undefined): unknown[] {
  const place = (list: unknown[], item: unknown) => list.findIndex((other) => sameElement(other, item, mergeKey));
  const byPlace = (list: unknown[]) => (a: unknown, b: unknown) => place(list, a) - place(list, b);
  const named = merged.filter((item) => place(order, item) >= 0).sort(byPlace(order));
  const others = merged.filter((item) => place(order, item) < 0).sort(byPlace(live));
  const result: unknown[] = [];
  let i = 0;
  let j = 0;
  while (i < others.length && j < named.length) {
    const left = place(live, others[i]);
    const right = place(live, named[j]);
    result.push(left >= 0 && right >= 0 && left < right ? others[i++] : named[j++]);
  }
  return [...result, ...others.slice(i), ...named.slice(j)];
}

function sameElement(a: unknown, b: unknown, mergeKey: string | undefined): boolean {
  return mergeKey ? sameKey(a, b, mergeKey) : equalJson(a, b);
}

function sameKey(a: unknown, b: unknown, mergeKey: string): boolean {
  return isObject(a) && isObject(b) && a[mergeKey] !== undefined && equalJson(a[mergeKey], b[mergeKey]);
}

/** What a new value becomes: nulls, directives and deleted elements are gone. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((item) => !(isObject(item) && item[DIRECTIVE] !== undefined && item[DIRECTIVE] !== "merge")).map(withoutDirectives);
  }
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const key in value) if (value[key] !== null && !isDirective(key)) result[key] = withoutDirectives(value[key]);
  return result;
}

function isDirective(key: string): boolean {
  return key === DIRECTIVE || key === RETAIN_KEYS || key.startsWith(SET_ORDER) || key.startsWith(DELETE_FROM_PRIMITIVES);
}

function noMergeKey(item: JsonObject, mergeKey: string): StrategicPatchError {
  return new StrategicPatchError(`map: ${printGo(item)} does not contain declared merge key: ${mergeKey}`);
}
