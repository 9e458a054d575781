import { errorText, type Logger } from "../../../base/index.ts";
import { type CustomResourceDefinition, definitionFromCrd, type KubeObject } from "../../../resources/index.ts";
import type { Store } from "../../store/index.ts";
import type { Catalogue } from "../catalogue.ts";
import type { KindStrategy } from "../rest/context.ts";

export const CRDS = "apiextensions.k8s.io/customresourcedefinitions";

/** Custom kinds are served as soon as their definition is stored, and no longer once it is gone. */
export function customResourceStrategy(catalogue: Catalogue, log: Logger): KindStrategy {
  return {
    afterWrite: (object) => serve(catalogue, object, log),
    afterDelete: (object) => {
      const { spec } = object as KubeObject as CustomResourceDefinition;
      if (spec) catalogue.remove(spec.group, spec.names.plural);
    },
  };
}

/** At start: what was defined before. */
export function serveStoredDefinitions(store: Store, catalogue: Catalogue, log: Logger): void {
  for (const { object } of store.list(CRDS)) serve(catalogue, object, log);
}

function serve(catalogue: Catalogue, object: KubeObject, log: Logger): void {
  try {
    catalogue.add(definitionFromCrd(object as KubeObject as CustomResourceDefinition));
  } catch (error) {
    // Validation lets none through that cannot be served; one stored by an older version must not stop the others.
    log.error("a custom resource definition cannot be served", { name: object.metadata.name, error: errorText(error) });
  }
}
