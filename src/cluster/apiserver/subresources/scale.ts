import type { Clock } from "../../../base/index.ts";
import { jsonPath, type KubeObject, type ResourceDefinition, scaleColumns } from "../../../resources/index.ts";
import { StoredObject } from "../../store/index.ts";
import { parseApiVersion, type Resource } from "../catalogue.ts";
import type { ApiResponse } from "../http/exchange.ts";
import { parseMediaType } from "../http/negotiate.ts";
import { respondJson } from "../http/respond.ts";
import { badRequest, internalError, invalid, methodNotAllowed, unsupportedMediaType } from "../http/status.ts";
import { cloneJson, isObject, type JsonObject } from "../json.ts";
import { applyJsonPatch } from "../patch/json-patch.ts";
import { applyMergePatch } from "../patch/merge-patch.ts";
import type { RestContext } from "../rest/context.ts";
import { decodeBody, parseJson, text } from "../rest/decode-body.ts";
import { negotiatedFor, type ResourceCall, type SpecialHandler, writeRequest } from "../rest/dispatch.ts";
import { patchRefusal } from "../rest/patch.ts";
import { includeObject, readObject, renderObject } from "../rest/read.ts";
import { updateObject } from "../rest/update.ts";

const SCALE = { apiVersion: "autoscaling/v1", kind: "Scale" };

/** `/scale`: the number of replicas as an autoscaling/v1 Scale, whatever the kind calls it. */
export function scaleSubresource(context: RestContext): SpecialHandler {
  return async (call: ResourceCall): Promise<ApiResponse> => {
    const { request, target, resource } = call;
    const stored = await readObject(context.store, resource, target.namespace, target.name);
    if (target.verb === "get") {
      const { specPath } = pathsOf(resource.definition);
      if (resource.definition.custom && valueAt(stored.object, specPath) === undefined)
        throw internalError(`the spec replicas field ${JSON.stringify(specPath)} does not exist`);
      return respondScale(call, stored.object, context.clock);
    }
    if (target.verb !== "update" && target.verb !== "patch") throw methodNotAllowed();
    const write = writeRequest(call, target.verb === "patch" ? "PatchOptions" : "UpdateOptions", target.name);
    let change: (scale: JsonObject) => unknown;
    if (target.verb === "update") {
      const body = await decodeBody(
        request,
        { ...SCALE, known: (other, kind) => context.catalogue.findKind(...parseApiVersion(other), kind)?.definition.custom === false },
        true,
      );
      const name = isObject(body.metadata) ? body.metadata.name : undefined;
      if (name !== target.name)
        throw badRequest(
          typeof name === "string" && name !== ""
            ? `the name of the object (${name}) does not match the name on the URL (${target.name})`
            : `the name of the object (${target.name} based on URL) was undeterminable: name must be provided`,
        );
      change = () => body;
    } else {
      const { type } = parseMediaType(request.header("content-type") ?? "");
      const patch = parseJson(text(await request.body()));
      if (type === "application/json-patch+json") change = (scale) => applyJsonPatch(scale, patch);
      else if (type === "application/merge-patch+json" || type === "application/strategic-merge-patch+json") change = (scale) => applyMergePatch(scale, patch);
      else throw unsupportedMediaType(["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"]);
    }
    const updated = await updateObject(
      context,
      { ...write, subresource: "scale" },
      (live) => {
        const scale = attempt(() => change(scaleOf(resource, live)));
        if (!isObject(scale)) throw badRequest("the patched scale is no object");
        return scaled(resource, live, scale);
      },
      { track: true, kind: "UpdateOptions" },
    );
    return respondScale(call, updated.object, context.clock);
  };
}

function attempt(change: () => unknown): unknown {
  try {
    return change();
  } catch (error) {
    throw patchRefusal(error);
  }
}

async function respondScale({ request, resource }: ResourceCall, object: KubeObject, clock: Clock): Promise<ApiResponse> {
  const scale = scaleOf(resource, object) as KubeObject;
  const negotiated = negotiatedFor(request);
  const json =
    negotiated.form === "table"
      ? renderObject({ ...resource, ...SCALE_VIEW }, StoredObject.transient(resource.id, scale), negotiated, includeObject(request.query), clock.now())
      : JSON.stringify(scale);
  return respondJson(200, json, { ...negotiated, pretty: false });
}

