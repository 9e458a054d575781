import type { KubeObject } from "../resources/types.ts";
import { ApiError, asStatus, errorFromResponse, isNotFound } from "./errors.ts";
import { resourcePath } from "./gvr.ts";
import type { GroupVersionResource, KubeClient, ListOptions, Transport, WatchEvent, WatchOptions } from "./types.ts";
import { watchEvents } from "./watch-stream.ts";

/** As client-go's pager: big lists come in pages so that neither side holds all of the text at once. */
const PAGE_SIZE = 500;

interface ListBody<T> {
  apiVersion?: string;
  kind?: string;
  metadata?: { resourceVersion?: string; continue?: string };
  items?: T[] | null;
}

/** Typed verbs over `transport`. Holds no state: make as many as you like. */
export function createClient(transport: Transport): KubeClient {
  async function send<R>(method: string, path: string, body?: unknown, contentType = "application/json"): Promise<R> {
    const headers: Record<string, string> = { accept: "application/json" };
    const init: RequestInit = { method, headers };
    if (body !== undefined) {
      headers["content-type"] = contentType;
      init.body = JSON.stringify(body);
    }
    const response = await transport(path, init);
    if (!response.ok) throw await errorFromResponse(response);
    return (await response.json()) as R;
  }

  async function list<T extends KubeObject>(gvr: GroupVersionResource, options: ListOptions = {}): Promise<{ items: T[]; resourceVersion: string }> {
    const items: T[] = [];
    let token: string | undefined;
    for (;;) {
      const query = selectorQuery(options);
      query.set("limit", String(PAGE_SIZE));
      if (token) query.set("continue", token);
      const page = await send<ListBody<T>>("GET", `${resourcePath(gvr, options.namespace)}?${query}`);
      const kind = page.kind?.replace(/List$/, "") ?? "";
      for (const item of page.items ?? []) {
        // Built-in lists leave the type off their items.
        item.apiVersion ??= page.apiVersion ?? "";
        item.kind ??= kind;
        items.push(item);
      }
      token = page.metadata?.continue;
      if (!token) return { items, resourceVersion: page.metadata?.resourceVersion ?? "" };
    }
  }

  async function* watch<T extends KubeObject>(gvr: GroupVersionResource, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const query = selectorQuery(options);
    query.set("watch", "true");
    query.set("allowWatchBookmarks", "true");
    if (options.resourceVersion !== "") query.set("resourceVersion", options.resourceVersion);
    if (options.timeoutSeconds !== undefined) query.set("timeoutSeconds", String(options.timeoutSeconds));
    if (options.sendInitialEvents) {
      query.set("sendInitialEvents", "true");
      query.set("resourceVersionMatch", "NotOlderThan");
    }
    const init: RequestInit & { timeout: false } = { headers: { accept: "application/json" }, timeout: false };
    if (options.signal) init.signal = options.signal;
    const response = await transport(`${resourcePath(gvr, options.namespace)}?${query}`, init);
    if (!response.ok) throw await errorFromResponse(response);
    if (!response.body) return;
    for await (const event of watchEvents<T>(response.body)) {
      if (event.type === "ERROR") {
        const status = asStatus(event.object) ?? { kind: "Status", message: "the watch failed" };
        throw new ApiError(status.code ?? 500, status);
      }
      yield event;
    }
  }

  const put = <T extends KubeObject>(gvr: GroupVersionResource, object: T, subresource?: string): Promise<T> =>
    send("PUT", resourcePath(gvr, object.metadata.namespace, object.metadata.name, subresource), object);

  return {
    transport,
    list,
    watch,
    get: (gvr, name, namespace) => send("GET", resourcePath(gvr, namespace, name)),
    async find<T extends KubeObject>(gvr: GroupVersionResource, name: string, namespace?: string) {
      try {
        return await send<T>("GET", resourcePath(gvr, namespace, name));
      } catch (thrown) {
        if (isNotFound(thrown)) return undefined;
        throw thrown;
      }
    },
    create: (gvr, object) => send("POST", resourcePath(gvr, object.metadata.namespace), object),
    createSubresource: (gvr, name, namespace, subresource, body) => send("POST", resourcePath(gvr, namespace, name, subresource), body),
    update: (gvr, object) => put(gvr, object),
    updateStatus: (gvr, object) => put(gvr, object, "status"),
    updateSubresource: put,
    patch: (gvr, name, namespace, body, subresource) =>
      send(
        "PATCH",
        resourcePath(gvr, namespace, name, subresource),
        body,
        Array.isArray(body) ? "application/json-patch+json" : "application/merge-patch+json",
      ),
    apply(gvr, object, fieldManager) {
      const query = new URLSearchParams({ fieldManager, force: "true" });
      return send("PATCH", `${resourcePath(gvr, object.metadata.namespace, object.metadata.name)}?${query}`, object, "application/apply-patch+yaml");
    },
    async delete(gvr, name, namespace, options = {}) {
      const { uid, ...rest } = options;
      const body = { kind: "DeleteOptions", apiVersion: "v1", ...rest, ...(uid === undefined ? {} : { preconditions: { uid } }) };
      await send("DELETE", resourcePath(gvr, namespace, name), body);
    },
  };
}

function selectorQuery(options: ListOptions): URLSearchParams {
  const query = new URLSearchParams();
  if (options.labelSelector) query.set("labelSelector", options.labelSelector);
  if (options.fieldSelector) query.set("fieldSelector", options.fieldSelector);
  return query;
}
