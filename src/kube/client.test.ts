import { expect, test } from "bun:test";
import type { KubeObject } from "../resources/types.ts";
import { createClient } from "./client.ts";
import { ApiError, isConflict } from "./errors.ts";
import { CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS } from "./gvr.ts";
import { watchEvents } from "./watch-stream.ts";

function recorder(answer: () => Response) {
  const seen: { method: string; path: string; type: string | null; body: unknown }[] = [];
  const client = createClient(async (path, init) => {
    seen.push({
      method: init?.method ?? "GET",
      path,
      type: new Headers(init?.headers).get("content-type"),
      body: typeof init?.body === "string" ? JSON.parse(init.body) : undefined,
    });
    return answer();
  });
  return { client, seen };
}

test("verbs go to the paths and content types of the API", async () => {
  const { client, seen } = recorder(() => Response.json({}));
  const object: KubeObject = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c", namespace: "n" } };
  await client.create(CONFIG_MAPS, object);
  await client.update(CONFIG_MAPS, object);
  await client.updateStatus(DEPLOYMENTS, object);
  await client.patch(NAMESPACES, "n", undefined, { metadata: { labels: { a: "b" } } });
  await client.apply(CONFIG_MAPS, object, "istiod");
  await client.delete(PODS, "p", "n", { gracePeriodSeconds: 0, uid: "u" });
  expect(seen.map((r) => `${r.method} ${r.path} ${r.type}`)).toEqual([
    "POST /api/v1/namespaces/n/configmaps application/json",
    "PUT /api/v1/namespaces/n/configmaps/c application/json",
    "PUT /apis/apps/v1/namespaces/n/deployments/c/status application/json",
    "PATCH /api/v1/namespaces/n application/merge-patch+json",
    "PATCH /api/v1/namespaces/n/configmaps/c?fieldManager=istiod&force=true application/apply-patch+yaml",
    "DELETE /api/v1/namespaces/n/pods/p application/json",
  ]);
  expect(seen[5]?.body).toEqual({ kind: "DeleteOptions", apiVersion: "v1", gracePeriodSeconds: 0, preconditions: { uid: "u" } });
});

test("failures carry the Status; find turns 404 into undefined", async () => {
  const status = { kind: "Status", status: "Failure", reason: "NotFound", message: 'pods "x" not found', code: 404 };
  const { client } = recorder(() => Response.json(status, { status: 404 }));
  expect(await client.find(PODS, "x", "n")).toBeUndefined();
  const thrown = await client.get(PODS, "x", "n").catch((e: unknown) => e);
  expect(thrown).toBeInstanceOf(ApiError);
  expect(thrown).toMatchObject({ code: "API_NOT_FOUND", status: 404, reason: "NotFound", message: 'pods "x" not found' });
  expect(isConflict(new ApiError(409, { kind: "Status", reason: "Conflict" }))).toBe(true);
  expect(isConflict(new ApiError(409, { kind: "Status", reason: "AlreadyExists" }))).toBe(false);
});

test("lists follow continue and give items their type", async () => {
  const pages = [
    { kind: "PodList", apiVersion: "v1", metadata: { resourceVersion: "9", continue: "t" }, items: [{ metadata: { name: "a" } }] },
    { kind: "PodList", apiVersion: "v1", metadata: { resourceVersion: "9" }, items: [{ metadata: { name: "b" } }] },
  ];
  const { client, seen } = recorder(() => Response.json(pages.shift()));
  const { items, resourceVersion } = await client.list(PODS, { labelSelector: "app=x" });
  expect(items.map((i) => `${i.kind} ${i.metadata.name}`)).toEqual(["Pod a", "Pod b"]);
  expect(resourceVersion).toBe("9");
  expect(seen[1]?.path).toBe("/api/v1/pods?labelSelector=app%3Dx&limit=500&continue=t");
});

test("watch events are split wherever the bytes were cut", async () => {
  const bytes = new TextEncoder().encode(
    '{"type":"ADDED","object":{"metadata":{"name":"ä"}}}\n{"type":"DELETED","object":{"metadata":{"name":"b"}}}\n{"type":"AD',
  );
  for (const size of [1, 7, 64, bytes.length]) {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let i = 0; i < bytes.length; i += size) controller.enqueue(bytes.slice(i, i + size));
        controller.close();
      },
    });
    const names: string[] = [];
    for await (const event of watchEvents(body)) names.push(`${event.type} ${event.object.metadata.name}`);
    expect(names).toEqual(["ADDED ä", "DELETED b"]);
  }
});

test("a watch's ERROR event is thrown as the Status in it", async () => {
  const { client } = recorder(
    () => new Response('{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version: 1 (321)"}}\n'),
  );
  const run = async () => {
    for await (const _ of client.watch(PODS, { resourceVersion: "1" })) void _;
  };
  await expect(run()).rejects.toMatchObject({ status: 410, code: "API_EXPIRED" });
});
