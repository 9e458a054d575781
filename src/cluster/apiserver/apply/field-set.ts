import { isObject, type JsonObject } from "../json.ts";

/**
 * A set of fields as a tree. Keys are path elements as FieldsV1 writes them: `f:name`, `k:{"name":"x"}`, `v:"x"`.
 * `member` says whether the path up to here is itself in the set ("." in FieldsV1, or a leaf).
 */
export interface FieldSet {
  member: boolean;
  children: Map<string, FieldSet>;
}

export function emptySet(): FieldSet {
  return { member: false, children: new Map() };
}

export function isEmpty(set: FieldSet | undefined): boolean {
  return set === undefined || (!set.member && set.children.size === 0);
}

export function insert(set: FieldSet, path: readonly string[]): void {
  descend(set, path).member = true;
}

/** The node at a path, made where missing: only for paths that will get members, lest empty nodes stay. */
function descend(set: FieldSet, path: readonly string[]): FieldSet {
  let node = set;
  for (const element of path) {
    let child = node.children.get(element);
    if (!child) node.children.set(element, (child = emptySet()));
    node = child;
  }
  return node;
}

/** Shares parts of both. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(b)) return a;
  if (isEmpty(a)) return b;
  const children = new Map(a.children);
  for (const [element, child] of b.children) {
    const own = children.get(element);
    children.set(element, own ? union(own, child) : child);
  }
  return { member: a.member || b.member, children };
}

/** What is in `a` and not in `b`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return combine(a, b, (inA, inB) => inA && !inB, true);
}

/** What is in both. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return combine(a, b, (inA, inB) => inA && inB, false);
}

/** As difference, but a member of `b` takes everything below it along. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    if (other?.member) continue;
    const rest = other ? recursiveDifference(child, other) : child;
    if (!isEmpty(rest)) children.set(element, rest);
  }
  return { member: a.member, children };
}

function combine(a: FieldSet, b: FieldSet, keep: (inA: boolean, inB: boolean) => boolean, keepRest: boolean): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    if (!other) {
      if (keepRest) children.set(element, child);
      continue;
    }
    const combined = combine(child, other, keep, keepRest);
    if (!isEmpty(combined)) children.set(element, combined);
  }
  return { member: keep(a.member, b.member), children };
}

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  if (a.member !== b.member || a.children.size !== b.children.size) return false;
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    if (!other || !equalSets(child, other)) return false;
  }
  return true;
}

export function toFieldsV1(set: FieldSet): JsonObject {
  return childrenOf(set, {});
}

function childrenOf({ children }: FieldSet, result: JsonObject): JsonObject {
  const elements = children.size > 1 ? [...children.keys()].sort() : children.keys();
  for (const element of elements) {
    const child = children.get(element) as FieldSet;
    result[element] = child.children.size === 0 ? {} : childrenOf(child, child.member ? { ".": {} } : {});
  }
  return result;
}

const decoded = new WeakMap<JsonObject, FieldSet>();

/**
 * Unknown shapes are read as empty: a set that cannot be read owns nothing. Read once, since what is stored never
 * changes and is asked for at each write; so the set is shared, and must not be changed.
 */
export function fromFieldsV1(fields: unknown): FieldSet {
  if (!isObject(fields)) return emptySet();
  let set = decoded.get(fields);
  if (!set) decoded.set(fields, (set = decode(fields)));
  return set;
}

function decode(fields: JsonObject): FieldSet {
  const set = emptySet();
  for (const element in fields) {
    if (element === ".") continue;
    const value = fields[element];
    const child = isObject(value) ? decode(value) : emptySet();
    child.member = child.children.size === 0 || (isObject(value) && "." in value);
    set.children.set(element, child);
  }
  return set;
}

/** Members as Kubernetes prints them in conflicts: `.spec.ports[port=80,protocol="TCP"].name`. */
export function paths(set: FieldSet, prefix = ""): string[] {
  const result: string[] = [];
  for (const [element, child] of set.children) {
    const path = prefix + printElement(element);
    if (child.member) result.push(path);
    result.push(...paths(child, path));
  }
  return result;
}

function printElement(element: string): string {
  const value = element.slice(2);
  switch (element[0]) {
    case "f":
      return `.${value}`;
    case "k": {
      const keys = JSON.parse(value) as JsonObject;
      return `[${Object.keys(keys)
        .sort()
        .map((key) => `${key}=${JSON.stringify(keys[key])}`)
        .join(",")}]`;
    }
    case "v":
      return `[=${value}]`;
    default:
      return `[${value}]`;
  }
}
