import type { Schema } from "../../../resources/index.ts";
import { equalJson, isObject, type JsonObject } from "../json.ts";
import { difference, emptySet, type FieldSet, insert, intersection, union } from "./field-set.ts";
import { itemElement, itemsByElement, itemSchema, type Shape, shapeOf } from "./shape.ts";

/** What changed from one object to another, as sets of fields. */
export interface Comparison {
  added: FieldSet;
  modified: FieldSet;
  removed: FieldSet;
}

/** The fields that a configuration sets: its leaves, items of lists, entries of maps. */
export function fieldSetOf(value: unknown, schema: Schema | undefined): FieldSet {
  const set = emptySet();
  collect(value, schema, set);
  return set;
}

function collect(value: unknown, schema: Schema | undefined, node: FieldSet): void {
  const shape = shapeOf(schema, value);
  if (shape.kind === "map" && isObject(value)) {
    for (const name in value) {
      const { schema: fieldSchema, declared } = shape.field(name);
      const child = emptySet();
      node.children.set(`f:${name}`, child);
      collect(value[name], fieldSchema, child);
      const emptyValue = value[name] === null || (isObject(value[name]) && Object.keys(value[name]).length === 0);
      if (emptyValue || !declared) child.member = true;
      else if (!child.member && child.children.size === 0) node.children.delete(`f:${name}`);
    }
  } else if ((shape.kind === "list" || shape.kind === "set") && Array.isArray(value)) {
    for (const [element, item] of itemsByElement(shape, value)) {
      const child = emptySet();
      node.children.set(element, child);
      collect(item, itemSchema(shape), child);
      child.member = true;
    }
  } else node.member = true;
}

/** Which fields differ between two versions of an object. A container that is new or gone counts itself. */
export function compare(before: unknown, after: unknown, schema: Schema | undefined): Comparison {
  const result: Comparison = { added: emptySet(), modified: emptySet(), removed: emptySet() };
  new Comparer(result).compare(before, after, schema);
  return result;
}

class Comparer {
  #path: string[] = [];
  constructor(private readonly result: Comparison) {}

  compare(before: unknown, after: unknown, schema: Schema | undefined): void {
    if (before === undefined && after === undefined) return;
    const shape = shapeOf(schema, after, before);
    // null takes the form of the other side.
    const sameForm = (before ?? undefined) === undefined || (after ?? undefined) === undefined || form(before) === form(after);
    if (shape.kind === "scalar" || shape.kind === "atomic" || !sameForm || (isBare(before) && isBare(after))) {
      this.#leaf(before, after);
      return;
    }
    if (shape.kind === "map") {
      const old = isObject(before) ? before : {};
      const next = isObject(after) ? after : {};
      for (const name in old) this.#child(`f:${name}`, old[name], next[name], shape.field(name).schema);
      for (const name in next) if (!(name in old)) this.#child(`f:${name}`, undefined, next[name], shape.field(name).schema);
    } else {
      const [old, next] = [before, after].map((list) => grouped(shape, Array.isArray(list) ? list : [])) as [Grouped, Grouped];
      for (const [element, items] of old) this.#items(element, items, next.get(element), itemSchema(shape));
      for (const [element, items] of next) if (!old.has(element)) this.#items(element, undefined, items, itemSchema(shape));
    }
    if (before === undefined) insert(this.result.added, this.#path);
    else if (after === undefined) insert(this.result.removed, this.#path);
  }

  #child(element: string, before: unknown, after: unknown, schema: Schema | undefined): void {
    this.#path.push(element);
    this.compare(before, after, schema);
    this.#path.pop();
  }

  /** Items of one key. Where there are several, they are one thing that can be owned as a whole only. */
  #items(element: string, before: unknown[] | undefined, after: unknown[] | undefined, schema: Schema | undefined): void {
    if ((before?.length ?? 1) === 1 && (after?.length ?? 1) === 1) return this.#child(element, before?.[0], after?.[0], schema);
    this.#path.push(element);
    this.#leaf(before, after);
    this.#path.pop();
  }

