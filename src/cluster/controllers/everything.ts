import {
  CONTROLLER_REVISIONS,
  createInformer,
  CRON_JOBS,
  CUSTOM_RESOURCE_DEFINITIONS,
  DAEMON_SETS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  ENDPOINTS,
  JOBS,
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  REPLICA_SETS,
  SERVICE_ACCOUNTS,
  SERVICES,
  STATEFUL_SETS,
  STORAGE_CLASSES,
  type Change,
  type GroupVersionResource,
  type Informer,
} from "../../kube/index.ts";
import { builtinResources, compareVersions, type CustomResourceDefinition, type KubeObject } from "../../resources/index.ts";
import type { Context } from "./context.ts";
import { gvrName } from "./objects.ts";

/** A kind of object that can be listed, watched and deleted. */
export interface Resource {
  gvr: GroupVersionResource;
  kind: string;
  namespaced: boolean;
}

interface Watched {
  resource: Resource;
  informer: Informer;
  stop(): void;
}

/** Events are many, belong to nobody, and go with their namespace by a delete of the collection. */
const NOT_WATCHED = new Set(["events"]);

/**
 * The metadata of every object of every kind, custom kinds as they come and go: what garbage collection and the end of a
 * namespace look at. Kinds that other controllers watch anyway are not watched twice.
 */
export class Everything {
  readonly #watched = new Map<string, Watched>();
  readonly #listeners = new Set<(change: Change, resource: Resource) => void>();
  readonly #stopDefinitions: () => void;

  constructor(private readonly context: Context) {
    const shared = sharedInformers(context);
    for (const { group, storageVersion, plural, kind, namespaced, verbs } of builtinResources()) {
      if (!verbs.includes("watch") || !verbs.includes("delete") || NOT_WATCHED.has(plural)) continue;
      const gvr = { group, version: storageVersion, resource: plural };
      this.#watch({ gvr, kind, namespaced }, shared.get(gvrName(gvr)));
    }
    this.#stopDefinitions = context.informers.definitions.onChange(({ type, object }) => {
      if (type === "DELETED") this.#unwatch(object);
      else this.#watchCustom(object);
    });
  }

  /** All that is watched now has been read at least once. */
  async synced(): Promise<void> {
    await this.context.informers.definitions.synced;
    await Promise.all([...this.#watched.values()].map(({ informer }) => informer.synced));
  }

  /** Called for each object already there and for each change. */
  onChange(listener: (change: Change, resource: Resource) => void): void {
    this.#listeners.add(listener);
    for (const { informer, resource } of this.#watched.values()) for (const object of informer.list()) listener({ type: "ADDED", object }, resource);
  }

  resourceOf(apiVersion: string, kind: string): Resource | undefined {
    const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
    for (const { resource } of this.#watched.values()) if (resource.kind === kind && resource.gvr.group === group) return resource;
    return undefined;
  }

  /** Every object in a namespace. */
  inNamespace(namespace: string): { resource: Resource; object: KubeObject }[] {
    return [...this.#watched.values()]
      .filter(({ resource }) => resource.namespaced)
      .flatMap(({ resource, informer }) => informer.list(namespace).map((object) => ({ resource, object })));
  }

  stop(): void {
    this.#stopDefinitions();
    for (const { stop } of this.#watched.values()) stop();
    this.#watched.clear();
  }

  #watch(resource: Resource, shared?: Informer): void {
    const name = gvrName(resource.gvr);
    if (this.#watched.has(name)) return;
    const { client, clock, log, random } = this.context;
    const informer = shared ?? createInformer(client, resource.gvr, { clock, log, random, transform: metadataOnly });
    const unsubscribe = informer.onChange((change) => {
      for (const listener of this.#listeners) listener(change, resource);
    });
    const stop = () => {
      unsubscribe();
      if (!shared) informer.stop();
    };
    this.#watched.set(name, { resource, informer, stop });
  }

  #watchCustom({ spec }: CustomResourceDefinition): void {
    if (!spec) return;
    const [version] = spec.versions.filter((one) => one.served).sort((a, b) => compareVersions(a.name, b.name));
    if (version)
      this.#watch({
        gvr: { group: spec.group, version: version.name, resource: spec.names.plural },
        kind: spec.names.kind,
        namespaced: spec.scope === "Namespaced",
      });
  }

  #unwatch({ spec }: CustomResourceDefinition): void {
    if (!spec) return;
    const name = `${spec.names.plural}.${spec.group}`;
    this.#watched.get(name)?.stop();
    this.#watched.delete(name);
  }
}

function sharedInformers({ informers }: Context): Map<string, Informer> {
  const pairs: [GroupVersionResource, unknown][] = [
    [PODS, informers.pods],
    [NODES, informers.nodes],
    [NAMESPACES, informers.namespaces],
    [SERVICES, informers.services],
    [ENDPOINT_SLICES, informers.endpointSlices],
    [ENDPOINTS, informers.endpoints],
    [SERVICE_ACCOUNTS, informers.serviceAccounts],
    [DEPLOYMENTS, informers.deployments],
    [REPLICA_SETS, informers.replicaSets],
    [CONTROLLER_REVISIONS, informers.revisions],
    [STATEFUL_SETS, informers.statefulSets],
    [DAEMON_SETS, informers.daemonSets],
    [JOBS, informers.jobs],
    [CRON_JOBS, informers.cronJobs],
    [CUSTOM_RESOURCE_DEFINITIONS, informers.definitions],
    [PERSISTENT_VOLUME_CLAIMS, informers.claims],
    [PERSISTENT_VOLUMES, informers.volumes],
    [STORAGE_CLASSES, informers.storageClasses],
  ];
  // Read only, and only as KubeObject.
  return new Map(pairs.map(([gvr, informer]) => [gvrName(gvr), informer as Informer]));
}

function metadataOnly(object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, deletionTimestamp, ownerReferences, finalizers } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
      ...(finalizers === undefined ? {} : { finalizers }),
    },
  };
}
