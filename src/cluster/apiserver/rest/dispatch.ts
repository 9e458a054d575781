import { parseApiVersion, type Resource } from "../catalogue.ts";
import type { ApiRequest, ApiResponse } from "../http/exchange.ts";
import { negotiate, type Negotiated, parseMediaType } from "../http/negotiate.ts";
import { respondJson, warningHeaders } from "../http/respond.ts";
import type { ResourceRequest } from "../http/route.ts";
import { methodNotAllowed, noSuchResource, StatusError } from "../http/status.ts";
import { duplicateFields } from "../schema/duplicate-fields.ts";
import type { StoredObject } from "../../store/index.ts";
import { adviceOn } from "./advice.ts";
import type { RestContext, WriteRequest } from "./context.ts";
import { createObject } from "./create.ts";
import { checkKind, decodeBody, type ExpectedKind, text } from "./decode-body.ts";
import { deleteCollection } from "./delete-collection.ts";
import { deleteObject } from "./delete.ts";
import { parseDeleteOptions } from "./delete-options.ts";
import { parseListOptions, parseResourceVersion } from "./list-options.ts";
import { patchObject } from "./patch.ts";
import { includeObject, listObjects, readObject, renderList, renderObject } from "./read.ts";
import { replaceObject } from "./update.ts";
import { watchObjects } from "./watch.ts";
import { parseWriteOptions } from "./write-options.ts";

/** One request about one resource, its existence established. */
export interface ResourceCall {
  request: ApiRequest;
  target: ResourceRequest;
  resource: Resource;
}

/** Answers for one subresource, or for a kind that is asked and not stored. Undefined: not served like this. */
export type SpecialHandler = (call: ResourceCall) => Promise<ApiResponse> | ApiResponse;

export interface DispatchParts {
  context: RestContext;
  /** By subresource: `scale`, `log`; by resource and subresource where they differ: `/pods/binding`. */
  subresources: ReadonlyMap<string, SpecialHandler>;
  /** Kinds that are answered and never stored (reviews, measurements), by `group/plural`. */
  virtual: ReadonlyMap<string, SpecialHandler>;
}

/** From a resource request to its answer; undefined when nothing of its group is served. */
export async function dispatch(parts: DispatchParts, request: ApiRequest, target: ResourceRequest): Promise<ApiResponse | undefined> {
  const answer = await answerOf(parts, request, target);
  // Of the groups that are its own the server says so in its own words; of others it knows nothing.
  if (!answer && parts.context.catalogue.isBuiltin(target.group)) throw noSuchResource();
  return answer;
}

async function answerOf(parts: DispatchParts, request: ApiRequest, target: ResourceRequest): Promise<ApiResponse | undefined> {
  const { context } = parts;
  const resource = context.catalogue.find(target.group, target.version, target.resource);
  if (!resource) return undefined;
  const { definition } = resource;
  const { verb, namespace, subresource } = target;
  if (!definition.namespaced && namespace !== "") return undefined;
  const anyNamespace = verb === "list" || verb === "watch";
  if (definition.namespaced && namespace === "" && !anyNamespace) {
    if (verb === "create" || verb === "deletecollection") throw methodNotAllowed();
    return undefined;
  }
  const call = { request, target, resource };
  if (subresource !== "") {
    if (!definition.subresources.includes(subresource)) return undefined;
    const handler = parts.subresources.get(`${resource.id}/${subresource}`) ?? parts.subresources.get(subresource);
    return handler ? handler(call) : undefined;
  }
  const virtual = parts.virtual.get(resource.id);
  if (virtual) {
    if (!(definition.verbs as string[]).includes(verb)) throw methodNotAllowed();
    return virtual(call);
  }
  // A PUT of a collection, a POST to a name: there is no such thing.
  const named = target.name !== "";
  if ((verb === "update" || verb === "patch") && !named) throw methodNotAllowed();
  if (verb === "create" && named) throw methodNotAllowed();
  if (!(definition.verbs as string[]).includes(verb)) throw methodNotAllowed();
  const { deprecation } = resource;
  try {
    const answer = await main(context, call);
    return deprecation ? withWarning(answer, deprecation) : answer;
  } catch (error) {
    if (deprecation && error instanceof StatusError) error.warnings.push(deprecation);
    throw error;
  }
}

function withWarning(answer: ApiResponse, warning: string): ApiResponse {
  const headers = warningHeaders([warning]);
  return { ...answer, headers: { ...answer.headers, warning: [...headers, ...[answer.headers?.warning ?? []].flat()] } };
}

