import type { ResourceDefinition } from "../../../resources/index.ts";

export interface Subresource {
  name: string;
  /** The kind in requests and answers; undefined when it is the resource's own. */
  kind: { group: string; version: string; kind: string } | undefined;
  verbs: string[];
}

const OBJECT_VERBS = ["get", "patch", "update"];
const PROXY_VERBS = ["create", "delete", "get", "patch", "update"];

function core(kind: string): { group: string; version: string; kind: string } {
  return { group: "", version: "v1", kind };
}

/** What Kubernetes says of each subresource in discovery. */
const KNOWN: Record<string, Omit<Subresource, "name">> = {
  approval: { kind: undefined, verbs: OBJECT_VERBS },
  attach: { kind: core("PodAttachOptions"), verbs: ["create", "get"] },
  binding: { kind: core("Binding"), verbs: ["create"] },
  ephemeralcontainers: { kind: undefined, verbs: OBJECT_VERBS },
  eviction: { kind: { group: "policy", version: "v1", kind: "Eviction" }, verbs: ["create"] },
  exec: { kind: core("PodExecOptions"), verbs: ["create", "get"] },
  finalize: { kind: undefined, verbs: ["update"] },
  log: { kind: undefined, verbs: ["get"] },
  portforward: { kind: core("PodPortForwardOptions"), verbs: ["create", "get"] },
  resize: { kind: undefined, verbs: OBJECT_VERBS },
  scale: { kind: { group: "autoscaling", version: "v1", kind: "Scale" }, verbs: OBJECT_VERBS },
  status: { kind: undefined, verbs: OBJECT_VERBS },
  token: { kind: { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" }, verbs: ["create"] },
};

export function subresourcesOf(definition: ResourceDefinition): Subresource[] {
  // Those of custom kinds come in the order of their definitions' fields: status, then scale.
  const names = definition.custom ? definition.subresources.toSorted().toReversed() : definition.subresources.toSorted();
  return names.map((name) => {
    if (name === "proxy") return { name, kind: core(`${definition.kind}ProxyOptions`), verbs: PROXY_VERBS };
    return { name, ...(KNOWN[name] ?? { kind: undefined, verbs: OBJECT_VERBS }) };
  });
}
