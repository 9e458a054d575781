import {
  ApiError,
  resourcePath,
  type GroupVersionResource,
  type KubeClient,
  type ListOptions,
  type WatchEvent,
  type WatchOptions,
} from "../../../kube/index.ts";
import type { KubeObject } from "../../../resources/index.ts";

type Json = Record<string, unknown>;

/**
 * An API server in memory, as far as the node agent needs one: lists, watches, merge patches, pod deletion with a grace
 * period, TokenRequest. Test code changes objects with the same verbs.
 */
export class FakeApi implements KubeClient {
  readonly objects = new Map<string, KubeObject>();
  readonly requests: { verb: string; path: string; body?: unknown }[] = [];
  tokensIssued = 0;
  #version = 1;
  readonly #watchers = new Set<{ gvr: GroupVersionResource; options: ListOptions; push(event: WatchEvent): void }>();
  /** Called before each write; throw to refuse it. */
  intercept: (verb: string, path: string) => void = () => {};

  constructor(readonly now: () => number) {}

  readonly transport = (): Promise<Response> => Promise.reject(new Error("the fake has no transport"));

  async get<T extends KubeObject>(gvr: GroupVersionResource, name: string, namespace?: string): Promise<T> {
    const found = this.objects.get(resourcePath(gvr, namespace, name));
    if (!found) throw notFound(gvr, name);
    return structuredClone(found) as T;
  }

  async find<T extends KubeObject>(gvr: GroupVersionResource, name: string, namespace?: string): Promise<T | undefined> {
    const found = this.objects.get(resourcePath(gvr, namespace, name));
    return found && (structuredClone(found) as T);
  }

