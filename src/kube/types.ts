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

/** Thin typed verbs over a Transport; failures are `ApiError` with the Status that came back. */
export interface KubeClient {
  readonly transport: Transport;
  get<T extends KubeObject>(gvr: GroupVersionResource, name: string, namespace?: string): Promise<T>;
  /** undefined on 404 instead of throwing. */
  find<T extends KubeObject>(gvr: GroupVersionResource, name: string, namespace?: string): Promise<T | undefined>;
  list<T extends KubeObject>(gvr: GroupVersionResource, options?: ListOptions): Promise<{ items: T[]; resourceVersion: string }>;
  /** Ends when the server ends the stream or `signal` aborts. Throws ApiError 410 when the version is too old. */
  watch<T extends KubeObject>(
    gvr: GroupVersionResource,
    options: ListOptions & { resourceVersion: string; signal?: AbortSignal },
  ): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(gvr: GroupVersionResource, object: T): Promise<T>;
  update<T extends KubeObject>(gvr: GroupVersionResource, object: T): Promise<T>;
  updateStatus<T extends KubeObject>(gvr: GroupVersionResource, object: T): Promise<T>;
  /** JSON merge patch; `subresource` such as "status". */
  patch<T extends KubeObject>(gvr: GroupVersionResource, name: string, namespace: string | undefined, body: unknown, subresource?: string): Promise<T>;
  /** Server-side apply, forced: creates or updates what it names, as `fieldManager`. */
  apply<T extends KubeObject>(gvr: GroupVersionResource, object: T, fieldManager: string): Promise<T>;
  delete(gvr: GroupVersionResource, name: string, namespace?: string, options?: { gracePeriodSeconds?: number; propagationPolicy?: string; uid?: string }): Promise<void>;
}

/** A local, always current copy of one resource. Objects in it are shared: never change them. */
export interface Informer<T extends KubeObject = KubeObject> {
  readonly synced: Promise<void>;
  get(name: string, namespace?: string): T | undefined;
  list(namespace?: string): T[];
  /** Objects under one key of a named index. */
  byIndex(index: string, key: string): T[];
  /** Called for each object already there, then for each change. Returns the unsubscribe. */
  onChange(listener: (change: { type: "ADDED" | "MODIFIED" | "DELETED"; object: T; old?: T }) => void): () => void;
  stop(): void;
}

export interface InformerOptions<T extends KubeObject> extends ListOptions {
  indexes?: Record<string, (object: T) => string[]>;
}
