import { expect, test } from "bun:test";
import { FakeClock } from "../base/index.ts";
import type { KubeObject } from "../resources/types.ts";
import { createClient } from "./client.ts";
import { PODS } from "./gvr.ts";
import { createInformer } from "./informer.ts";
import type { Transport } from "./types.ts";

/** A scripted API server: each watch stays open until the test ends it. */
function server(options: { watchList: boolean }) {
  const objects = new Map<string, KubeObject>();
  const watches: { controller: ReadableStreamDefaultController<Uint8Array>; query: URLSearchParams }[] = [];
  const requests: string[] = [];
  let arrived = () => {};
  const encode = (value: unknown) => new TextEncoder().encode(`${JSON.stringify(value)}\n`);
  const transport: Transport = async (path, init) => {
    requests.push(path);
    const query = new URL(path, "http://x").searchParams;
    if (query.get("watch") !== "true") {
      const items = [...objects.values()].map(({ metadata }) => ({ metadata }));
      return Response.json({ kind: "PodList", apiVersion: "v1", metadata: { resourceVersion: "5" }, items });
    }
    if (query.get("sendInitialEvents") && !options.watchList) {
      return Response.json({ kind: "Status", code: 422, reason: "Invalid", message: "no" }, { status: 422 });
    }
    let controller!: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({ start: (c) => void (controller = c) });
    init?.signal?.addEventListener("abort", () => controller.error(new Error("aborted")));
    watches.push({ controller, query });
    if (query.get("sendInitialEvents")) {
      for (const object of objects.values()) controller.enqueue(encode({ type: "ADDED", object }));
      controller.enqueue(
        encode({
          type: "BOOKMARK",
          object: { kind: "Pod", apiVersion: "v1", metadata: { resourceVersion: "5", annotations: { "k8s.io/initial-events-end": "true" } } },
        }),
      );
    }
    arrived();
    return new Response(body);
  };
  return {
    transport,
    requests,
    watches,
    objects,
    send: (type: string, object: unknown) => watches.at(-1)?.controller.enqueue(encode({ type, object })),
    nextWatch: () => new Promise<void>((resolve) => (arrived = resolve)),
  };
}

function pod(name: string, version: string, node = "a"): KubeObject {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "lab", uid: name, resourceVersion: version }, spec: { node } };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

for (const watchList of [true, false]) {
  test(`keeps a copy current (${watchList ? "WatchList" : "list and watch"})`, async () => {
    const api = server({ watchList });
    api.objects.set("x", pod("x", "3"));
    const informer = createInformer(createClient(api.transport), PODS, { indexes: { node: (p) => [(p.spec as { node?: string })?.node ?? "-"] } });
    await informer.synced;
    await settle();
    const seen: string[] = [];
    informer.onChange(({ type, object }) => seen.push(`${type} ${object.metadata.name}`));
    expect(informer.get("x", "lab")?.kind).toBe("Pod");
    api.send("ADDED", pod("y", "6", "b"));
    api.send("MODIFIED", pod("x", "7", "b"));
    await settle();
    expect(informer.byIndex("node", "b").map((p) => p.metadata.name)).toEqual(["y", "x"]);
    api.send("DELETED", pod("y", "8", "b"));
    await settle();
    expect(seen).toEqual(["ADDED x", "ADDED y", "MODIFIED x", "DELETED y"]);
    expect(informer.list("lab").length).toBe(1);
    expect(api.requests.length).toBe(watchList ? 1 : 3);
    informer.stop();
  });
}

test("goes on from the last version after a lost connection, and reads anew after 410", async () => {
  const api = server({ watchList: true });
  api.objects.set("x", pod("x", "3"));
  const clock = new FakeClock();
  const informer = createInformer(createClient(api.transport), PODS, { clock, random: () => 0.5 });
  await informer.synced;
  const seen: string[] = [];
  informer.onChange(({ type, object }) => seen.push(`${type} ${object.metadata.name}`));
  api.send("BOOKMARK", { kind: "Pod", apiVersion: "v1", metadata: { resourceVersion: "40" } });
  await settle();
  api.watches[0]?.controller.error(new Error("connection lost"));
  await settle();
  const again = api.nextWatch();
  clock.advance(200);
  await again;
  expect(api.watches[1]?.query.get("resourceVersion")).toBe("40");

  api.objects.clear();
  api.objects.set("z", pod("z", "60"));
  api.send("ERROR", { kind: "Status", code: 410, reason: "Expired", message: "too old" });
  await settle();
  const relist = api.nextWatch();
  clock.advance(1000);
  await relist;
  await settle();
  expect(api.watches[2]?.query.get("sendInitialEvents")).toBe("true");
  expect(seen).toEqual(["ADDED x", "DELETED x", "ADDED z"]);
  informer.stop();
});

test("a listener that throws does not stop the others", async () => {
  const api = server({ watchList: true });
  const errors: string[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (m: string) => errors.push(m), child: () => log, setLevel() {} };
  const informer = createInformer(createClient(api.transport), PODS, { log });
  await informer.synced;
  const seen: string[] = [];
  informer.onChange(() => {
    throw new Error("broken");
  });
  informer.onChange(({ object }) => seen.push(object.metadata.name));
  api.send("ADDED", pod("y", "6"));
  await settle();
  expect(seen).toEqual(["y"]);
  expect(errors.length).toBe(1);
  informer.stop();
});
