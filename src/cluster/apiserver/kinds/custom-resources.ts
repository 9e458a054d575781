import { errorText } from "../../../base/index.ts";
import { type CustomResourceDefinition, definitionFromCrd, type KubeObject } from "../../../resources/index.ts";
import { resourceId } from "../catalogue.ts";
import { StatusError } from "../http/status.ts";
import type { KindStrategy, RestContext, WriteRequest } from "../rest/context.ts";
import { deleteObject } from "../rest/delete.ts";
import { updateObject } from "../rest/update.ts";

export const CRDS = "apiextensions.k8s.io/customresourcedefinitions";
/** Holds a definition until its objects are gone. */
const CLEANUP = "customresourcecleanup.apiextensions.k8s.io";
const SYSTEM = { username: "system:apiserver", groups: ["system:masters"] };
const OPTIONS: WriteRequest["options"] = { dryRun: false, manager: "kube-apiserver", fieldManager: "", fieldValidation: "Ignore", force: undefined };

/**
 * Custom kinds are served as soon as their definition is stored, and no longer once it is gone. Deleting a definition
 * deletes its objects first; those with finalizers hold it.
 */
export class CustomResources {
  /** Definitions whose objects are being deleted, by name. */
  #emptying = new Set<string>();
  #closed = false;

  constructor(private readonly context: () => RestContext) {}

  readonly strategy: KindStrategy = {
    prepareDelete: (object) => {
      const { metadata } = object;
      if (!metadata.deletionTimestamp && !metadata.finalizers?.includes(CLEANUP)) metadata.finalizers = [...(metadata.finalizers ?? []), CLEANUP];
    },
    afterWrite: (object) => {
      this.#serve(object);
      if (object.metadata.deletionTimestamp && object.metadata.finalizers?.includes(CLEANUP))
        void this.#empty(object as KubeObject as CustomResourceDefinition);
    },
    afterDelete: (object) => {
      const { spec } = object as KubeObject as CustomResourceDefinition;
      if (spec) this.context().catalogue.remove(spec.group, spec.names.plural);
    },
  };

  /** At start: what was defined before, and deletions that were under way. */
  start(): void {
    for (const { object } of this.context().store.list(CRDS)) this.strategy.afterWrite?.(object, undefined);
  }

  stop(): void {
    this.#closed = true;
  }

  #serve(object: KubeObject): void {
    const { catalogue, log } = this.context();
    try {
      catalogue.add(definitionFromCrd(object as KubeObject as CustomResourceDefinition));
    } catch (error) {
      // Validation lets none through that cannot be served; one stored by an older version must not stop the others.
      log.error("a custom resource definition cannot be served", { name: object.metadata.name, error: errorText(error) });
    }
  }

  async #empty({ metadata, spec }: CustomResourceDefinition): Promise<void> {
    const { name } = metadata;
    if (!spec || this.#emptying.has(name)) return;
    this.#emptying.add(name);
    try {
      await this.#deleteAll(spec.group, spec.names.plural);
      if (this.#closed) return;
      await this.#release(name);
    } catch (error) {
      this.context().log.error("the objects of a custom resource definition could not be deleted", { name, error: errorText(error) });
    } finally {
      this.#emptying.delete(name);
    }
  }

  /** Resolves when none is left. */
  async #deleteAll(group: string, plural: string): Promise<void> {
    const context = this.context();
    const { store, catalogue } = context;
    const id = resourceId(group, plural);
    const resource = catalogue.preferred(group, plural);
    let wake = () => {};
    const reader = store.read(id, store.revision, () => wake());
    try {
      for (const { namespace, name } of resource ? store.list(id) : []) {
        const request: WriteRequest = {
          resource: resource as NonNullable<typeof resource>,
          namespace,
          name,
          subresource: "",
          user: SYSTEM,
          options: OPTIONS,
          warnings: [],
        };
        await deleteObject(context, request, { gracePeriodSeconds: undefined, propagationPolicy: undefined, preconditions: {}, dryRun: false }).catch(
          ignoreMissing,
        );
      }
      while (store.count(id) > 0 && !this.#closed) await new Promise<void>((resolve) => (wake = resolve));
    } finally {
      reader.close();
    }
  }

  async #release(name: string): Promise<void> {
    const context = this.context();
    const resource = context.catalogue.preferred("apiextensions.k8s.io", "customresourcedefinitions");
    if (!resource) return;
    const request: WriteRequest = { resource, namespace: "", name, subresource: "", user: SYSTEM, options: OPTIONS, warnings: [] };
    await updateObject(
      context,
      request,
      (live) => ({ ...live, metadata: { ...live.metadata, finalizers: live.metadata.finalizers?.filter((finalizer) => finalizer !== CLEANUP) ?? [] } }),
      { track: false, kind: "UpdateOptions" },
    ).catch(ignoreMissing);
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof StatusError) || error.status.code !== 404) throw error;
}
