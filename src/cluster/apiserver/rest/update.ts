import type { FieldError, KubeObject, ResourceDefinition } from "../../../resources/index.ts";
import { StoredObject, WriteConflict } from "../../store/index.ts";
import { inVersion } from "../apply/empty-object.ts";
import { encodeManagers, managersAfterUpdate, managersOfRequest } from "../apply/managed-fields.ts";
import { sameButTimes } from "../apply/server-side-apply.ts";
import { badRequest, conflict, invalid, notFound, StatusError } from "../http/status.ts";
import { cloneJson, equalJson, type JsonObject } from "../json.ts";
import type { RestContext, WriteRequest } from "./context.ts";
import { createDecoded } from "./create.ts";
import { allowedParts, BEYOND_UPDATE_RULES } from "./parts.ts";
import { asKubeObject, decodeInto, fillDefaults, mutate, validate, validateAdmission, writerOf } from "./pipeline.ts";

/** A patch without a resourceVersion is tried again on the newer object: as often as the real server does. */
const CONFLICT_ATTEMPTS = 5;

/** Makes the next state from the live one; called again when somebody was faster. The live object must not be changed. */
export type Transform = (live: KubeObject) => Promise<KubeObject> | KubeObject;

export interface UpdateSettings {
  /** Whether managedFields are yet to be made from the difference (an apply brings its own). */
  track: boolean;
  kind: "UpdateOptions" | "PatchOptions";
  /** Only on this object, whatever its version. */
  uid?: string;
}

/** Kinds of which a PUT creates what is missing, as their strategies in Kubernetes allow. */
const CREATED_BY_PUT = new Set(
  ["/endpoints", "/events", "/limitranges", "coordination.k8s.io/leases"].concat(
    ["clusterrolebindings", "clusterroles", "rolebindings", "roles"].map((plural) => `rbac.authorization.k8s.io/${plural}`),
  ),
);

/** PUT: the body over the live object. */
export async function replaceObject(context: RestContext, request: WriteRequest, body: JsonObject): Promise<{ stored: StoredObject; created: boolean }> {
  const { resource, name, namespace } = request;
  const object = decodeInto(request, body);
  const { metadata } = object;
  if (metadata.name !== name) {
    throw badRequest(
      metadata.name
        ? `the name of the object (${metadata.name}) does not match the name on the URL (${name})`
        : `the name of the object (${name} based on URL) was undeterminable: name must be provided`,
    );
  }
  if (metadata.namespace && metadata.namespace !== namespace)
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  const exists = context.store.get(resource.id, namespace, name) !== undefined;
  if (exists && resource.definition.custom && !metadata.resourceVersion) {
    // This refusal alone names the resource where others name the kind.
    throw invalid({ ...resource.definition, kind: resource.definition.plural }, name, [
      { type: "FieldValueInvalid", field: "metadata.resourceVersion", message: "Invalid value: 0: must be specified for an update" },
    ]);
  }
  if (!exists && request.subresource === "" && CREATED_BY_PUT.has(resource.id)) {
    return { stored: await createDecoded(context, { ...request, name: "" }, object, true), created: true };
  }
  return { stored: await updateObject(context, request, () => cloneJson(object), { track: true, kind: "UpdateOptions" }), created: false };
}

/**
 * Writes what `transform` makes of the live object. Returns the stored object, or for a dry run what would be stored; an
 * update that changes nothing writes nothing.
 */
export async function updateObject(context: RestContext, request: WriteRequest, transform: Transform, settings: UpdateSettings): Promise<StoredObject> {
  const { resource, namespace, name } = request;
  for (let attempt = 1; ; attempt++) {
    const base = context.store.get(resource.id, namespace, name);
    if (!base) throw notFound(resource.definition, name);
    try {
      return await updateOnce(context, request, base, transform, settings);
    } catch (error) {
      // Only one that had no opinion of the version may go on with another.
      if (!(error instanceof WriteConflict)) throw error;
      if (attempt === CONFLICT_ATTEMPTS) throw conflict(resource.definition, name);
    }
  }
}