  #leaf(before: unknown, after: unknown): void {
    if (before === undefined) insert(this.result.added, this.#path);
    else if (after === undefined) insert(this.result.removed, this.#path);
    else if (!equalJson(before, after)) insert(this.result.modified, this.#path);
  }
}

type Grouped = Map<string, unknown[]>;

function grouped(shape: Shape, list: readonly unknown[]): Grouped {
  const groups: Grouped = new Map();
  for (const [index, item] of list.entries()) {
    const element = itemElement(shape, item, index);
    const group = groups.get(element);
    if (group) group.push(item);
    else groups.set(element, [item]);
  }
  return groups;
}

function form(value: unknown): "list" | "map" | "scalar" {
  return Array.isArray(value) ? "list" : isObject(value) ? "map" : "scalar";
}

/** Absent, null, or a container with nothing in it. */
function isBare(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

/** Lays a configuration over a live object: leaves are taken, maps and keyed lists merge. Shares parts of both. */
export function mergeTyped(live: unknown, config: unknown, schema: Schema | undefined): unknown {
  // null takes nothing away from what has parts.
  if (config === undefined || (config === null && typeof live === "object")) return live;
  if (live === undefined) return config;
  const shape = shapeOf(schema, config, live);
  if (shape.kind === "map" && isObject(live) && isObject(config)) {
    const merged: JsonObject = { ...live };
    for (const name in config) merged[name] = mergeTyped(live[name], config[name], shape.field(name).schema);
    return merged;
  }
  if ((shape.kind === "list" || shape.kind === "set") && Array.isArray(live) && Array.isArray(config)) {
    const elements = (list: unknown[]) => list.map((item, index) => itemElement(shape, item, index));
    const left = itemsByElement(shape, live);
    const right = itemsByElement(shape, config);
    const order = mergeOrder(elements(live), elements(config));
    return order.map((element) => mergeTyped(left.get(element), right.get(element), itemSchema(shape)));
  }
  return config;
}

/**
 * The order of a merged list: the configuration's order holds among its items, live items that it does not name keep
 * their places between them. As structured-merge-diff does it.
 */
function mergeOrder(live: string[], config: string[]): string[] {
  const inLive = new Set(live);
  const inConfig = new Set(config);
  const shared = config.filter((element) => inLive.has(element));
  const taken = new Set<string>();
  const order: string[] = [];
  let next = shared.shift();
  for (let l = 0, c = 0; l < live.length || c < config.length;) {
    const left = live[l];
    const right = config[c];
    if (left !== undefined && right !== undefined) {
      if (left === right) {
        taken.add(left);
        order.push(left);
        l++;
        c++;
        next = shared.shift();
        continue;
      }
      if (inConfig.has(left) && next !== undefined && next !== left) {
        l++;
        continue;
      }
    }
    if (left !== undefined) {
      if (!inConfig.has(left)) {
        order.push(left);
        l++;
        continue;
      }
      if (taken.has(left)) l++;
    }
    if (right !== undefined) {
      taken.add(right);
      order.push(right);
      c++;
      if (next === right) next = shared.shift();
    }
  }
  return order;
}

/** A container that lost all it had: for comparing it is null, afterwards it goes. */
export interface Emptied {
  parent: JsonObject;
  name: string;
}

/**
 * What a manager no longer sets goes from `merged`, unless somebody else owns it; what nobody ever owned stays. As
 * structured-merge-diff prunes: `previous` is what the manager set before, `owned` what all managers own now.
 */
export function prune(merged: unknown, previous: FieldSet, owned: FieldSet, schema: Schema | undefined, emptied: Emptied[]): unknown {
  const last = withNamedFields(previous, schema);
  const fieldsOf = (value: unknown) => withNamedFields(fieldSetOf(value, schema), schema);
  const all = fieldsOf(merged);
  const without = removeItems(merged, last, schema, []);
  const withOwned = removeItems(merged, difference(all, union(fieldsOf(without), withNamedFields(owned, schema))), schema, []);
  return removeItems(merged, intersection(difference(all, fieldsOf(withOwned)), last), schema, emptied);
}

/** A field that the schema names counts as a member as soon as anything below it does. */
function withNamedFields(set: FieldSet, schema: Schema | undefined): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [element, child] of set.children) {
    const map = element.startsWith("f:") ? shapeOf(schema, {}) : undefined;
    const field = map?.kind === "map" ? map.field(element.slice(2)) : undefined;
    const below = withNamedFields(child, field ? field.schema : itemSchema(shapeOf(schema, [])));
    children.set(element, field?.declared ? { ...below, member: true } : below);
  }
  return { member: set.member, children };
}

/** A value without the members of a set. A container that is left with nothing is null and noted in `emptied`. Shares what stays. */
function removeItems(value: unknown, set: FieldSet, schema: Schema | undefined, emptied: Emptied[]): unknown {
  const shape = shapeOf(schema, value);
  if (shape.kind === "map" && isObject(value)) {
    const result: JsonObject = {};
    for (const name in value) {
      const child = set.children.get(`f:${name}`);
      if (child?.member) continue;
      result[name] = child ? removeItems(value[name], child, shape.field(name).schema, emptied) : value[name];
      if (result[name] === null && value[name] !== null) emptied.push({ parent: result, name });
    }
    return Object.keys(result).length === 0 ? null : result;
  }
  if ((shape.kind === "list" || shape.kind === "set") && Array.isArray(value)) {
    const result: unknown[] = [];
    value.forEach((item: unknown, index) => {
      const child = set.children.get(itemElement(shape, item, index));
      if (!child?.member) result.push(child ? (removeItems(item, child, itemSchema(shape), emptied) ?? {}) : item);
    });
    return result.length === 0 ? null : result;
  }
  return value;
}
