/** A small Kubernetes API in memory, for tests of controllers: versions, watches, graceful deletion, finalizers, subresources. */
import type { Transport } from "../../../kube/index.ts";
import { builtinResources, type Job, selectJobPods, selectorMatches, type KubeObject, type ResourceDefinition } from "../../../resources/index.ts";

interface Watcher {
  path: string;
  namespace: string | undefined;
  select: (object: KubeObject) => boolean;
  send(event: unknown): void;
}

interface Target {
  definition: ResourceDefinition;
  collection: string;
  namespace: string | undefined;
  name: string | undefined;
  subresource: string | undefined;
}

export class FakeApi {
  readonly transport: Transport = (path, init) => this.#handle(path, init ?? {});
  /** `POST pods`, `PATCH deployments/status`: what was asked, in order. */
  readonly requests: string[] = [];
  /** Answers instead of the server when it returns something. */
  intercept: ((method: string, resource: string, body: unknown) => Response | undefined) | undefined;
  #objects = new Map<string, KubeObject>();
  #watchers = new Set<Watcher>();
  #version = 1;
  #serial = 0;
  readonly #definitions = new Map<string, ResourceDefinition>();

  constructor(private readonly now: () => number = Date.now) {
    for (const definition of builtinResources()) this.add(definition);
  }

  add(definition: ResourceDefinition): void {
    for (const { name } of definition.versions) this.#definitions.set(`${definition.group}/${name}/${definition.plural}`, definition);
  }

