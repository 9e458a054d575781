import type { KubeObject } from "../../../resources/index.ts";
import { StoredObject, WriteConflict } from "../../store/index.ts";
import { conflict, forbidden, notFound, type Status, StatusError, success } from "../http/status.ts";
import { cloneJson } from "../json.ts";
import type { RestContext, WriteRequest } from "./context.ts";
import type { DeleteOptions } from "./delete-options.ts";
import { timestamp } from "./object-meta.ts";
import { validateAdmission } from "./pipeline.ts";

/** Kinds whose DELETE answers with the object rather than a Status. */
const ANSWERS_WITH_OBJECT = new Set(
  ["pods", "namespaces", "services", "serviceaccounts", "persistentvolumes", "persistentvolumeclaims", "podtemplates", "resourcequotas"]
    .map((plural) => `/${plural}`)
    .concat("storage.k8s.io/storageclasses"),
);

const ORPHAN = "orphan";
const FOREGROUND = "foregroundDeletion";
const DEFAULT_POD_GRACE_SECONDS = 30;
/** Without them nothing works: the real server refuses the same. */
const IMMORTAL_NAMESPACES = new Set(["default", "kube-system", "kube-public"]);
const CONFLICT_ATTEMPTS = 5;

export type DeleteOutcome = { object: StoredObject } | { status: Status };

/** DELETE: at once, or marked for its finalizers or its grace period. Throws 404 and 409. */
export async function deleteObject(context: RestContext, request: WriteRequest, options: DeleteOptions): Promise<DeleteOutcome> {
  const { resource, namespace, name } = request;
  for (let attempt = 1; ; attempt++) {
    const base = context.store.get(resource.id, namespace, name);
    if (!base) throw notFound(resource.definition, name);
    try {
      return await deleteOnce(context, request, base, options);
    } catch (error) {
      if (!(error instanceof WriteConflict)) throw error;
      if (attempt === CONFLICT_ATTEMPTS) throw conflict(resource.definition, name);
    }
  }
}

async function deleteOnce(context: RestContext, request: WriteRequest, base: StoredObject, options: DeleteOptions): Promise<DeleteOutcome> {
  const { resource, name } = request;
  const { definition, id } = resource;
  checkPreconditions(request, base, options);
  if (id === "/namespaces" && IMMORTAL_NAMESPACES.has(name)) throw forbidden(definition, name, "this namespace may not be deleted");
  await validateAdmission(context, request, "DELETE", undefined, base.object, "DeleteOptions");

  const marked = mark(context, request, base.object, options);
  const respond = (stored: StoredObject, gone: boolean): DeleteOutcome =>
    gone && !ANSWERS_WITH_OBJECT.has(id) ? { status: success(definition, name, base.metadata.uid) } : { object: stored };
  if (marked === "done") return respond(base, false);
  if (marked.remove) {
    if (request.options.dryRun) return respond(StoredObject.transient(id, marked.object), true);
    const gone = await context.store.remove(base);
    context.strategies.get(id)?.afterDelete?.(gone.object);
    return respond(StoredObject.transient(id, marked.object), true);
  }
  if (request.options.dryRun) return respond(StoredObject.transient(id, marked.object), false);
  const stored = await context.store.put(id, marked.object, base);
  context.strategies.get(id)?.afterWrite?.(stored.object, base.object);
  return respond(stored, false);
}

/** What the object becomes: removed, or marked with a deletionTimestamp. "done": already marked, nothing to change. */
function mark(context: RestContext, request: WriteRequest, live: KubeObject, options: DeleteOptions): { object: KubeObject; remove: boolean } | "done" {
  const object = cloneJson(live);
  context.strategies.get(request.resource.id)?.prepareDelete?.(object);
  const { metadata } = object;
  const finalizers = finalizersFor(metadata.finalizers ?? [], options.propagationPolicy);
  if (finalizers.length > 0) metadata.finalizers = finalizers;
  else delete metadata.finalizers;
  const namespaceHeld = request.resource.id === "/namespaces" && ((object.spec as { finalizers?: unknown[] } | undefined)?.finalizers?.length ?? 0) > 0;
  const grace = request.resource.id === "/pods" ? podGrace(object, options) : 0;

  // Its contents are being removed: nothing more is to be done.
  if (namespaceHeld && metadata.deletionTimestamp) return "done";
  const held = finalizers.length > 0 || namespaceHeld;
  if (!held && grace === 0) {
    if (request.resource.id === "/pods") stamp(context, object, 0);
    return { object, remove: true };
  }
  if (metadata.deletionTimestamp) {
    // Marked before: a shorter grace period counts, a longer one does not.
    const before = metadata.deletionGracePeriodSeconds ?? 0;
    if (grace >= before && finalizers.length === (live.metadata.finalizers?.length ?? 0)) return "done";
    if (grace < before) {
      metadata.deletionTimestamp = timestamp(Date.parse(metadata.deletionTimestamp) - (before - grace) * 1000);
      metadata.deletionGracePeriodSeconds = grace;
    }
    return { object, remove: false };
  }
  stamp(context, object, grace);
  if (namespaceHeld) {
    delete metadata.deletionGracePeriodSeconds;
    object.status = { ...(object.status as object | undefined), phase: "Terminating" };
  }
  return { object, remove: false };
}

function stamp(context: RestContext, { metadata }: KubeObject, grace: number): void {
  if (metadata.generation && !metadata.deletionTimestamp) metadata.generation++;
  metadata.deletionTimestamp = timestamp(context.clock.now() + grace * 1000);
  metadata.deletionGracePeriodSeconds = grace;
}

/** The seconds that a pod gets to end: none before it is on a node or once it has ended. */
function podGrace({ spec, status }: KubeObject, options: DeleteOptions): number {
  const { nodeName, terminationGracePeriodSeconds } = (spec ?? {}) as { nodeName?: string; terminationGracePeriodSeconds?: number };
  const phase = (status as { phase?: string } | undefined)?.phase;
  if (!nodeName || phase === "Failed" || phase === "Succeeded") return 0;
  const seconds = options.gracePeriodSeconds ?? terminationGracePeriodSeconds ?? DEFAULT_POD_GRACE_SECONDS;
  return seconds < 0 ? 1 : seconds;
}

/** The garbage collector's marks, by how dependants should go. */
function finalizersFor(current: readonly string[], policy: DeleteOptions["propagationPolicy"]): string[] {
  if (policy === undefined) return [...current];
  const others = current.filter((finalizer) => finalizer !== ORPHAN && finalizer !== FOREGROUND);
  if (policy === "Orphan") others.push(ORPHAN);
  if (policy === "Foreground") others.push(FOREGROUND);
  return others;
}

function checkPreconditions({ resource, name }: WriteRequest, { metadata, revision }: StoredObject, { preconditions }: DeleteOptions): void {
  const fail = (why: string): never => {
    const { definition } = resource;
    // Unlike other conflicts it names the kind: the refusal comes from the storage layer.
    throw new StatusError(
      409,
      "Conflict",
      `Operation cannot be fulfilled on ${definition.kind}${definition.group ? `.${definition.group}` : ""} ${JSON.stringify(name)}: ${why}`,
      {
        name,
        ...(definition.group ? { group: definition.group } : {}),
        kind: definition.kind,
      },
    );
  };
  if (preconditions.uid !== undefined && preconditions.uid !== metadata.uid) {
    fail(
      `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${metadata.uid ?? ""}). The object might have been deleted and then recreated`,
    );
  }
  if (preconditions.resourceVersion !== undefined && preconditions.resourceVersion !== String(revision)) {
    fail(
      `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${revision}). The object might have been modified`,
    );
  }
}
