import type { KubeObject, ResourceDefinition } from "../../../resources/index.ts";
import { cloneJson } from "../json.ts";

/** What an endpoint takes from the new object; everything else stays as it is. */
type Part = (next: KubeObject, old: KubeObject, definition: ResourceDefinition) => KubeObject;

const SUBRESOURCES: Record<string, Part> = {
  // Custom kinds take nothing but the status; built-in ones also metadata, of Deployments without the labels.
  status: (next, old, { custom, kind }) => {
    const metadata = custom
      ? { ...old.metadata, managedFields: next.metadata.managedFields ?? old.metadata.managedFields }
      : kind === "Deployment"
        ? { ...next.metadata, labels: old.metadata.labels }
        : next.metadata;
    return withStatus({ ...old, metadata }, next.status);
  },
  approval: (next, old) => withStatus(old, next.status),
  // The last step of a namespace's end.
  finalize: (next, old) => ({ ...old, spec: next.spec ?? {} }),
  ephemeralcontainers: (next, old) => {
    const added = (next.spec as { ephemeralContainers?: unknown } | undefined)?.ephemeralContainers;
    return { ...old, spec: { ...(old.spec as object), ...(added === undefined ? {} : { ephemeralContainers: added }) } };
  },
  resize: (next, old) => ({ ...old, spec: next.spec }),
  // Their handlers made the whole object from the live one.
  binding: (next) => next,
  scale: (next, old) => withStatus(next, old.status),
};

/** Subresources that change what the main endpoint forbids. */
export const BEYOND_UPDATE_RULES = new Set(["binding", "finalize", "resize"]);

/** The object that an update through an endpoint may make of `next`, its own copy. */
export function allowedParts(next: KubeObject, old: KubeObject, subresource: string, definition: ResourceDefinition): KubeObject {
  const part = SUBRESOURCES[subresource];
  const object = part ? part(next, old, definition) : definition.subresources.includes("status") ? withStatus(next, old.status) : next;
  // The live object is shared, and defaults are filled in place.
  return part && part !== SUBRESOURCES.binding ? cloneJson(object) : { ...object, metadata: { ...object.metadata } };
}

function withStatus(object: KubeObject, status: unknown): KubeObject {
  const { status: _, ...rest } = object;
  return (status === undefined ? rest : { ...rest, status: cloneJson(status) }) as KubeObject;
}