async function main(context: RestContext, call: ResourceCall): Promise<ApiResponse> {
  const { request, target, resource } = call;
  const { namespace, name } = target;
  switch (target.verb) {
    case "get":
      return respondObject(
        context,
        call,
        200,
        await readObject(context.store, resource, namespace, name, parseResourceVersion(request.query.get("resourceVersion") ?? "")),
      );
    case "list": {
      const negotiated = negotiatedFor(request);
      const options = parseListOptions(request.query, resource.definition, false);
      const page = await listObjects(context.store, resource, namespace, options);
      return respondJson(200, renderList(resource, page, negotiated, includeObject(request.query), context.clock.now()), negotiated);
    }
    case "watch": {
      const options = parseListOptions(request.query, resource.definition, true);
      const { filter } = options;
      // `GET …/pods/x?watch=true` is about one object.
      if (name !== "" && options.name === undefined) options.filter = (object) => object.metadata.name === name && (!filter || filter(object));
      return watchObjects({
        store: context.store,
        clock: context.clock,
        resource,
        namespace,
        options,
        negotiated: negotiatedFor(request),
        include: includeObject(request.query),
      });
    }
    case "create": {
      const write = writeRequest(call, "CreateOptions", "");
      return refusedWithWarnings(write, async () => {
        const body = await decodeBody(request, expected(context, resource), !resource.definition.custom, noticeDuplicates(write), noticeProblem(write));
        return respondObject(context, call, 201, await createObject(context, write, body), write.warnings);
      });
    }
    case "update":
      return update(context, call);
    case "patch":
      return patch(context, call);
    case "delete": {
      const options = await parseDeleteOptions(request);
      const write = writeRequest(call, "DeleteOptions", name);
      write.options.dryRun ||= options.dryRun;
      const outcome = await deleteObject(context, write, options);
      if ("object" in outcome) return respondObject(context, call, 200, outcome.object, write.warnings);
      return respondJson(200, JSON.stringify(outcome.status), negotiatedFor(request), write.warnings);
    }
    case "deletecollection": {
      const options = await parseDeleteOptions(request);
      const list = parseListOptions(request.query, resource.definition, false);
      const write = writeRequest(call, "DeleteOptions", "");
      write.options.dryRun ||= options.dryRun;
      const page = await deleteCollection(context, write, list, options);
      const negotiated = negotiatedFor(request);
      return respondJson(200, renderList(resource, page, negotiated, includeObject(request.query), context.clock.now()), negotiated, write.warnings);
    }
  }
}

/** PUT, of the object or its status. */
export async function update(context: RestContext, call: ResourceCall): Promise<ApiResponse> {
  const { request, resource, target } = call;
  const write = writeRequest(call, "UpdateOptions", target.name);
  return refusedWithWarnings(write, async () => {
    const body = await decodeBody(request, expected(context, resource), !resource.definition.custom, noticeDuplicates(write), noticeProblem(write));
    const { stored, created } = await replaceObject(context, write, checkKind(body, expected(context, resource)));
    return respondObject(context, call, created ? 201 : 200, stored, write.warnings);
  });
}

/** PATCH, of the object or its status. */
export async function patch(context: RestContext, call: ResourceCall): Promise<ApiResponse> {
  const { request, target } = call;
  const write = writeRequest(call, "PatchOptions", target.name);
  const { type } = parseMediaType(request.header("content-type") ?? "");
  return refusedWithWarnings(write, async () => {
    const { stored, created } = await patchObject(context, write, type, text(await request.body()));
    return respondObject(context, call, created ? 201 : 200, stored, write.warnings);
  });
}

/** What a client was to be warned of stands on a refusal as well. */
async function refusedWithWarnings(write: WriteRequest, work: () => Promise<ApiResponse>): Promise<ApiResponse> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StatusError) error.warnings.push(...write.warnings);
    throw error;
  }
}

export function writeRequest({ request, resource, target }: ResourceCall, kind: string, name: string): WriteRequest {
  return {
    resource: resource.converted?.storage ?? resource,
    ...(resource.converted ? { face: resource } : {}),
    namespace: target.namespace,
    name,
    subresource: target.subresource,
    user: request.user,
    options: parseWriteOptions(request, kind),
    // A write of the object itself: not of its status, which is no wish of the client.
    warnings: target.subresource === "" && kind !== "DeleteOptions" ? adviceOn(resource) : [],
  };
}

export function respondObject(
  context: RestContext,
  { request, resource }: ResourceCall,
  status: number,
  stored: StoredObject,
  warnings: readonly string[] = [],
): Promise<ApiResponse> {
  const negotiated = negotiatedFor(request);
  return respondJson(status, renderObject(resource, stored, negotiated, includeObject(request.query), context.clock.now()), negotiated, warnings);
}

export function negotiatedFor(request: ApiRequest): Negotiated {
  return negotiate(request.header("accept"), request.header("user-agent"), request.query.get("pretty"));
}

/** Whoever does not ask to ignore them hears of fields that the body has twice. */
function noticeDuplicates(write: WriteRequest): ((source: string, value: unknown) => void) | undefined {
  if (write.options.fieldValidation === "Ignore") return undefined;
  return (source, value) => {
    write.duplicates = duplicateFields(source, value);
  };
}

/** The same of YAML, whose parser has its own words for it. */
function noticeProblem(write: WriteRequest): ((problem: string) => void) | undefined {
  if (write.options.fieldValidation === "Ignore") return undefined;
  return (problem) => (write.problems = [problem]);
}

function expected({ catalogue }: RestContext, { apiVersion, definition }: Resource): ExpectedKind {
  if (definition.custom) return { apiVersion, kind: definition.kind, custom: true };
  return { apiVersion, kind: definition.kind, known: (other, kind) => catalogue.findKind(...parseApiVersion(other), kind)?.definition.custom === false };
}
