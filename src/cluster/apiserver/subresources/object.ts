import type { ApiResponse } from "../http/exchange.ts";
import { methodNotAllowed } from "../http/status.ts";
import type { RestContext } from "../rest/context.ts";
import { patch, type ResourceCall, respondObject, type SpecialHandler, update } from "../rest/dispatch.ts";
import { readObject } from "../rest/read.ts";

/** `/status`, `/finalize` and others that show and write the object itself; what each may change is the update's concern. */
export function objectSubresource(context: RestContext, verbs: readonly string[] = ["get", "update", "patch"]): SpecialHandler {
  return async (call: ResourceCall): Promise<ApiResponse> => {
    const { target, resource } = call;
    if (!verbs.includes(target.verb)) throw methodNotAllowed();
    if (target.verb === "get") return respondObject(context, call, 200, await readObject(context.store, resource, target.namespace, target.name));
    return target.verb === "patch" ? patch(context, call) : update(context, call);
  };
}
