import type { KubeObject } from "../../../resources/index.ts";
import type { Store } from "../../store/index.ts";
import type { AdmissionPlugin } from "./types.ts";

interface Classed {
  storageClassName?: string;
  ingressClassName?: string;
}

/** Gives claims and Ingresses that name no class the one that is marked as the default, as Kubernetes' admission does. */
export function defaultClasses(store: Store): AdmissionPlugin {
  return {
    complete({ operation, resource, subresource, object }): void {
      if (operation !== "CREATE" || subresource !== "" || !object?.spec) return;
      const spec = object.spec as Classed;
      if (resource.id === "/persistentvolumeclaims" && spec.storageClassName === undefined) {
        const name = defaultOf(store, "storage.k8s.io/storageclasses", "storageclass.kubernetes.io/is-default-class");
        if (name !== undefined) spec.storageClassName = name;
      }
      // The annotation that came before classes says who is meant, too.
      if (
        resource.id === "networking.k8s.io/ingresses" &&
        spec.ingressClassName === undefined &&
        object.metadata.annotations?.["kubernetes.io/ingress.class"] === undefined
      ) {
        const name = defaultOf(store, "networking.k8s.io/ingressclasses", "ingressclass.kubernetes.io/is-default-class");
        if (name !== undefined) spec.ingressClassName = name;
      }
    },
  };
}

/** The name of the default class; of several the newest, then the first by name. */
function defaultOf(store: Store, classes: string, annotation: string): string | undefined {
  const age = (object: KubeObject): string => object.metadata.creationTimestamp ?? "";
  return store
    .list(classes)
    .map(({ object }) => object)
    .filter(({ metadata }) => metadata.annotations?.[annotation] === "true")
    .sort((a, b) => age(b).localeCompare(age(a)) || a.metadata.name.localeCompare(b.metadata.name))[0]?.metadata.name;
}
