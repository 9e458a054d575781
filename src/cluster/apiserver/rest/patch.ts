import type { KubeObject } from "../../../resources/index.ts";
import type { StoredObject } from "../../store/index.ts";
import { inVersion } from "../apply/empty-object.ts";
import { ApplyConflict, conflictMessage, serverSideApply } from "../apply/server-side-apply.ts";
import { badRequest, invalid, notFound, StatusError, tooLarge, unsupportedMediaType } from "../http/status.ts";
import { cloneJson, isObject, type JsonObject } from "../json.ts";
import { applyJsonPatch, MalformedPatch, MAX_JSON_PATCH_OPERATIONS, PatchMismatch } from "../patch/json-patch.ts";
import { applyMergePatch } from "../patch/merge-patch.ts";
import { applyStrategicMergePatch, StrategicPatchError } from "../patch/strategic-merge.ts";
import type { RestContext, WriteRequest } from "./context.ts";
import { createDecoded } from "./create.ts";
import { checkKind, parseJson, parseYaml } from "./decode-body.ts";
import { asKubeObject, decodeInto, writerOf } from "./pipeline.ts";
import { updateObject } from "./update.ts";

const JSON_PATCH = "application/json-patch+json";
const MERGE_PATCH = "application/merge-patch+json";
const STRATEGIC_PATCH = "application/strategic-merge-patch+json";
const APPLY_PATCH = "application/apply-patch+yaml";

const PATCH_OPTIONS = { group: "meta.k8s.io", plural: "patchoptions", kind: "PatchOptions" };

export interface PatchOutcome {
  stored: StoredObject;
  created: boolean;
}

/** PATCH with any of the four types. `type`: the request's media type without parameters. */
export async function patchObject(context: RestContext, request: WriteRequest, type: string, body: string): Promise<PatchOutcome> {
  const { definition } = request.resource;
  if (type === APPLY_PATCH) return apply(context, request, await parseYaml(body));
  const accepted = [JSON_PATCH, MERGE_PATCH, ...(definition.custom ? [] : [STRATEGIC_PATCH]), APPLY_PATCH];
  if (!accepted.includes(type)) throw unsupportedMediaType(accepted);
  if (request.options.force !== undefined) {
    throw invalid(PATCH_OPTIONS, "", [{ type: "FieldValueForbidden", field: "force", message: "Forbidden: may not be specified for non-apply patch" }]);
  }
  const patch = parseJson(body);
  if (type === JSON_PATCH && Array.isArray(patch) && patch.length > MAX_JSON_PATCH_OPERATIONS) {
    throw tooLarge(`The allowed maximum operations in a JSON patch is ${MAX_JSON_PATCH_OPERATIONS}, got ${patch.length}`);
  }
  if (type !== JSON_PATCH && !isObject(patch)) throw badRequest("error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}");
  const stored = await updateObject(context, request, (live) => decodePatched(request, type, transform(type, live, patch, request), patch), { track: true, kind: "PatchOptions" });
  return { stored, created: false };
}

function transform(type: string, live: KubeObject, patch: unknown, request: WriteRequest): unknown {
  const resource = request.face ?? request.resource;
  const document = cloneJson(inVersion(live, resource));
  try {
    if (type === JSON_PATCH) return applyJsonPatch(document, patch);
    if (type === MERGE_PATCH) return applyMergePatch(document, patch);
    return applyStrategicMergePatch(document, cloneJson(patch) as JsonObject, resource.schema);
  } catch (error) {
    if (error instanceof MalformedPatch) throw badRequest(error.message);
    if (error instanceof PatchMismatch) throw new StatusError(422, "Invalid", "the server rejected our request due to an error in our request", {});
    if (error instanceof StrategicPatchError) throw badRequest(error.message);
    throw error;
  }
}

