import { createClient, type KubeClient, type Transport } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";

/** Answers a POST instead of storing it: TokenReview, SubjectAccessReview. */
type Reviewer = (object: KubeObject) => KubeObject;

interface Watcher {
  wants(path: string, object: KubeObject): boolean;
  send(event: unknown): void;
}

/**
 * A Kubernetes API in memory for tests of the control plane: get, list, watch with initial events, create, update, merge
 * patch, server-side apply (as a merge) and delete, without validation, defaulting or access control.
 */
export class FakeApi {
  readonly client: KubeClient;
  readonly #objects = new Map<string, KubeObject>();
  readonly #watchers = new Set<Watcher>();
  readonly #reviewers = new Map<string, Reviewer>();
  #version = 0;
  /** `METHOD path` of every request, in order. */
  readonly requests: string[] = [];
  /** Set to make requests fail: return a status, or a refusal's text, to answer with. */
  fail: (method: string, path: string) => number | string | undefined = () => undefined;

  constructor() {
    this.client = createClient(this.#transport);
  }

  review(resource: string, reviewer: Reviewer): void {
    this.#reviewers.set(resource, reviewer);
  }

  /** The stored object by its API path, such as `/api/v1/namespaces/a/secrets/b`. */
  at(path: string): KubeObject | undefined {
    return this.#objects.get(path);
  }

  /** Stores as if somebody else had: watchers hear of it. */
  put(collection: string, object: KubeObject): KubeObject {
    const path = `${collection}/${object.metadata.name}`;
    const old = this.#objects.get(path);
    const stored: KubeObject = {
      ...object,
      metadata: {
        creationTimestamp: "2026-11-24T05:46:25Z",
        uid: old?.metadata.uid ?? `uid-${this.#version + 1}`,
        ...object.metadata,
        resourceVersion: String(++this.#version),
      },
    };
    this.#objects.set(path, stored);
    this.#emit(old ? "MODIFIED" : "ADDED", path, stored);
    return stored;
  }

  remove(path: string): void {
    const old = this.#objects.get(path);
    if (!old) return;
    this.#objects.delete(path);
    this.#version++;
    this.#emit("DELETED", path, { ...old, metadata: { ...old.metadata, resourceVersion: String(this.#version) } });
  }

  readonly #transport: Transport = async (target, init = {}) => {
    const url = new URL(target, "http://api");
    const path = decodeURIComponent(url.pathname);
    const method = init.method ?? "GET";
    this.requests.push(`${method} ${path}`);
    const failure = this.fail(method, path);
    if (typeof failure === "string") return status(403, failure);
    if (failure !== undefined) return status(failure, "InternalError");
    const body = typeof init.body === "string" ? (JSON.parse(init.body) as KubeObject) : undefined;
    if (method === "GET") return this.#read(path, url.searchParams, init.signal ?? undefined);
    if (method === "POST" && body) {
      const reviewer = this.#reviewers.get(path.slice(path.lastIndexOf("/") + 1));
      if (reviewer) return Response.json(reviewer(body), { status: 201 });
      if (this.#objects.has(`${path}/${body.metadata.name}`)) return status(409, "AlreadyExists");
      return Response.json(this.put(path, body), { status: 201 });
    }
    const collection = path.slice(0, path.lastIndexOf("/"));
    const old = this.#objects.get(path);
    const applies = new Headers(init.headers).get("content-type") === "application/apply-patch+yaml";
    if (!old && !applies) return status(404, "NotFound");
    if (method === "DELETE") {
      this.remove(path);
      return Response.json({ kind: "Status", status: "Success" });
    }
    if (!body) return status(400, "BadRequest");
    if (method === "PATCH") return Response.json(this.put(collection, Array.isArray(body) ? jsonPatch(old, body) : old ? merge(old, body) : body));
    if (body.metadata.resourceVersion && body.metadata.resourceVersion !== old?.metadata.resourceVersion) return status(409, "Conflict");
    return Response.json(this.put(collection, body));
  };

  #read(path: string, query: URLSearchParams, signal: AbortSignal | undefined): Response {
    const one = this.#objects.get(path);
    if (one) return Response.json(one);
    const segments = path.split("/").filter(Boolean);
    // A collection is `api/v1/…` or `apis/group/version/…` with an even or odd rest, by `namespaces/<ns>`.
    const rest = segments.slice(segments[0] === "api" ? 2 : 3);
    const namespaced = rest[0] === "namespaces" && rest.length > 2;
    const isCollection = rest.length === (namespaced ? 3 : 1);
    if (!isCollection) return status(404, "NotFound");
    const root = `/${segments.slice(0, segments[0] === "api" ? 2 : 3).join("/")}`;
    const resource = rest[rest.length - 1] ?? "";
    const name = /metadata\.name=([^,]+)/.exec(query.get("fieldSelector") ?? "")?.[1];
    const belongs = (objectPath: string): boolean =>
      namespaced
        ? objectPath.startsWith(`${path}/`)
        : objectPath.startsWith(`${root}/${resource}/`)
          ? !objectPath.slice(`${root}/${resource}/`.length).includes("/")
          : objectPath.startsWith(`${root}/namespaces/`) && objectPath.split("/").at(-2) === resource;
    const matches = (object: KubeObject): boolean => !name || object.metadata.name === name;
    const items = [...this.#objects].filter(([key, object]) => belongs(key) && matches(object)).map(([, object]) => object);
    if (query.get("watch") !== "true") return Response.json({ kind: "List", apiVersion: "v1", metadata: { resourceVersion: String(this.#version) }, items });
    const encoder = new TextEncoder();
    let watcher: Watcher;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const send = (event: unknown): void => controller.enqueue(encoder.encode(`${JSON.stringify(event)}\n`));
        for (const object of items) send({ type: "ADDED", object });
        send({
          type: "BOOKMARK",
          object: {
            kind: "Object",
            apiVersion: "v1",
            metadata: { name: "", resourceVersion: String(this.#version), annotations: { "k8s.io/initial-events-end": "true" } },
          },
        });
        watcher = { wants: (path, object) => belongs(path) && matches(object), send };
        this.#watchers.add(watcher);
        signal?.addEventListener("abort", () => {
          this.#watchers.delete(watcher);
          controller.close();
        });
      },
      cancel: () => void this.#watchers.delete(watcher),
    });
    return new Response(stream);
  }

  #emit(type: string, path: string, object: KubeObject): void {
    for (const watcher of this.#watchers) if (watcher.wants(path, object)) watcher.send({ type, object });
  }
}

function status(code: number, reason: string): Response {
  return Response.json({ kind: "Status", apiVersion: "v1", status: "Failure", reason, message: reason, code }, { status: code });
}

/** `add` and `replace` of members alone: all that the control plane sends. */
function jsonPatch(target: KubeObject | undefined, operations: { path: string; value: unknown }[]): KubeObject {
  const out = structuredClone(target) as unknown as Record<string, unknown>;
  for (const { path, value } of operations) {
    const parts = path.split("/").slice(1);
    const last = parts.pop() ?? "";
    const parent = parts.reduce<Record<string, unknown>>((at, part) => at[part] as Record<string, unknown>, out);
    parent[last] = value;
  }
  return out as unknown as KubeObject;
}

function merge<T>(target: T, patch: unknown): T {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch as T;
  const out: Record<string, unknown> = typeof target === "object" && target !== null ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else out[key] = merge(out[key], value);
  }
  return out as T;
}
