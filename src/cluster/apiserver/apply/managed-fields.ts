import type { Schema } from "../../../resources/index.ts";
import { equalJson, isObject, type JsonObject } from "../json.ts";
import { difference, emptySet, equalSets, type FieldSet, fromFieldsV1, insert, isEmpty, recursiveDifference, toFieldsV1, union } from "./field-set.ts";
import { compare } from "./typed.ts";

/** One owner of fields. */
export interface Manager {
  manager: string;
  operation: "Apply" | "Update";
  apiVersion: string;
  subresource: string;
  /** RFC 3339; absent when the manager never changed a value. */
  time: string | undefined;
  fields: FieldSet;
  /** `fields` as they were read: what did not change need not be written anew. */
  encoded?: unknown;
}

/** Who writes, and what of the write counts. */
export interface Writer {
  manager: string;
  apiVersion: string;
  subresource: string;
  /** RFC 3339. */
  time: string;
  /** Fields that this endpoint does not write (status on the main one, spec on /status): nobody comes to own them. */
  ignored: FieldSet;
}

/** Fields of metadata that the system writes and nobody owns. */
const SYSTEM_FIELDS = setOf(
  ["f:apiVersion"],
  ["f:kind"],
  ...["name", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "managedFields", "resourceVersion"].map((name) => ["f:metadata", `f:${name}`]),
);

/** Beyond that many, the oldest Update managers are joined in one: an object does not grow with each client that touched it. */
const MAX_UPDATE_MANAGERS = 10;
const ANCIENT_MANAGER = "ancient-changes";

export function setOf(...paths: string[][]): FieldSet {
  const set = emptySet();
  for (const path of paths) insert(set, path);
  return set;
}

/** Entries that cannot be understood are dropped. */
export function decodeManagers(entries: unknown): Manager[] {
  if (!Array.isArray(entries)) return [];
  const managers: Manager[] = [];
  for (const entry of entries) {
    if (!isObject(entry) || typeof entry.manager !== "string" || entry.fieldsType !== "FieldsV1") continue;
    if (entry.operation !== "Apply" && entry.operation !== "Update") continue;
    managers.push({
      manager: entry.manager,
      operation: entry.operation,
      apiVersion: typeof entry.apiVersion === "string" ? entry.apiVersion : "",
      subresource: typeof entry.subresource === "string" ? entry.subresource : "",
      time: typeof entry.time === "string" ? entry.time : undefined,
      fields: fromFieldsV1(entry.fieldsV1),
      encoded: entry.fieldsV1,
    });
  }
  return managers;
}

/** In Kubernetes' order: appliers first, then by time, then by name. */
export function encodeManagers(managers: readonly Manager[]): JsonObject[] {
  return managers
    .toSorted(
      (a, b) =>
        compareText(a.operation, b.operation) ||
        compareText(a.time ?? "", b.time ?? "") ||
        compareText(a.manager, b.manager) ||
        compareText(a.subresource, b.subresource),
    )
    .map((entry) => ({
      manager: entry.manager,
      operation: entry.operation,
      apiVersion: entry.apiVersion,
      ...(entry.time ? { time: entry.time } : {}),
      fieldsType: "FieldsV1",
      fieldsV1: entry.encoded ?? toFieldsV1(entry.fields),
      ...(entry.subresource ? { subresource: entry.subresource } : {}),
    }));
}

/**
 * The managedFields of an object after an Update: the writer owns what changed, everybody loses what changed under
 * them. `base` is the live object, or for a create what an empty object of the kind has.
 */
export function managersAfterUpdate(managers: readonly Manager[], base: JsonObject, next: JsonObject, schema: Schema | undefined, writer: Writer): Manager[] {
  const { added, modified, removed } = compare(withoutManagers(base), withoutManagers(next), schema);
  const changed = stripped(union(added, modified), writer.ignored);
  const gone = removed;
  const taken = isEmpty(changed) ? gone : union(union(added, modified), gone);
  const others: Manager[] = [];
  let own: Manager | undefined;
  for (const entry of managers) {
    if (isWriter(entry, writer, "Update")) {
      own = isEmpty(gone) ? entry : changedFields(entry, difference(entry.fields, gone));
      continue;
    }
    const fields = difference(entry.fields, taken);
    if (!isEmpty(fields)) others.push(equalSets(fields, entry.fields) ? entry : changedFields(entry, fields));
  }
  if (!isEmpty(changed)) {
    others.push({ ...identity(writer), operation: "Update", time: writer.time, fields: own ? union(own.fields, changed) : changed });
  } else if (own && !isEmpty(own.fields)) others.push(own);
  return capped(others);
}

/** The set of a writer's fields without those the system or another endpoint writes. */
export function stripped(fields: FieldSet, ignored: FieldSet): FieldSet {
  const rest = recursiveDifference(recursiveDifference(fields, SYSTEM_FIELDS), ignored);
  // The container itself is not owned, only what is in it.
  const metadata = rest.children.get("f:metadata");
  if (metadata?.member) {
    const own = { member: false, children: metadata.children };
    const children = new Map(rest.children);
    if (isEmpty(own)) children.delete("f:metadata");
    else children.set("f:metadata", own);
    return { member: rest.member, children };
  }
  return rest;
}

export function isWriter(entry: Manager, writer: Writer, operation: Manager["operation"]): boolean {
  return (
    entry.operation === operation &&
    entry.manager === writer.manager &&
    entry.subresource === writer.subresource &&
    (operation === "Apply" || entry.apiVersion === writer.apiVersion)
  );
}

export function identity(writer: Writer): Pick<Manager, "manager" | "apiVersion" | "subresource"> {
  return { manager: writer.manager, apiVersion: writer.apiVersion, subresource: writer.subresource };
}

/**
 * The managers that an update starts from: those it brings along (clients may edit managedFields, or reset them with
 * an empty list), else the live ones.
 */
export function managersOfRequest(live: unknown, requested: unknown, subresource: string): Manager[] {
  if (subresource !== "" || !Array.isArray(requested)) return decodeManagers(live);
  if (requested.length === 0 || (requested.length === 1 && isObject(requested[0]) && Object.keys(requested[0]).length === 0)) return [];
  if (equalJson(live, requested)) return decodeManagers(live);
  const managers = decodeManagers(requested);
  return managers.length > 0 ? managers : decodeManagers(live);
}

export function withoutManagers(object: JsonObject): JsonObject {
  if (!isObject(object.metadata) || object.metadata.managedFields === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

export function changedFields(entry: Manager, fields: FieldSet): Manager {
  return { ...entry, fields, encoded: undefined };
}

function capped(managers: Manager[]): Manager[] {
  const updates = managers.filter((entry) => entry.operation === "Update");
  if (updates.length <= MAX_UPDATE_MANAGERS) return managers;
  const oldest = updates.toSorted((a, b) => compareText(a.time ?? "", b.time ?? "")).slice(0, updates.length - MAX_UPDATE_MANAGERS + 1);
  const merged: Manager = {
    manager: ANCIENT_MANAGER,
    operation: "Update",
    apiVersion: oldest[0]?.apiVersion ?? "",
    subresource: "",
    time: oldest.at(-1)?.time,
    fields: oldest.reduce((set, entry) => union(set, entry.fields), emptySet()),
  };
  return [...managers.filter((entry) => !oldest.includes(entry)), merged];
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
