import type { Schema } from "../../../resources/index.ts";
import { equalJson, isObject, type JsonObject } from "../json.ts";
import { difference, emptySet, equalSets, type FieldSet, intersection, isEmpty, paths, union } from "./field-set.ts";
import { changedFields, decodeManagers, encodeManagers, identity, isWriter, type Manager, stripped, withoutManagers, type Writer } from "./managed-fields.ts";
import { compare, type Emptied, fieldSetOf, mergeTyped, prune } from "./typed.ts";

/** Other managers own fields that this configuration would change. */
export class ApplyConflict extends Error {
  constructor(readonly conflicts: { manager: Manager; fields: FieldSet }[]) {
    super("apply conflict");
  }
}

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/**
 * Server-side apply: lays `config` over `live` (undefined creates), removes what this manager set before and nobody
 * sets any more, and returns the object with its managedFields. Throws ApplyConflict unless `force`.
 * See structured-merge-diff, merge/update.go.
 */
export function serverSideApply(live: JsonObject | undefined, config: JsonObject, schema: Schema | undefined, writer: Writer, force: boolean): JsonObject {
  try {
    return applyOnce(live, config, schema, writer, force);
  } catch (error) {
    if (!(error instanceof ApplyConflict) || writer.manager !== "kubectl" || !live) throw error;
    // `kubectl apply --server-side` over what `kubectl apply` made: the fields that the latter last applied are the user's own.
    const allowed = lastAppliedFields(live, schema);
    const rest = error.conflicts.map(({ manager, fields }) => ({ manager, fields: difference(fields, allowed) })).filter(({ fields }) => !isEmpty(fields));
    if (rest.length > 0) throw new ApplyConflict(rest);
    return applyOnce(live, config, schema, writer, true);
  }
}

function applyOnce(live: JsonObject | undefined, config: JsonObject, schema: Schema | undefined, writer: Writer, force: boolean): JsonObject {
  const before = live ? withoutManagers(live) : { apiVersion: config.apiVersion, kind: config.kind };
  const managers = decodeManagers(isObject(live?.metadata) ? live.metadata.managedFields : undefined);
  const previous = managers.find((entry) => isWriter(entry, writer, "Apply"));
  const others = managers.filter((entry) => entry !== previous);
  const fields = stripped(fieldSetOf(config, schema), writer.ignored);
  const emptied: Emptied[] = [];
  let next = mergeTyped(before, config, schema) as JsonObject;
  // Whoever sets the same fields as the last time has dropped none.
  const sameFields = previous !== undefined && equalSets(previous.fields, fields);
  if (previous && !sameFields) {
    const owned = others.reduce((set, entry) => union(set, entry.fields), fields);
    next = (prune(next, previous.fields, owned, schema, emptied) ?? {}) as JsonObject;
  }

  const { added, modified, removed } = compare(before, next, schema);
  for (const { parent, name } of emptied) delete parent[name];
  const changed = union(added, modified);
  const conflicts = others.map((manager) => ({ manager, fields: intersection(manager.fields, changed) })).filter((conflict) => !isEmpty(conflict.fields));
  if (conflicts.length > 0 && !force) throw new ApplyConflict(conflicts);

  const lost = union(changed, removed);
  const kept = others.map((entry) => (isEmpty(lost) ? entry : changedFields(entry, difference(entry.fields, lost)))).filter((entry) => !isEmpty(entry.fields));
  const differs = !isEmpty(lost) || !live;
  const time = differs ? writer.time : previous?.time;
  if (!isEmpty(fields)) kept.push({ ...identity(writer), operation: "Apply", time, fields, ...(sameFields ? { encoded: previous.encoded } : {}) });
  const metadata: JsonObject = { ...(isObject(next.metadata) ? next.metadata : {}), managedFields: encodeManagers(kept) };
  if (writer.manager === "kubectl" && isObject(metadata.annotations) && typeof metadata.annotations[LAST_APPLIED] === "string") {
    metadata.annotations = { ...metadata.annotations, [LAST_APPLIED]: lastAppliedText(config) };
  }
  return { ...next, metadata };
}

