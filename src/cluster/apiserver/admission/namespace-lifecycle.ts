import type { Store } from "../../store/index.ts";
import { forbidden, notFound } from "../http/status.ts";
import type { AdmissionPlugin, Attributes } from "./types.ts";

const NAMESPACES = { group: "", plural: "namespaces", kind: "Namespace" };

/** Nothing is made in a namespace that is not there (404) or on its way out (403). */
export function namespaceLifecycle(store: Store): AdmissionPlugin {
  return {
    complete({ operation, resource, namespace, name }: Attributes): void {
      if (operation !== "CREATE" || namespace === "" || resource.id === "/namespaces") return;
      const found = store.get("/namespaces", "", namespace);
      if (!found) throw notFound(NAMESPACES, namespace);
      const terminating = (found.object.status as { phase?: string } | undefined)?.phase === "Terminating" || found.metadata.deletionTimestamp;
      if (terminating) {
        throw forbidden(resource.definition, name, `unable to create new content in namespace ${namespace} because it is being terminated`, [
          { reason: "NamespaceTerminating", message: `namespace ${namespace} is being terminated`, field: "metadata.namespace" },
        ]);
      }
    },
  };
}