  async list<T extends KubeObject>(gvr: GroupVersionResource, options: ListOptions = {}): Promise<{ items: T[]; resourceVersion: string }> {
    const items = [...this.objects].filter(([path, object]) => isOf(path, gvr) && matches(object, options)).map(([, object]) => structuredClone(object) as T);
    return { items, resourceVersion: String(this.#version) };
  }

  async *watch<T extends KubeObject>(gvr: GroupVersionResource, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const queue: WatchEvent[] = [];
    let wake = () => {};
    const watcher = {
      gvr,
      options,
      push(event: WatchEvent) {
        queue.push(event);
        wake();
      },
    };
    this.#watchers.add(watcher);
    options.signal?.addEventListener("abort", () => wake());
    if (options.sendInitialEvents) {
      const { items, resourceVersion } = await this.list<T>(gvr, options);
      for (const object of items) yield { type: "ADDED", object };
      yield {
        type: "BOOKMARK",
        object: {
          apiVersion: "v1",
          kind: "Bookmark",
          metadata: { name: "", resourceVersion, annotations: { "k8s.io/initial-events-end": "true" } },
        } as unknown as T,
      };
    }
    try {
      while (!options.signal?.aborted) {
        const event = queue.shift();
        if (event) yield event as WatchEvent<T>;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  async create<T extends KubeObject>(gvr: GroupVersionResource, object: T): Promise<T> {
    const path = resourcePath(gvr, object.metadata.namespace, object.metadata.name);
    this.#note("create", path, object);
    const stored = structuredClone(object);
    stored.metadata.uid ??= `uid-${object.metadata.name}-${this.#version}`;
    stored.metadata.creationTimestamp ??= new Date(this.now()).toISOString();
    return this.#store(gvr, path, stored, "ADDED") as T;
  }

  async createSubresource<T extends KubeObject>(
    gvr: GroupVersionResource,
    name: string,
    namespace: string | undefined,
    subresource: string,
    body: KubeObject,
  ): Promise<T> {
    this.#note("create", resourcePath(gvr, namespace, name, subresource), body);
    this.tokensIssued += 1;
    const seconds = (body.spec as { expirationSeconds: number }).expirationSeconds;
    const status = { token: `token-${this.tokensIssued}`, expirationTimestamp: new Date(this.now() + seconds * 1000).toISOString() };
    return { ...body, status } as unknown as T;
  }

  async update<T extends KubeObject>(gvr: GroupVersionResource, object: T): Promise<T> {
    const path = resourcePath(gvr, object.metadata.namespace, object.metadata.name);
    this.#note("update", path, object);
    if (!this.objects.has(path)) throw notFound(gvr, object.metadata.name);
    return this.#store(gvr, path, structuredClone(object), "MODIFIED") as T;
  }
  updateStatus = <T extends KubeObject>(gvr: GroupVersionResource, object: T) => this.update(gvr, object);
  updateSubresource = <T extends KubeObject>(gvr: GroupVersionResource, object: T) => this.update(gvr, object);

  async patch<T extends KubeObject>(gvr: GroupVersionResource, name: string, namespace: string | undefined, body: unknown): Promise<T> {
    const path = resourcePath(gvr, namespace, name);
    this.#note("patch", path, body);
    const found = this.objects.get(path);
    if (!found) throw notFound(gvr, name);
    const uid = (body as { metadata?: { uid?: string } }).metadata?.uid;
    if (uid !== undefined && uid !== found.metadata.uid) throw new ApiError(409, { kind: "Status", reason: "Conflict", message: "uid mismatch" });
    return this.#store(gvr, path, mergePatch(structuredClone(found) as unknown as Json, body as Json) as unknown as KubeObject, "MODIFIED") as T;
  }

  apply = <T extends KubeObject>(gvr: GroupVersionResource, object: T) => this.create(gvr, object);

  async delete(gvr: GroupVersionResource, name: string, namespace?: string, options: { gracePeriodSeconds?: number; uid?: string } = {}): Promise<void> {
    const path = resourcePath(gvr, namespace, name);
    this.#note("delete", path, options);
    const found = this.objects.get(path);
    if (!found || (options.uid !== undefined && options.uid !== found.metadata.uid)) throw notFound(gvr, name);
    const grace = options.gracePeriodSeconds ?? (found.spec as { terminationGracePeriodSeconds?: number } | undefined)?.terminationGracePeriodSeconds ?? 30;
    if (gvr.resource === "pods" && grace > 0) {
      const metadata = { ...found.metadata, deletionTimestamp: new Date(this.now() + grace * 1000).toISOString(), deletionGracePeriodSeconds: grace };
      this.#store(gvr, path, { ...structuredClone(found), metadata }, "MODIFIED");
      return;
    }
    this.objects.delete(path);
    this.#emit(gvr, { type: "DELETED", object: found });
  }

  #note(verb: string, path: string, body: unknown): void {
    this.intercept(verb, path);
    this.requests.push({ verb, path, body: structuredClone(body) });
  }

  #store(gvr: GroupVersionResource, path: string, object: KubeObject, type: "ADDED" | "MODIFIED"): KubeObject {
    object.metadata.resourceVersion = String(++this.#version);
    this.objects.set(path, object);
    this.#emit(gvr, { type, object: structuredClone(object) });
    return structuredClone(object);
  }

  #emit(gvr: GroupVersionResource, event: WatchEvent): void {
    for (const watcher of this.#watchers) {
      if (watcher.gvr.group === gvr.group && watcher.gvr.resource === gvr.resource && matches(event.object, watcher.options)) watcher.push(event);
    }
  }
}

function isOf(path: string, gvr: GroupVersionResource): boolean {
  const prefix = gvr.group === "" ? `/api/${gvr.version}/` : `/apis/${gvr.group}/${gvr.version}/`;
  return path.startsWith(prefix) && path.split("/").at(-2) === gvr.resource;
}

function matches(object: KubeObject, { namespace, fieldSelector }: ListOptions): boolean {
  if (namespace !== undefined && object.metadata.namespace !== namespace) return false;
  const node = /^spec\.nodeName=(.*)$/.exec(fieldSelector ?? "")?.[1];
  return node === undefined || (object.spec as { nodeName?: string } | undefined)?.nodeName === node;
}

function mergePatch(target: Json, patch: Json): Json {
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete target[key];
    else if (typeof value === "object" && !Array.isArray(value)) target[key] = mergePatch((target[key] as Json | undefined) ?? {}, value as Json);
    else target[key] = value;
  }
  return target;
}

function notFound(gvr: GroupVersionResource, name: string): ApiError {
  return new ApiError(404, { kind: "Status", reason: "NotFound", message: `${gvr.resource} "${name}" not found` });
}
