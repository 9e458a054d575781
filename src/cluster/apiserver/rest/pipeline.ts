import type { FieldError, KubeObject, Schema } from "../../../resources/index.ts";
import type { Operation } from "../admission/types.ts";
import { setOf, type Writer } from "../apply/managed-fields.ts";
import { emptySet, type FieldSet } from "../apply/field-set.ts";
import type { Resource } from "../catalogue.ts";
import { badRequest, invalid } from "../http/status.ts";
import { SIGNING_REQUESTS } from "../kinds/signing-requests.ts";
import { isObject, type JsonObject } from "../json.ts";
import { decodeBuiltin, type DecodeOptions, pruneCustom, TypeMismatch } from "../schema/decode.ts";
import { applyDefaults } from "../schema/default.ts";
import { validateCustom } from "../schema/validate-custom.ts";
import type { RestContext, WriteRequest } from "./context.ts";
import { asWarning } from "./decode-body.ts";
import { metadataUpdateErrors, scopeErrors, timestamp } from "./object-meta.ts";

const META_SCHEMA: Schema = { $ref: "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" };

/**
 * Reads a body into the kind: unknown fields are dropped and refused, warned of or ignored as the client asked, wrong
 * types are refused. The result is in the storage's form. Throws 400.
 */
export function decodeInto(
  request: Pick<WriteRequest, "resource" | "face" | "options" | "warnings" | "duplicates" | "problems">,
  body: JsonObject,
  how: DecodeOptions = {},
): KubeObject {
  const { options, warnings } = request;
  const { definition, version, schema, converted } = request.face ?? request.resource;
  let decoded;
  try {
    decoded = definition.custom || !schema ? pruneCustom(body, schema, META_SCHEMA) : decodeBuiltin(body, schema, definition.kind, how);
  } catch (error) {
    if (error instanceof TypeMismatch)
      throw badRequest(`${definition.kind} in version ${JSON.stringify(version)} cannot be handled as a ${definition.kind}: ${error.message}`);
    throw error;
  }
  const duplicates = (request.duplicates ?? []).map((path) => `duplicate field ${JSON.stringify(path)}`);
  const problems = (request.problems ?? []).concat(
    duplicates,
    decoded.unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
  );
  if (problems.length > 0) {
    if (options.fieldValidation === "Strict") {
      throw badRequest(
        `${definition.kind} in version ${JSON.stringify(version)} cannot be handled as a ${definition.kind}: strict decoding error: ${problems.join(", ")}`,
      );
    }
    if (options.fieldValidation === "Warn") warnings.push(...problems.map(asWarning));
  }
  const object = asKubeObject(decoded.object);
  return converted ? converted.conversion.toStorage(object) : object;
}

/** An object with a metadata of its own; the names of what is in it are checked by validation. */
export function asKubeObject(object: JsonObject): KubeObject {
  const metadata = isObject(object.metadata) ? object.metadata : {};
  return { ...object, apiVersion: String(object.apiVersion), kind: String(object.kind), metadata: metadata as unknown as KubeObject["metadata"] };
}

/** What the kind itself fills in: defaults of its schema or of its definition. */
export function fillDefaults({ definition, schema }: Resource, object: KubeObject, old?: KubeObject): void {
  if (definition.custom) applyDefaults(object, schema);
  definition.setDefaults?.(object, old);
}

/** Fields that an endpoint leaves alone, whatever the body says. */
export function ignoredFields({ definition, id }: Resource, subresource: string): FieldSet {
  const own = id === SIGNING_REQUESTS ? RESET_BY_SIGNING_REQUESTS[subresource] : undefined;
  if (own) return setOf(...own);
  if (subresource === "status") return definition.custom ? setOf(["f:spec"], ["f:metadata"]) : setOf(["f:spec"]);
  return definition.subresources.includes("status") ? setOf(["f:status"]) : emptySet();
}

/** The server writes their spec, and each endpoint a part of the status. */
const RESET_BY_SIGNING_REQUESTS: Record<string, string[][]> = {
  "": [["f:spec"], ["f:status"]],
  status: [["f:spec"], ["f:status", "f:conditions"]],
  approval: [["f:spec"], ["f:status", "f:certificate"]],
};

export function writerOf(context: RestContext, { resource, subresource, options }: WriteRequest): Writer {
  return {
    manager: options.manager,
    apiVersion: resource.apiVersion,
    subresource,
    // The real server loses the time where it translates between a scale and its object.
    time: subresource === "scale" ? "" : timestamp(context.clock.now()),
    ignored: ignoredFields(resource, subresource),
  };
}

/** Runs the mutating plugins; what they return is read and defaulted as if the client had sent it. */
export async function mutate(
  context: RestContext,
  request: WriteRequest,
  operation: Operation,
  object: KubeObject,
  old: KubeObject | undefined,
  kind: string,
): Promise<KubeObject> {
  const { resource, namespace, name, subresource, user, options, warnings } = request;
  let current = object;
  let changed = false;
  const asked = optionsObject(kind, options);
  const attributes = () => ({
    operation,
    resource,
    subresource,
    namespace,
    name: name || current.metadata.name || "",
    object: current,
    old,
    user,
    warnings,
    dryRun: options.dryRun,
    options: asked,
  });
  for (const plugin of context.admission) {
    plugin.complete?.(attributes());
    const next = await plugin.mutate?.(attributes());
    if (next && next !== current) {
      current = decodeInto({ resource, options: { ...options, fieldValidation: "Ignore" }, warnings }, next);
      fillDefaults(resource, current, old);
      changed = true;
    }
  }
  // What a webhook added is completed too (an injected container gets its token mounted): the real server invokes its
  // own plugins again once a webhook has changed the object.
  if (changed) for (const plugin of context.admission) plugin.complete?.(attributes());
  return current;
}

/** Runs the validating plugins. */
export async function validateAdmission(
  context: RestContext,
  request: WriteRequest,
  operation: Operation,
  object: KubeObject | undefined,
  old: KubeObject | undefined,
  kind: string,
): Promise<void> {
  const { resource, namespace, name, subresource, user, options, warnings } = request;
  const attributes = {
    operation,
    resource,
    subresource,
    namespace,
    name: name || object?.metadata.name || "",
    object,
    old,
    user,
    warnings,
    dryRun: options.dryRun,
    options: optionsObject(kind, options),
  };
  for (const plugin of context.admission) await plugin.validate?.(attributes);
}

function optionsObject(kind: string, options: WriteRequest["options"]): Record<string, unknown> {
  return {
    kind,
    apiVersion: "meta.k8s.io/v1",
    ...(options.dryRun ? { dryRun: ["All"] } : {}),
    ...(options.fieldManager ? { fieldManager: options.fieldManager } : {}),
    ...(options.fieldValidation !== "Warn" ? { fieldValidation: options.fieldValidation } : {}),
  };
}

/** Everything that can be wrong with an object. Throws 422 with all of it. `transitions`: whether immutable fields count. */
export async function validate({ definition, schema }: Resource, object: KubeObject, old?: KubeObject, transitions = true): Promise<void> {
  const errors: FieldError[] = scopeErrors(object, definition);
  if (old) errors.push(...metadataUpdateErrors(object, old));
  if (definition.custom && schema) errors.push(...(await validateCustom(object, old, schema)));
  errors.push(...(definition.validate?.(object) ?? []));
  if (!old) errors.push(...(definition.validateCreate?.(object) ?? []));
  if (old && transitions) errors.push(...(definition.validateUpdate?.(object, old) ?? []));
  if (errors.length > 0) throw invalid(definition, object.metadata.name ?? "", errors);
}