/** An object whose managers were never noted, or were forgotten: before the first apply somebody is taken to have written all of it. */
export function withManagers(live: JsonObject, schema: Schema | undefined, writer: Writer): JsonObject {
  const metadata = isObject(live.metadata) ? live.metadata : {};
  if (Array.isArray(metadata.managedFields) && metadata.managedFields.length > 0) return live;
  const everything: Manager = {
    manager: "before-first-apply",
    operation: "Update",
    apiVersion: String(live.apiVersion),
    subresource: "",
    time: writer.time,
    fields: stripped(fieldSetOf(withoutManagers(live), schema), writer.ignored),
  };
  return { ...live, metadata: { ...metadata, managedFields: encodeManagers([everything]) } };
}

/** The text that `kubectl apply` would leave, so that going back to client-side apply works. */
function lastAppliedText(config: JsonObject): string {
  const metadata: JsonObject = { ...(isObject(config.metadata) ? config.metadata : {}) };
  delete metadata.managedFields;
  if (isObject(metadata.annotations)) {
    const { [LAST_APPLIED]: _, ...annotations } = metadata.annotations;
    metadata.annotations = annotations;
  }
  return `${JSON.stringify(sortKeys({ ...config, metadata }))}\n`;
}

/** The fields of the last-applied annotation that still have the value it says. */
function lastAppliedFields(live: JsonObject, schema: Schema | undefined): FieldSet {
  const annotations = isObject(live.metadata) && isObject(live.metadata.annotations) ? live.metadata.annotations : {};
  const text = annotations[LAST_APPLIED];
  if (typeof text !== "string") return emptySet();
  let applied: unknown;
  try {
    applied = JSON.parse(text);
  } catch {
    // Anybody may write the annotation; one that cannot be read allows nothing.
    return emptySet();
  }
  if (!isObject(applied)) return emptySet();
  const { added, modified, removed } = compare(applied, withoutManagers(live), schema);
  return difference(fieldSetOf(applied, schema), union(union(added, modified), removed));
}

/** Kubernetes' message: one line for one conflict, else a list by manager. */
export function conflictMessage({ conflicts }: ApplyConflict): { message: string; causes: { message: string; field: string }[] } {
  const causes = conflicts.flatMap(({ manager, fields }) => paths(fields).map((field) => ({ message: `conflict with ${printManager(manager)}`, field })));
  const [first] = causes;
  if (causes.length === 1 && first) return { message: `Apply failed with 1 conflict: ${first.message}: ${first.field}`, causes };
  const byManager = Map.groupBy(causes, (cause) => cause.message.replace("conflict with", "conflicts with"));
  const lines = [...byManager.keys()].sort().flatMap((heading) => [`${heading}:`, ...(byManager.get(heading) ?? []).map(({ field }) => `- ${field}`)]);
  return { message: `Apply failed with ${causes.length} conflicts: ${lines.join("\n")}`, causes };
}

function printManager({ manager, operation, subresource, apiVersion }: Manager): string {
  const name = subresource ? `${JSON.stringify(manager)} with subresource ${JSON.stringify(subresource)}` : JSON.stringify(manager);
  return operation === "Update" ? `${name} using ${apiVersion}` : name;
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sortKeys(value[key])]),
  );
}

/** Whether two versions of an object differ in more than the times of their managedFields. */
export function sameButTimes(a: JsonObject, b: JsonObject): boolean {
  if (!equalJson(withoutManagers(a), withoutManagers(b))) return false;
  const timeless = (object: JsonObject) =>
    isObject(object.metadata) && Array.isArray(object.metadata.managedFields)
      ? object.metadata.managedFields.map((entry: unknown) => (isObject(entry) ? { ...entry, time: undefined } : entry))
      : [];
  return equalJson(timeless(a), timeless(b));
}
