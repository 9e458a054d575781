import type { Clock, Logger } from "../base/index.ts";
import type { KubeObject } from "../resources/types.ts";

/** Names one resource of the API: `apps/v1 deployments`. */
export interface GroupVersionResource {
  group: string;
  version: string;
  resource: string;
}

/**
 * How requests travel. `path` begins with "/", as `/api/v1/pods?watch=true`. The embedded server is called in-process
 * with the same function that a client in a pod implements over HTTPS.
 */
export type Transport = (path: string, init?: RequestInit) => Promise<Response>;

export interface ListOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

export interface WatchEvent<T extends KubeObject = KubeObject> {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  object: T;
}

export interface WatchOptions extends ListOptions {
  /** "" starts at the latest; with `sendInitialEvents` at any consistent state. */
  resourceVersion: string;
  signal?: AbortSignal;
  /** WatchList: first ADDED for all there is, then a bookmark annotated `k8s.io/initial-events-end`, then changes. */
  sendInitialEvents?: boolean;
  /** The server ends the stream after this long. */
  timeoutSeconds?: number;
}

/** Thin typed verbs over a Transport; failures are `ApiError` with the Status that came back. */
export interface KubeClient {
  readonly transport: Transport;
  get<T extends KubeObject>(gvr: GroupVersionResource, name: string, namespace?: string): Promise<T>;
  /** undefined on 404 instead of throwing. */
  find<T extends KubeObject>(gvr: GroupVersionResource, name: string, namespace?: string): Promise<T | undefined>;
  list<T extends KubeObject>(gvr: GroupVersionResource, options?: ListOptions): Promise<{ items: T[]; resourceVersion: string }>;
  /** Ends when the server ends the stream or `signal` aborts. Throws ApiError 410 when the version is too old. */
  watch<T extends KubeObject>(gvr: GroupVersionResource, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(gvr: GroupVersionResource, object: T): Promise<T>;
  /** POST to a subresource: "binding", "token", "eviction". The answer may be of another kind. */
  createSubresource<T extends KubeObject>(
    gvr: GroupVersionResource,
    name: string,
    namespace: string | undefined,
    subresource: string,
    body: KubeObject,
  ): Promise<T>;
  update<T extends KubeObject>(gvr: GroupVersionResource, object: T): Promise<T>;
  updateStatus<T extends KubeObject>(gvr: GroupVersionResource, object: T): Promise<T>;
  /** PUT to another subresource, such as "finalize" of a namespace. */
  updateSubresource<T extends KubeObject>(gvr: GroupVersionResource, object: T, subresource: string): Promise<T>;
  /** JSON merge patch, or a JSON patch when `body` is an array; `subresource` such as "status". */
  patch<T extends KubeObject>(gvr: GroupVersionResource, name: string, namespace: string | undefined, body: unknown, subresource?: string): Promise<T>;
  /** Server-side apply, forced: creates or updates what it names, as `fieldManager`. */
  apply<T extends KubeObject>(gvr: GroupVersionResource, object: T, fieldManager: string): Promise<T>;
  delete(
    gvr: GroupVersionResource,
    name: string,
    namespace?: string,
    options?: { gracePeriodSeconds?: number; propagationPolicy?: string; uid?: string },
  ): Promise<void>;
}

export interface Change<T extends KubeObject = KubeObject> {
  type: "ADDED" | "MODIFIED" | "DELETED";
  object: T;
  old?: T;
}

/** A local, always current copy of one resource. Objects in it are shared: never change them. */
export interface Informer<T extends KubeObject = KubeObject> {
  readonly synced: Promise<void>;
  get(name: string, namespace?: string): T | undefined;
  list(namespace?: string): T[];
  /** Objects under one key of a named index. */
  byIndex(index: string, key: string): T[];
  /**
   * Resolves true once `condition` holds, looked at now and after each change: a controller waits this way until the copy
   * shows what it has just written. False after `timeoutMs`, or when the informer stops.
   */
  waitFor(condition: () => boolean, timeoutMs: number): Promise<boolean>;
  /** Called for each object already there, then for each change. Returns the unsubscribe. */
  onChange(listener: (change: Change<T>) => void): () => void;
  stop(): void;
}

export interface InformerOptions<T extends KubeObject> extends ListOptions {
  indexes?: Record<string, (object: T) => string[]>;
  /** Trims objects before they are kept (managedFields, unused data), to save memory. May change its argument. */
  transform?: (object: T) => T;
  /** True once the copy follows the server; false when the connection is lost and it may be behind. */
  onConnection?: (live: boolean) => void;
  /** Told of lost connections and of listeners that throw. */
  log?: Logger;
  clock?: Clock;
  /** 0 ≤ x < 1, for the jitter of back-off. */
  random?: () => number;
}
