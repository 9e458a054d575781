import type { KubeObject } from "../../../resources/index.ts";
import type { KindStrategy } from "../rest/context.ts";
import type { UserInfo } from "../types.ts";

/** A request for a certificate says who made it: the server writes it, and nobody changes it. */
export const signingRequestStrategy: KindStrategy = {
  prepareCreate(object, _, user) {
    object.spec = { ...(object.spec as object | undefined), ...requester(user) };
    object.status = {};
    return undefined;
  },
  prepareUpdate(object: KubeObject, old: KubeObject) {
    object.spec = old.spec ?? {};
    return undefined;
  },
};

function requester({ username, uid, groups, extra }: UserInfo): object {
  return { username, ...(uid ? { uid } : {}), groups, ...(extra && Object.keys(extra).length > 0 ? { extra } : {}) };
}
