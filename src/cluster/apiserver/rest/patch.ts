import type { KubeObject } from "../../../resources/index.ts";
import type { StoredObject } from "../../store/index.ts";
import { inVersion } from "../apply/empty-object.ts";
import { ApplyConflict, conflictMessage, serverSideApply, withManagers } from "../apply/server-side-apply.ts";
import { typedProblems } from "../apply/typed-problems.ts";
import { badRequest, conflict, invalid, notFound, StatusError, tooLarge, unsupportedMediaType } from "../http/status.ts";
import { cloneJson, isObject, type JsonObject } from "../json.ts";
import { applyJsonPatch, MalformedPatch, MAX_JSON_PATCH_OPERATIONS, PatchMismatch } from "../patch/json-patch.ts";
import { applyMergePatch } from "../patch/merge-patch.ts";
import { applyStrategicMergePatch, StrategicPatchError } from "../patch/strategic-merge.ts";
import type { RestContext, WriteRequest } from "./context.ts";
import { createDecoded } from "./create.ts";
import { asWarning, parseJson, parseYaml } from "./decode-body.ts";
import { duplicateFields } from "../schema/duplicate-fields.ts";
import { printGo } from "../schema/go-print.ts";
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
  const { options } = request;
  if (type === APPLY_PATCH) {
    const value = await parseYaml(body, (problem) => {
      if (options.fieldValidation === "Strict") throw badRequest(`error strict decoding YAML: ${problem}`);
      if (options.fieldValidation === "Warn") request.warnings.push(asWarning(problem));
    });
    return apply(context, request, value);
  }
  const accepted = [JSON_PATCH, MERGE_PATCH, ...(definition.custom ? [] : [STRATEGIC_PATCH]), APPLY_PATCH];
  if (!accepted.includes(type))
    throw definition.custom ? unsupportedMediaType(accepted) : new StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {});
  if (options.force !== undefined) {
    throw invalid(PATCH_OPTIONS, "", [{ type: "FieldValueForbidden", field: "force", message: "Forbidden: may not be specified for non-apply patch" }]);
  }
  const patch = parsePatch(body, type === STRATEGIC_PATCH ? "" : "error decoding patch: ");
  if (type === MERGE_PATCH && options.fieldValidation !== "Ignore") request.duplicates = duplicateFields(body, patch);
  if (type === JSON_PATCH && Array.isArray(patch) && patch.length > MAX_JSON_PATCH_OPERATIONS) {
    throw tooLarge(`Request entity too large: The allowed maximum operations in a JSON patch is ${MAX_JSON_PATCH_OPERATIONS}, got ${patch.length}`);
  }
  if (type === MERGE_PATCH && patch === null) throw badRequest("Invalid JSON Patch");
  if (type !== JSON_PATCH && !isObject(patch))
    throw badRequest(`error decoding patch: json: cannot unmarshal ${goTypeOf(patch)} into Go value of type map[string]interface {}`);
  const stored = await updateObject(context, request, (live) => decodePatched(request, type, transform(type, live, patch, request), patch), {
    track: true,
    kind: "PatchOptions",
  });
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
    throw patchRefusal(error);
  }
}

/** What the client is told of a patch that cannot be applied; other errors as they are. */
export function patchRefusal(error: unknown): unknown {
  if (error instanceof MalformedPatch) return badRequest(error.message);
  if (error instanceof PatchMismatch) return new StatusError(422, "Invalid", "the server rejected our request due to an error in our request", {});
  if (error instanceof StrategicPatchError) return new StatusError(500, "", error.message);
  return error;
}

/** The patched document as an object of the kind; what does not fit it is the patch's fault. */
function decodePatched(request: WriteRequest, type: string, patched: unknown, patch: unknown): KubeObject {
  const resource = request.face ?? request.resource;
  // What the refusal shows as the value: the patch as Go prints it, or the document that it made.
  const shown = () => (type === STRATEGIC_PATCH ? printGo(patch) : JSON.stringify(patched));
  if (isObject(patched) && !isObject(patched.metadata))
    throw badRequest(`the name of the object (${request.name} based on URL) was undeterminable: name must be provided`);
  if (!isObject(patched)) throw unfit(shown(), "json: cannot unmarshal into Go value");
  if (patched.apiVersion !== resource.apiVersion || patched.kind !== resource.definition.kind) {
    throw badRequest(`the patch must not change apiVersion or kind (${String(patched.apiVersion)}, ${String(patched.kind)})`);
  }
  const { name, namespace } = isObject(patched.metadata) ? patched.metadata : {};
  if (name !== undefined && name !== request.name)
    throw badRequest(`the name of the object (${String(name)}) does not match the name on the URL (${request.name})`);
  if (namespace !== undefined && namespace !== request.namespace)
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  try {
    return decodeInto(request, patched, type === STRATEGIC_PATCH ? { words: "converter" } : {});
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    throw unfit(shown(), error.message.replace(/^.* cannot be handled as a [^:]+: /s, ""));
  }
}

