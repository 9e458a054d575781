import type { KubeObject } from "../../../resources/index.ts";
import { StoredObject } from "../../store/index.ts";
import { respondJson } from "../http/respond.ts";
import { methodNotAllowed, notFound } from "../http/status.ts";
import type { RestContext } from "../rest/context.ts";
import { negotiatedFor, respondObject, type SpecialHandler } from "../rest/dispatch.ts";
import { parseListOptions } from "../rest/list-options.ts";
import { includeObject, renderList } from "../rest/read.ts";

const DEPRECATION = "v1 ComponentStatus is deprecated in v1.19+";

/** `kubectl get componentstatuses`: scheduler and controllers live in this process; what can be ill is the store. */
export function componentStatuses(context: RestContext): SpecialHandler {
  const { store, clock } = context;
  const all = (): KubeObject[] => [
    status("controller-manager"),
    status("scheduler"),
    store.writable ? status("etcd-0") : status("etcd-0", "the store cannot be written to"),
  ];
  return async (call) => {
    const { request, target, resource } = call;
    if (target.verb === "get") {
      const found = all().find(({ metadata }) => metadata.name === target.name);
      if (!found) throw notFound(resource.definition, target.name);
      return respondObject(context, call, 200, StoredObject.transient(resource.id, found), [DEPRECATION]);
    }
    if (target.verb !== "list") throw methodNotAllowed();
    const { filter } = parseListOptions(request.query, resource.definition, false);
    const items = all().filter((object) => filter?.(object) ?? true);
    const page = {
      items: items.map((object) => StoredObject.transient(resource.id, object)),
      revision: store.revision,
      continueToken: undefined,
      remaining: undefined,
    };
    const negotiated = negotiatedFor(request);
    return respondJson(200, renderList(resource, page, negotiated, includeObject(request.query), clock.now()), negotiated, [DEPRECATION]);
  };
}

function status(name: string, problem?: string): KubeObject {
  const condition = problem === undefined ? { type: "Healthy", status: "True", message: "ok" } : { type: "Healthy", status: "False", error: problem };
  return { apiVersion: "v1", kind: "ComponentStatus", metadata: { name }, conditions: [condition] };
}