/** How `kubectl get --subresource=scale` shows one. */
const SCALE_VIEW: Pick<Resource, "columns" | "apiVersion"> = { columns: scaleColumns, apiVersion: SCALE.apiVersion };

function scaleOf({ definition }: Resource, object: KubeObject): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const { specPath, statusPath, selectorPath } = pathsOf(definition);
  const selector = selectorPath === undefined ? undefined : selectorText(valueAt(object, selectorPath));
  return {
    ...SCALE,
    metadata: { name, ...(namespace ? { namespace } : {}), uid, resourceVersion, creationTimestamp },
    spec: { replicas: numberAt(object, specPath) },
    status: { replicas: numberAt(object, statusPath), ...(selector ? { selector } : {}) },
  };
}

/** The live object with the replicas that a scale wants. */
function scaled({ definition }: Resource, live: KubeObject, scale: JsonObject): KubeObject {
  const spec = isObject(scale.spec) ? scale.spec : {};
  const replicas = spec.replicas ?? 0;
  if (typeof replicas !== "number" || !Number.isInteger(replicas)) {
    throw badRequest(
      `Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal ${typeof replicas} into Go struct field ScaleSpec.spec.replicas of type int32`,
    );
  }
  if (replicas < 0 && definition.custom) {
    const { specPath } = pathsOf(definition);
    throw invalid(definition, live.metadata.name, [
      { type: "FieldValueInvalid", field: specPath, message: `Invalid value: ${replicas}: should be a non-negative integer` },
    ]);
  }
  if (replicas < 0) {
    throw invalid({ group: "autoscaling", plural: "scales", kind: "Scale" }, live.metadata.name, [
      { type: "FieldValueInvalid", field: "spec.replicas", message: `Invalid value: ${replicas}: must be greater than or equal to 0` },
    ]);
  }
  const next = cloneJson(live);
  const path = pathsOf(definition).specPath.replace(/^\./, "").split(".");
  let parent: JsonObject = next;
  for (const name of path.slice(0, -1)) parent = (isObject(parent[name]) ? parent[name] : (parent[name] = {})) as JsonObject;
  parent[path.at(-1) ?? "replicas"] = replicas;
  const asked = isObject(scale.metadata) ? scale.metadata.resourceVersion : undefined;
  if (typeof asked === "string" && asked !== "") next.metadata.resourceVersion = asked;
  return next;
}

function pathsOf({ scale }: ResourceDefinition): { specPath: string; statusPath: string; selectorPath: string | undefined } {
  if (!scale) return { specPath: ".spec.replicas", statusPath: ".status.replicas", selectorPath: ".spec.selector" };
  return { specPath: scale.specReplicasPath, statusPath: scale.statusReplicasPath, selectorPath: scale.labelSelectorPath };
}

function valueAt(object: KubeObject, path: string): unknown {
  return jsonPath(path)(object)[0];
}

function numberAt(object: KubeObject, path: string): number {
  const value = valueAt(object, path);
  return typeof value === "number" ? value : 0;
}

/** A selector as the text that lists take: from a LabelSelector, a map of labels, or text already. */
function selectorText(selector: unknown): string | undefined {
  if (typeof selector === "string") return selector;
  if (!isObject(selector)) return undefined;
  const labels = isObject(selector.matchLabels) || Array.isArray(selector.matchExpressions) ? selector.matchLabels : selector;
  const terms = isObject(labels) ? Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`) : [];
  for (const expression of Array.isArray(selector.matchExpressions) ? selector.matchExpressions : []) {
    if (!isObject(expression)) continue;
    const { key, operator, values } = expression;
    const list = Array.isArray(values) ? `(${values.join(",")})` : "()";
    if (operator === "In") terms.push(`${String(key)} in ${list}`);
    else if (operator === "NotIn") terms.push(`${String(key)} notin ${list}`);
    else if (operator === "Exists") terms.push(String(key));
    else if (operator === "DoesNotExist") terms.push(`!${String(key)}`);
  }
  return terms.sort().join(",");
}