function parsePatch(body: string, prefix: string): unknown {
  try {
    return parseJson(body);
  } catch (error) {
    throw error instanceof StatusError ? badRequest(`${prefix}${error.message.replace(/^.*json parse error: /, "")}`) : error;
  }
}

function goTypeOf(value: unknown): string {
  return Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
}

function unfit(value: string, why: string): StatusError {
  const cause = `Invalid value: ${JSON.stringify(value)}: ${why}`;
  return new StatusError(422, "Invalid", ` "" is invalid: patch: ${cause}`, { causes: [{ reason: "FieldValueInvalid", message: cause, field: "patch" }] });
}

/** Server-side apply: creates what is missing. */
async function apply(context: RestContext, request: WriteRequest, value: unknown): Promise<PatchOutcome> {
  const { resource, name, namespace, options, subresource } = request;
  const { definition } = resource;
  if (!options.fieldManager) {
    throw invalid(PATCH_OPTIONS, "", [{ type: "FieldValueRequired", field: "fieldManager", message: "Required value: is required for apply patch" }]);
  }
  if (!isObject(value)) throw badRequest("error decoding YAML: json: cannot unmarshal into Go value of type map[string]interface {}");
  const { apiVersion } = request.face ?? resource;
  if (value.apiVersion !== apiVersion || value.kind !== definition.kind) throw badRequest(`invalid object type: ${printKind(value)}`);
  // What the endpoint does not write is not the configuration's to say.
  if (subresource === "status") delete value.spec;
  else if (definition.subresources.includes("status")) delete value.status;
  const config = applyConfiguration(request, value);
  const { metadata } = config;
  if (metadata.managedFields !== undefined && metadata.managedFields.length > 0) throw badRequest("metadata.managedFields must be nil");
  if (metadata.name && metadata.name !== name) throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  metadata.name = name;
  if (definition.namespaced) {
    if (metadata.namespace && metadata.namespace !== namespace)
      throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
    metadata.namespace = namespace;
  }
  // Laid over the live object, a deletionTimestamp or status of the configuration must not count.
  const merge = (live: KubeObject | undefined) => {
    try {
      const writer = writerOf(context, request);
      const applied = cloneJson(serverSideApply(live && withManagers(live, resource.schema, writer), config, resource.schema, writer, options.force ?? false));
      // What the configuration left empty is owned, and not there all the same.
      return definition.custom ? asKubeObject(applied) : decodeInto({ resource, options: { ...options, fieldValidation: "Ignore" }, warnings: [] }, applied);
    } catch (error) {
      if (!(error instanceof ApplyConflict)) throw error;
      const { message, causes } = conflictMessage(error);
      throw new StatusError(409, "Conflict", message, { causes: causes.map((cause) => ({ reason: "FieldManagerConflict", ...cause })) });
    }
  };
  if (context.store.get(resource.id, namespace, name)) {
    return {
      stored: await updateObject(context, request, (live) => merge(inVersion(live, resource) as KubeObject), { track: false, kind: "PatchOptions" }),
      created: false,
    };
  }
  if (subresource !== "") throw notFound(definition, name);
  if (metadata.uid) throw conflict(definition, name, `uid mismatch: the provided object specified uid ${metadata.uid}, and no existing object was found`);
  return { stored: await createDecoded(context, request, merge(undefined), false), created: true };
}

/** The configuration as typed by the schema. A field that it does not know is refused: nobody could own it. */
function applyConfiguration(request: WriteRequest, body: JsonObject): KubeObject {
  const face = request.face ?? request.resource;
  const problems = typedProblems(body, face.schema, face.definition.custom);
  if (problems.length === 0) return decodeInto(request, body, { keepEmpty: true });
  const { name = "", namespace = "" } = isObject(body.metadata) ? body.metadata : {};
  const text = problems.length === 1 ? problems[0] : `errors:\n${problems.map((problem) => `  ${problem}`).join("\n")}`;
  throw new StatusError(500, "", `failed to create typed patch object (${String(namespace)}/${String(name)}; ${printKind(body)}): ${text}`);
}

/** `apps/v1, Kind=Deployment`; of the core group `/v1, Kind=Pod`. */
function printKind({ apiVersion, kind }: JsonObject): string {
  const version = typeof apiVersion === "string" ? apiVersion : "";
  return `${version.includes("/") ? version : `/${version}`}, Kind=${typeof kind === "string" ? kind : ""}`;
}
