import type { KubeObject } from "../../../resources/index.ts";
import { StoredObject, WriteConflict } from "../../store/index.ts";
import { emptyObject } from "../apply/empty-object.ts";
import { union } from "../apply/field-set.ts";
import { encodeManagers, managersAfterUpdate, managersOfRequest, setOf } from "../apply/managed-fields.ts";
import { alreadyExists, badRequest, invalid, StatusError } from "../http/status.ts";
import { isObject, type JsonObject } from "../json.ts";
import type { RestContext, WriteRequest } from "./context.ts";
import { generateName } from "./names.ts";
import { timestamp } from "./object-meta.ts";
import { decodeInto, fillDefaults, mutate, validate, validateAdmission, writerOf } from "./pipeline.ts";

/** Names made from a prefix may collide: as often as the real server tries. */
const GENERATE_NAME_ATTEMPTS = 8;

/** POST: from the body to the store. Returns the stored object, or for a dry run what would be stored. */
export async function createObject(context: RestContext, request: WriteRequest, body: JsonObject): Promise<StoredObject> {
  const object = decodeInto(request, body);
  return createDecoded(context, request, object, true);
}

/** `track`: whether managedFields are yet to be made (an apply brings its own). */
export async function createDecoded(context: RestContext, request: WriteRequest, decoded: KubeObject, track: boolean): Promise<StoredObject> {
  const { resource, namespace, options } = request;
  const { definition } = resource;
  const { metadata } = decoded;
  if (metadata.namespace && metadata.namespace !== namespace)
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  if (metadata.resourceVersion && track) throw new StatusError(500, "", "resourceVersion should not be set on objects to be created");
  if (definition.namespaced) metadata.namespace = namespace;
  const generated = !metadata.name && metadata.generateName ? metadata.generateName : undefined;

  if (!metadata.name && generated === undefined) {
    throw invalid(definition, "", [{ type: "FieldValueRequired", field: "metadata.name", message: "Required value: name or generateName is required" }]);
  }
  const requestedManagers = metadata.managedFields;
  setSystemFields(context, decoded);
  if (generated !== undefined) metadata.name = generateName(generated, context.random);
  if (definition.subresources.includes("status") && definition.kind !== "Node") delete decoded.status;
  const strategy = context.strategies.get(resource.id);
  const chosen = (strategy?.chosenFields ?? []).filter((field) => !isObject(decoded.spec) || decoded.spec[field] === undefined);
  fillDefaults(resource, decoded);
  if (track) {
    const managers = managersOfRequest(undefined, requestedManagers, request.subresource);
    const writer = writerOf(context, request);
    if (chosen.length > 0) writer.ignored = union(writer.ignored, setOf(...chosen.map((field) => ["f:spec", `f:${field}`])));
    const entries = encodeManagers(managersAfterUpdate(managers, emptyObject(resource), decoded, resource.schema, writer));
    if (entries.length > 0) metadata.managedFields = entries;
    else delete metadata.managedFields;
  }

  const object = await mutate(context, request, "CREATE", decoded, undefined, "CreateOptions");
  if (definition.hasGeneration) object.metadata.generation = 1;
  const release = strategy?.prepareCreate?.(object, options.dryRun, request.user, request.warnings);
  try {
    await validate(resource, object);
    request.warnings.push(...(definition.warnings?.(object) ?? []));
    await validateAdmission(context, request, "CREATE", object, undefined, "CreateOptions");
    for (let attempt = 1; ; attempt++) {
      const exists = context.store.get(resource.id, object.metadata.namespace ?? "", object.metadata.name);
      if (exists && (generated === undefined || attempt === GENERATE_NAME_ATTEMPTS)) throw alreadyExists(definition, object.metadata.name);
      if (exists && generated !== undefined) {
        object.metadata.name = generateName(generated, context.random);
        continue;
      }
      object.apiVersion = resource.storageApiVersion;
      if (options.dryRun) return StoredObject.transient(resource.id, object);
      const stored = await context.store.put(resource.id, object, undefined);
      strategy?.afterWrite?.(stored.object, undefined);
      return stored;
    }
  } catch (error) {
    if (error instanceof WriteConflict) throw alreadyExists(definition, object.metadata.name);
    throw error;
  } finally {
    release?.();
    for (const plugin of context.admission) plugin.settled?.(object);
  }
}

/** What no client may set. */
function setSystemFields(context: RestContext, { metadata }: KubeObject): void {
  metadata.uid = context.newUid();
  metadata.creationTimestamp = timestamp(context.clock.now());
  delete metadata.resourceVersion;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete (metadata as { selfLink?: string }).selfLink;
}