/** The patched document as an object of the kind; what does not fit it is the patch's fault. */
function decodePatched(request: WriteRequest, type: string, patched: unknown, patch: unknown): KubeObject {
  const resource = request.face ?? request.resource;
  // What the refusal shows as the value: the patch as Go prints it, or the document that it made.
  const shown = () => (type === STRATEGIC_PATCH ? printGo(patch) : JSON.stringify(patched));
  if (!isObject(patched)) throw unfit(shown(), "json: cannot unmarshal into Go value");
  if (patched.apiVersion !== resource.apiVersion || patched.kind !== resource.definition.kind) {
    throw badRequest(`the patch must not change apiVersion or kind (${String(patched.apiVersion)}, ${String(patched.kind)})`);
  }
  try {
    return decodeInto(request, patched);
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    throw unfit(shown(), error.message.replace(/^.* cannot be handled as a [^:]+: /s, ""));
  }
}

function unfit(value: string, why: string): StatusError {
  const cause = `Invalid value: ${JSON.stringify(value)}: ${why}`;
  return new StatusError(422, "Invalid", ` "" is invalid: patch: ${cause}`, { causes: [{ reason: "FieldValueInvalid", message: cause, field: "patch" }] });
}

/** Go's %+v of decoded JSON: `map[spec:map[replicas:x]]`. */
function printGo(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(printGo).join(" ")}]`;
  if (isObject(value)) return `map[${Object.keys(value).sort().map((key) => `${key}:${printGo(value[key])}`).join(" ")}]`;
  return value === null ? "<nil>" : String(value);
}

/** Server-side apply: creates what is missing. */
async function apply(context: RestContext, request: WriteRequest, value: unknown): Promise<PatchOutcome> {
  const { resource, name, namespace, options, subresource } = request;
  const { definition } = resource;
  if (!options.fieldManager) {
    throw invalid(PATCH_OPTIONS, "", [{ type: "FieldValueRequired", field: "fieldManager", message: "Required value: is required for apply patch" }]);
  }
  if (!isObject(value)) throw badRequest("error decoding YAML: json: cannot unmarshal into Go value of type map[string]interface {}");
  const config = applyConfiguration(request, checkKind(value, { apiVersion: (request.face ?? resource).apiVersion, kind: definition.kind }));
  const { metadata } = config;
  if (metadata.managedFields !== undefined && metadata.managedFields.length > 0) throw badRequest("metadata.managedFields must be nil");
  if (metadata.name && metadata.name !== name) throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  metadata.name = name;
  if (definition.namespaced) {
    if (metadata.namespace && metadata.namespace !== namespace) throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
    metadata.namespace = namespace;
  }
  // Laid over the live object, a deletionTimestamp or status of the configuration must not count.
  const merge = (live: KubeObject | undefined) => {
    try {
      return asKubeObject(cloneJson(serverSideApply(live, config, resource.schema, writerOf(context, request), options.force ?? false)));
    } catch (error) {
      if (!(error instanceof ApplyConflict)) throw error;
      const { message, causes } = conflictMessage(error);
      throw new StatusError(409, "Conflict", message, { causes: causes.map((cause) => ({ reason: "FieldManagerConflict", ...cause })) });
    }
  };
  if (context.store.get(resource.id, namespace, name)) {
    return { stored: await updateObject(context, request, (live) => merge(inVersion(live, resource) as KubeObject), { track: false, kind: "PatchOptions" }), created: false };
  }
  if (subresource !== "" || metadata.uid) throw notFound(definition, name);
  return { stored: await createDecoded(context, request, merge(undefined), false), created: true };
}

/** The configuration as typed by the schema. A field that it does not know is refused: nobody could own it. */
function applyConfiguration(request: WriteRequest, body: JsonObject): KubeObject {
  const { definition, apiVersion } = request.face ?? request.resource;
  try {
    return decodeInto({ ...request, options: { ...request.options, fieldValidation: "Strict" } }, body);
  } catch (error) {
    const fields = error instanceof StatusError ? [...error.message.matchAll(/unknown field "([^"]+)"/g)].map(([, path]) => `.${path}: field not declared in schema`) : [];
    if (fields.length === 0) throw error;
    const problems = fields.length === 1 ? fields[0] : `errors:\n${fields.map((field) => `  ${field}`).join("\n")}`;
    const where = request.namespace ? `${request.namespace}/${request.name}` : `/${request.name}`;
    throw new StatusError(500, "", `failed to create typed patch object (${where}; ${apiVersion}, Kind=${definition.kind}): ${problems}`);
  }
}
