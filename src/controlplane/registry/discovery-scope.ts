import type { KubeObject, LabelSelector } from "../../resources/index.ts";
import { selectorMatches } from "./label-selector.ts";
import type { ObjectStore } from "./object-store.ts";
import { REGISTRY_KINDS, type RegistryKind } from "./types.ts";

/**
 * The namespaces that MeshConfig's discoverySelectors leave: all without selectors. Objects of others are kept aside, so
 * that they are there at once when a namespace's labels, or the selectors, change.
 */
export class DiscoveryScope {
  #selectors: readonly LabelSelector[] = [];
  readonly #hidden = new Map<string, { kind: RegistryKind; object: KubeObject }>();

  constructor(readonly store: ObjectStore) {}

  /** Whether objects of a namespace count. The mesh's own configuration always does, and so does what has no namespace. */
  includes(kind: RegistryKind, namespace: string): boolean {
    if (this.#selectors.length === 0 || namespace === "" || kind === "ConfigMap") return true;
    const labels = this.store.get("Namespace", namespace)?.metadata.labels;
    return this.#selectors.some((selector) => selectorMatches(selector, labels));
  }

  hide(kind: RegistryKind, object: KubeObject): void {
    this.#hidden.set(keyOf(kind, object.metadata.name, object.metadata.namespace), { kind, object });
  }

  forget(kind: RegistryKind, name: string, namespace: string | undefined): void {
    this.#hidden.delete(keyOf(kind, name, namespace));
  }

  /** What comes in and what goes out with these selectors and the namespaces as they are now. */
  review(selectors: readonly LabelSelector[]): {
    entering: { kind: RegistryKind; object: KubeObject }[];
    leaving: { kind: RegistryKind; object: KubeObject }[];
  } {
    this.#selectors = selectors;
    const entering = [...this.#hidden.values()].filter(({ kind, object }) => this.includes(kind, object.metadata.namespace ?? ""));
    for (const { kind, object } of entering) this.forget(kind, object.metadata.name, object.metadata.namespace);
    if (selectors.length === 0) return { entering, leaving: [] };
    const leaving = REGISTRY_KINDS.flatMap((kind) =>
      this.store
        .list(kind)
        .filter((object) => !this.includes(kind, object.metadata.namespace ?? ""))
        .map((object) => ({ kind, object })),
    );
    return { entering, leaving };
  }
}

function keyOf(kind: RegistryKind, name: string, namespace = ""): string {
  return `${kind}/${namespace}/${name}`;
}