  all(plural: string, namespace?: string): KubeObject[] {
    return [...this.#objects]
      .filter(([key, object]) => key.startsWith(`${plural}/`) && (namespace === undefined || object.metadata.namespace === namespace))
      .map(([, object]) => object);
  }

  get(plural: string, name: string, namespace = ""): KubeObject | undefined {
    return this.#objects.get(`${plural}/${namespace}/${name}`);
  }

  async send(method: string, path: string, body?: unknown): Promise<KubeObject> {
    const response = await this.transport(path, {
      method,
      headers: { "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as KubeObject;
    if (!response.ok) throw new Error(JSON.stringify(answer));
    return answer;
  }

  /** Creates what a test starts with. */
  async apply(...objects: KubeObject[]): Promise<void> {
    for (const object of objects) {
      const definition = [...this.#definitions.values()].find((one) => one.kind === object.kind);
      if (!definition) throw new Error(`no kind ${object.kind}`);
      const root = definition.group === "" ? "/api/v1" : `/apis/${definition.group}/${definition.storageVersion}`;
      await this.send("POST", `${root}/${object.metadata.namespace ? `namespaces/${object.metadata.namespace}/` : ""}${definition.plural}`, object);
    }
  }

  async #handle(path: string, init: RequestInit): Promise<Response> {
    const url = new URL(path, "http://fake");
    const method = init.method ?? "GET";
    const target = this.#parse(url.pathname);
    if (!target) return failure(404, "NotFound", `no ${url.pathname}`);
    const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : undefined;
    const asked = `${target.definition.plural}${target.subresource ? `/${target.subresource}` : ""}`;
    if (method !== "GET") this.requests.push(`${method} ${asked}`);
    const instead = this.intercept?.(method, asked, body);
    if (instead) return instead;
    if (method === "GET" && url.searchParams.get("watch") === "true") return this.#watch(target, url.searchParams, init.signal ?? undefined);
    if (method === "GET") return target.name === undefined ? this.#list(target, url.searchParams) : this.#read(target);
    if (method === "POST") return target.subresource ? this.#post(target, body as KubeObject) : this.#create(target, body as KubeObject);
    if (method === "PUT") return this.#write(target, body as KubeObject);
    if (method === "PATCH") return this.#patch(target, init, body);
    return this.#delete(target, body as { gracePeriodSeconds?: number; propagationPolicy?: string; preconditions?: { uid?: string } } | undefined);
  }

  #parse(pathname: string): Target | undefined {
    const parts = pathname
      .split("/")
      .filter((part) => part !== "")
      .map(decodeURIComponent);
    const [group, version, rest] = parts[0] === "api" ? ["", parts[1], parts.slice(2)] : [parts[1], parts[2], parts.slice(3)];
    const namespaced = rest?.[0] === "namespaces" && rest.length > 2 && !["status", "finalize"].includes(rest[2] ?? "");
    const [plural, name, subresource] = namespaced ? rest.slice(2) : (rest ?? []);
    const definition = this.#definitions.get(`${group}/${version}/${plural}`);
    return definition && { definition, collection: definition.plural, namespace: namespaced ? rest?.[1] : undefined, name, subresource };
  }

  #key(target: Target, name = target.name): string {
    return `${target.collection}/${target.namespace ?? ""}/${name}`;
  }

  #list({ definition, namespace, collection }: Target, query: URLSearchParams): Response {
    const items = this.all(collection, namespace).filter(selector(query));
    return Response.json({ kind: definition.listKind, apiVersion: "v1", metadata: { resourceVersion: String(this.#version) }, items });
  }

  #read(target: Target): Response {
    const object = this.#objects.get(this.#key(target));
    return object ? Response.json(object) : notFound(target);
  }

  #watch(target: Target, query: URLSearchParams, signal: AbortSignal | undefined): Response {
    const encoder = new TextEncoder();
    let watcher: Watcher | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const send = (event: unknown) => controller.enqueue(encoder.encode(`${JSON.stringify(event)}\n`));
        const select = selector(query);
        watcher = { path: target.collection, namespace: target.namespace, select, send };
        if (query.get("sendInitialEvents")) {
          for (const object of this.all(target.collection, target.namespace).filter(select)) send({ type: "ADDED", object });
          send({ type: "BOOKMARK", object: { metadata: { resourceVersion: String(this.#version), annotations: { "k8s.io/initial-events-end": "true" } } } });
        }
        this.#watchers.add(watcher);
      },
      cancel: () => void (watcher && this.#watchers.delete(watcher)),
    });
    signal?.addEventListener("abort", () => watcher && this.#watchers.delete(watcher));
    return new Response(body);
  }

  #create(target: Target, object: KubeObject): Response {
    const { metadata } = object;
    if (target.namespace && !this.#objects.has(`namespaces//${target.namespace}`))
      return failure(404, "NotFound", `namespaces "${target.namespace}" not found`);
    if (metadata.generateName && !metadata.name) metadata.name = `${metadata.generateName}${(1_000_000 + this.#serial * 7919).toString(36).slice(-5)}`;
    if (this.#objects.has(this.#key(target, metadata.name))) return failure(409, "AlreadyExists", `${target.collection} "${metadata.name}" already exists`);
    metadata.uid = `uid-${++this.#serial}`;
    metadata.creationTimestamp = this.#time();
    if (target.namespace) metadata.namespace = target.namespace;
    if (target.definition.hasGeneration) metadata.generation = 1;
    target.definition.setDefaults?.(object);
    if (target.definition.kind === "Job") selectJobPods(object as unknown as Job);
    if (target.definition.kind === "Namespace") object.spec = { finalizers: ["kubernetes"] };
    const [problem] = target.definition.validate?.(object) ?? [];
    if (problem) return failure(422, "Invalid", `${problem.field}: ${problem.message}`);
    return Response.json(this.#store(target, object, "ADDED"), { status: 201 });
  }

  #post(target: Target, body: KubeObject): Response {
    const pod = this.#objects.get(this.#key(target));
    if (!pod) return notFound(target);
    if (target.subresource !== "binding") return failure(404, "NotFound", `no ${target.subresource}`);
    const node = (body["target"] as { name: string }).name;
    this.#store(target, { ...pod, spec: { ...(pod.spec as object), nodeName: node } }, "MODIFIED");
    return Response.json({ kind: "Status", status: "Success" }, { status: 201 });
  }

  #write(target: Target, next: KubeObject): Response {
    const old = this.#objects.get(this.#key(target));
    if (!old) return notFound(target);
    if (next.metadata.resourceVersion && next.metadata.resourceVersion !== old.metadata.resourceVersion)
      return failure(409, "Conflict", "the object has been modified");
    if (next.metadata.uid && next.metadata.uid !== old.metadata.uid) return failure(409, "Conflict", "another uid");
    const merged: KubeObject =
      target.subresource === "status"
        ? { ...old, status: next.status }
        : {
            ...next,
            status: target.definition.subresources.includes("status") ? old.status : next.status,
            metadata: { ...next.metadata, uid: old.metadata.uid ?? "" },
          };
    if (target.subresource !== "status") target.definition.setDefaults?.(merged, old);
    if (JSON.stringify(merged.spec) !== JSON.stringify(old.spec) && target.definition.hasGeneration)
      merged.metadata = { ...merged.metadata, generation: (old.metadata.generation ?? 0) + 1 };
    const finalizers = [
      ...(merged.metadata.finalizers ?? []),
      ...(target.collection === "namespaces" ? ((merged.spec as { finalizers?: string[] } | undefined)?.finalizers ?? []) : []),
    ];
    if (merged.metadata.deletionTimestamp && finalizers.length === 0 && target.collection !== "pods") return Response.json(this.#drop(target, merged));
    return Response.json(this.#store(target, merged, "MODIFIED"));
  }

  #patch(target: Target, init: RequestInit, body: unknown): Response {
    const old = this.#objects.get(this.#key(target));
    if (!old) return notFound(target);
    if (new Headers(init.headers).get("content-type") !== "application/merge-patch+json") return failure(415, "UnsupportedMediaType", "merge patches only");
    return this.#write(target, merge(structuredClone(old), body) as KubeObject);
  }

  #delete(target: Target, options: { gracePeriodSeconds?: number; propagationPolicy?: string; preconditions?: { uid?: string } } = {}): Response {
    if (target.name === undefined) {
      for (const object of this.all(target.collection, target.namespace)) this.#drop({ ...target, name: object.metadata.name }, object);
      return Response.json({ items: [] });
    }
    const object = this.#objects.get(this.#key(target));
    if (!object) return notFound(target);
    if (options.preconditions?.uid && options.preconditions.uid !== object.metadata.uid) return failure(409, "Conflict", "another uid");
    const metadata = { ...object.metadata };
    if (options.propagationPolicy === "Foreground") metadata.finalizers = [...new Set([...(metadata.finalizers ?? []), "foregroundDeletion"])];
    if (options.propagationPolicy === "Orphan") metadata.finalizers = [...new Set([...(metadata.finalizers ?? []), "orphan"])];
    const graceful = target.collection === "pods" && (object.spec as { nodeName?: string }).nodeName && options.gracePeriodSeconds !== 0;
    if (!graceful && !metadata.finalizers?.length && target.collection !== "namespaces") return Response.json(this.#drop(target, object));
    const status = target.collection === "namespaces" ? { ...(object.status as object), phase: "Terminating" } : object.status;
    return Response.json(
      this.#store(target, { ...object, metadata: { ...metadata, deletionTimestamp: metadata.deletionTimestamp ?? this.#time() }, status }, "MODIFIED"),
    );
  }

  #store(target: Target, object: KubeObject, type: "ADDED" | "MODIFIED"): KubeObject {
    const key = this.#key(target, object.metadata.name);
    const old = this.#objects.get(key);
    if (
      old &&
      JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion: "" } }) ===
        JSON.stringify({ ...old, metadata: { ...old.metadata, resourceVersion: "" } })
    )
      return old;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    this.#objects.set(key, stored);
    this.#tell(target, type, stored);
    return stored;
  }

  #drop(target: Target, object: KubeObject): KubeObject {
    this.#objects.delete(this.#key(target, object.metadata.name));
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    this.#tell(target, "DELETED", last);
    return last;
  }

  #tell(target: Target, type: string, object: KubeObject): void {
    for (const watcher of this.#watchers) {
      if (watcher.path === target.collection && (watcher.namespace === undefined || watcher.namespace === object.metadata.namespace) && watcher.select(object))
        watcher.send({ type, object });
    }
  }

  #time(): string {
    return new Date(this.now()).toISOString().replace(/\.\d+Z$/, "Z");
  }
}

function selector(query: URLSearchParams): (object: KubeObject) => boolean {
  const field = /^metadata\.name=(.+)$/.exec(query.get("fieldSelector") ?? "")?.[1];
  const labels = Object.fromEntries(
    (query.get("labelSelector") ?? "")
      .split(",")
      .filter((term) => term !== "")
      .map((term) => term.split("=")),
  );
  return (object) => (field === undefined || object.metadata.name === field) && selectorMatches({ matchLabels: labels }, object.metadata.labels);
}

function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = typeof target === "object" && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merge(result[key], value);
  }
  return result;
}

function notFound(target: Target): Response {
  return failure(404, "NotFound", `${target.collection} "${target.name}" not found`);
}

function failure(code: number, reason: string, message: string): Response {
  return Response.json({ kind: "Status", status: "Failure", code, reason, message }, { status: code });
}