async function updateOnce(
  context: RestContext,
  request: WriteRequest,
  base: StoredObject,
  transform: Transform,
  { track, kind, uid }: UpdateSettings,
): Promise<StoredObject> {
  const { resource, namespace, name, subresource, options } = request;
  const { definition } = resource;
  const old = inVersion(base.object, resource) as KubeObject;
  const requested = await transform(old);
  const asked = requested.metadata.resourceVersion;
  if (asked && !/^\d+$/.test(asked)) throw new StatusError(500, "", `strconv.ParseUint: parsing ${JSON.stringify(asked)}: invalid syntax`);
  if (asked && asked !== String(base.revision)) throw conflict(definition, name);
  const wantedUid = requested.metadata.uid || uid;
  if (wantedUid && wantedUid !== base.metadata.uid) {
    if (kind === "PatchOptions" && !uid) throw invalid(definition, name, [immutableMetadata("uid", wantedUid)]);
    const problem = `Precondition failed: UID in precondition: ${wantedUid}, UID in object meta: ${base.metadata.uid ?? ""}`;
    throw conflict(
      definition,
      name,
      `StorageError: invalid object, Code: 4, Key: ${storageKey(definition, namespace, name)}, ResourceVersion: 0, AdditionalErrorMsg: ${problem}`,
    );
  }
  const { deletionTimestamp } = requested.metadata;
  if (deletionTimestamp && deletionTimestamp !== old.metadata.deletionTimestamp)
    throw invalid(definition, name, [immutableMetadata("deletionTimestamp", deletionTimestamp)]);
  const next = keepSystemFields(asKubeObject(requested), old, request);
  if (definition.namespaced) next.metadata.namespace = namespace;
  fillDefaults(resource, next, old);
  // What nobody is known to have written, an update does not begin to keep account of; an apply does.
  if (track && (old.metadata.managedFields?.length || requested.metadata.managedFields?.length)) {
    const managers = managersOfRequest(old.metadata.managedFields, next.metadata.managedFields, subresource);
    const entries = encodeManagers(managersAfterUpdate(managers, old, next, resource.schema, writerOf(context, request)));
    if (entries.length > 0) next.metadata.managedFields = entries;
    else delete next.metadata.managedFields;
  }

  const object = await mutate(context, request, "UPDATE", next, old, kind);
  const same = sameDesired(object, old);
  // Being put on a node is not a change of what the user wants.
  if (definition.hasGeneration) object.metadata.generation = (old.metadata.generation ?? 1) + (same || subresource === "binding" ? 0 : 1);
  const strategy = context.strategies.get(resource.id);
  const release = strategy?.prepareUpdate?.(object, old, subresource, options.dryRun);
  try {
    await validate(resource, object, old, !same && !BEYOND_UPDATE_RULES.has(subresource));
    if (subresource === "") request.warnings.push(...(definition.warnings?.(object, old) ?? []));
    await validateAdmission(context, request, "UPDATE", object, old, kind);
    if (sameButTimes(object, old)) return base;
    object.apiVersion = resource.storageApiVersion;
    if (options.dryRun) return StoredObject.transient(resource.id, object);
    if (isFinished(object)) {
      // The last finalizer went: the object goes with it, and the answer shows its last state.
      const gone = await context.store.remove(base);
      strategy?.afterDelete?.(gone.object);
      return StoredObject.transient(resource.id, object);
    }
    const stored = await context.store.put(resource.id, object, base);
    strategy?.afterWrite?.(stored.object, old);
    return stored;
  } finally {
    release?.();
  }
}

/** Where the real server would keep an object: its refusals name the place. */
function storageKey({ group, plural, custom }: ResourceDefinition, namespace: string, name: string): string {
  return `/registry/${[custom ? group : "", plural, namespace, name].filter((part) => part !== "").join("/")}`;
}

function immutableMetadata(field: string, value: string): FieldError {
  return { type: "FieldValueInvalid", field: `metadata.${field}`, message: `Invalid value: ${JSON.stringify(value)}: field is immutable` };
}

/** What an update cannot change. */
function keepSystemFields(next: KubeObject, old: KubeObject, { resource, subresource }: WriteRequest): KubeObject {
  const result = allowedParts(next, old, subresource, resource.definition);
  const { metadata } = result;
  metadata.name = metadata.name || old.metadata.name;
  for (const field of [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "generateName",
    "resourceVersion",
  ] as const) {
    const value = old.metadata[field];
    if (value === undefined) delete metadata[field];
    else Object.assign(metadata, { [field]: value });
  }
  return result;
}

/** Whether two versions differ in metadata and status only. */
function sameDesired(a: KubeObject, b: KubeObject): boolean {
  const desired = (one: KubeObject) => ({ ...one, metadata: undefined, status: undefined });
  return equalJson(desired(a), desired(b));
}

/** Whether a deletion that waited for finalizers can be carried out. */
function isFinished({ metadata, kind, apiVersion, spec }: KubeObject): boolean {
  if (!metadata.deletionTimestamp || (metadata.finalizers?.length ?? 0) > 0) return false;
  if (kind === "Namespace" && apiVersion === "v1") return ((spec as { finalizers?: unknown[] } | undefined)?.finalizers?.length ?? 0) === 0;
  return (metadata.deletionGracePeriodSeconds ?? 0) === 0;
}
