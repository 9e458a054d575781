import type { AdmissionPlugin } from "./types.ts";

const FINALIZERS: Record<string, string> = {
  "/persistentvolumeclaims": "kubernetes.io/pvc-protection",
  "/persistentvolumes": "kubernetes.io/pv-protection",
};

/** Claims that a pod uses and volumes that are bound outlive a delete: the storage controller lets them go. */
export const storageProtection: AdmissionPlugin = {
  complete({ operation, resource, subresource, object }): void {
    const finalizer = FINALIZERS[resource.id];
    if (operation !== "CREATE" || subresource !== "" || !object || finalizer === undefined) return;
    const { finalizers = [] } = object.metadata;
    if (!finalizers.includes(finalizer)) object.metadata.finalizers = [...finalizers, finalizer];
  },
};
