import type { KubeObject, Pod } from "../../../resources/index.ts";
import type { ApiResponse } from "../http/exchange.ts";
import { respondJson } from "../http/respond.ts";
import { badRequest, conflict, methodNotAllowed, StatusError } from "../http/status.ts";
import { cloneJson, isObject } from "../json.ts";
import type { RestContext } from "../rest/context.ts";
import { decodeBody } from "../rest/decode-body.ts";
import { deleteObject } from "../rest/delete.ts";
import { negotiatedFor, type ResourceCall, type SpecialHandler, writeRequest } from "../rest/dispatch.ts";
import { timestamp } from "../rest/object-meta.ts";
import { updateObject } from "../rest/update.ts";
import { checkBudgets } from "./disruption-budgets.ts";

const PODS_BINDING = { group: "", plural: "pods/binding", kind: "Pod" };
const BINDING = { apiVersion: "v1", kind: "Binding" };
const EVICTION = { apiVersion: "policy/v1", kind: "Eviction" };

/** `pods/x/binding`: puts a pod on a node, once. */
export function bindingSubresource(context: RestContext): SpecialHandler {
  return async (call: ResourceCall): Promise<ApiResponse> => {
    const { request, target } = call;
    if (target.verb !== "create") throw methodNotAllowed();
    const binding = await decodeBody(request, BINDING, true);
    const { name: node, kind } = (isObject(binding.target) ? binding.target : {}) as { name?: string; kind?: string };
    // `bindings`, the older form, has the pod's name in the body only.
    const named = isObject(binding.metadata) && typeof binding.metadata.name === "string" ? binding.metadata.name : "";
    if (target.name && named && named !== target.name) throw badRequest("name in URL does not match name in Binding object");
    const name = target.name || named;
    // The real server takes these for faults of its own.
    if (kind && kind !== "Node") throw new StatusError(500, "", `target.kind: Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`);
    if (!node) throw new StatusError(500, "", "target.name: Required value");
    const pods = context.catalogue.preferred("", "pods");
    if (!pods) throw methodNotAllowed();
    const write = { ...writeRequest(call, "CreateOptions", name), resource: pods, subresource: "binding" };
    const uid = isObject(binding.metadata) && typeof binding.metadata.uid === "string" ? binding.metadata.uid : undefined;
    await updateObject(context, write, (live) => bound(live, node, timestamp(context.clock.now())), {
      track: false,
      kind: "UpdateOptions",
      ...(uid ? { uid } : {}),
    });
    return respondJson(201, JSON.stringify({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 }), negotiatedFor(request));
  };
}

function bound(live: KubeObject, node: string, now: string): KubeObject {
  const pod = cloneJson(live) as KubeObject as Pod;
  const { name } = pod.metadata;
  if (pod.metadata.deletionTimestamp) throw conflict(PODS_BINDING, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  if (pod.spec?.nodeName) throw conflict(PODS_BINDING, name, `pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`);
  const conditions = (pod.status?.conditions ?? []).filter(({ type }) => type !== "PodScheduled");
  conditions.push({ type: "PodScheduled", status: "True", lastProbeTime: null, lastTransitionTime: now });
  return { ...pod, spec: { ...pod.spec, nodeName: node }, status: { ...pod.status, conditions } } as unknown as KubeObject;
}

/** `pods/x/eviction`: a deletion that disruption budgets may refuse. */
export function evictionSubresource(context: RestContext): SpecialHandler {
  return async (call: ResourceCall): Promise<ApiResponse> => {
    const { request, target, resource } = call;
    if (target.verb !== "create") throw methodNotAllowed();
    const eviction = await decodeBody(request, EVICTION, true);
    const name = isObject(eviction.metadata) ? eviction.metadata.name : undefined;
    if (name !== undefined && name !== "" && name !== target.name) throw badRequest("name in URL does not match name in Eviction object");
    const pod = context.store.get(resource.id, target.namespace, target.name)?.object as KubeObject | undefined;
    if (pod) checkBudgets(context.store, pod);
    const options = isObject(eviction.deleteOptions) ? eviction.deleteOptions : {};
    const write = writeRequest(call, "CreateOptions", target.name);
    write.options.dryRun ||= Array.isArray(options.dryRun) && options.dryRun.includes("All");
    await deleteObject(
      context,
      { ...write, subresource: "" },
      {
        gracePeriodSeconds: typeof options.gracePeriodSeconds === "number" ? options.gracePeriodSeconds : undefined,
        propagationPolicy: undefined,
        preconditions: {},
        dryRun: write.options.dryRun,
      },
    );
    return respondJson(201, JSON.stringify({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 }), negotiatedFor(request));
  };
}
