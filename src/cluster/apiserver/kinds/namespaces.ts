import type { KubeObject } from "../../../resources/index.ts";
import type { KindStrategy } from "../rest/context.ts";

/** A namespace holds its contents until the namespace controller has emptied it and takes the finalizer away. */
export const namespaceStrategy: KindStrategy = {
  prepareCreate(object) {
    const spec = (object.spec ?? {}) as { finalizers?: string[] };
    if (!spec.finalizers?.includes("kubernetes")) spec.finalizers = [...(spec.finalizers ?? []), "kubernetes"];
    object.spec = spec;
    object.status = { phase: "Active" };
    return undefined;
  },
  prepareUpdate(object: KubeObject, old: KubeObject, subresource: string) {
    // Only /finalize takes finalizers of the spec away.
    if (subresource !== "finalize")
      object.spec = { ...(object.spec as object | undefined), finalizers: (old.spec as { finalizers?: string[] } | undefined)?.finalizers };
    return undefined;
  },
};
