import { afterAll, beforeAll, expect, test } from "bun:test";
import { FakeClock } from "../../../base/index.ts";
import { istioCrds } from "../../../resources/index.ts";
import { Store } from "../../store/index.ts";
import { startTestServer, type TestServer } from "../testing.ts";

let api: TestServer;
const CONFIGMAPS = "/api/v1/namespaces/lab/configmaps";
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io";

beforeAll(async () => {
  api = await startTestServer();
  await api.call("POST", "/api/v1/namespaces", { body: { metadata: { name: "lab" } } });
  const crd = istioCrds().find(({ metadata }) => metadata.name === "peerauthentications.security.istio.io");
  await api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", { body: crd });
});
afterAll(() => api.close());

interface Event {
  type: string;
  object: { kind: string; metadata: { name?: string; resourceVersion: string; annotations?: Record<string, string> }; [field: string]: unknown };
}

/** Reads events from a watch until `count` have come. */
function watch(path: string, accept?: string, on: TestServer = api) {
  const abort = new AbortController();
  const events: Event[] = [];
  let wake = () => {};
  let ended = false;
  const done = (async () => {
    const response = await on.server.transport()(path, { signal: abort.signal, ...(accept ? { headers: { accept } } : {}) });
    expect(response.status).toBe(200);
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      rest += decoder.decode(chunk, { stream: true });
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) events.push(JSON.parse(line) as Event);
      wake();
    }
    ended = true;
    wake();
  })();
  return {
    events,
    done,
    async until(count: number) {
      while (events.length < count && !ended) await new Promise<void>((resolve) => (wake = resolve));
      return events.slice(0, count);
    },
    stop: () => abort.abort(),
  };
}

const create = (name: string, labels: Record<string, string> = {}) => api.call("POST", CONFIGMAPS, { body: { metadata: { name, labels } } });
const label = (name: string, labels: object) =>
  api.call("PATCH", `${CONFIGMAPS}/${name}`, { body: { metadata: { labels } }, type: "application/merge-patch+json" });
const summary = (events: Event[]) => events.map(({ type, object }) => `${type} ${object.metadata.name ?? ""}`.trim());

test("WatchList: what is there, the bookmark that says so, then changes", async () => {
  await create("w1");
  const watching = watch(`${CONFIGMAPS}?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=500`);
  const [first, bookmark] = await watching.until(2);
  expect(first?.type).toBe("ADDED");
  expect(bookmark).toEqual({
    type: "BOOKMARK",
    object: {
      kind: "ConfigMap",
      apiVersion: "v1",
      metadata: { resourceVersion: String(api.store.revision), annotations: { "k8s.io/initial-events-end": "true" } },
    },
  });
  await create("w2");
  await label("w2", { x: "1" });
  await api.call("DELETE", `${CONFIGMAPS}/w2`);
  const events = (await watching.until(5)).slice(2);
  expect(summary(events)).toEqual(["ADDED w2", "MODIFIED w2", "DELETED w2"]);
  const versions = events.map(({ object }) => Number(object.metadata.resourceVersion));
  expect(versions).toEqual([versions[0] as number, (versions[0] as number) + 1, (versions[0] as number) + 2]);
  watching.stop();
});

test("sendInitialEvents needs its resourceVersionMatch", async () => {
  const { body } = await api.call("GET", `${CONFIGMAPS}?watch=true&sendInitialEvents=true`);
  expect(body).toMatchObject({
    code: 422,
    message: 'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
  });
});

test("an object that starts or stops matching a selector is ADDED or DELETED, under the change's version", async () => {
  await create("sel", { app: "a" });
  const watching = watch(`${CONFIGMAPS}?watch=true&labelSelector=app%3Da&resourceVersion=${api.store.revision}`);
  await label("sel", { app: "b" });
  const left = api.store.revision;
  await label("sel", { app: "a" });
  await label("sel", { more: "1" });
  await api.call("DELETE", `${CONFIGMAPS}/sel`);
  const events = await watching.until(4);
  expect(summary(events)).toEqual(["DELETED sel", "ADDED sel", "MODIFIED sel", "DELETED sel"]);
  expect(events[0]?.object.metadata).toMatchObject({ resourceVersion: String(left), labels: { app: "a" } });
  watching.stop();
});

test("as tables: columns come once; as metadata: no more than that", async () => {
  const path = "/apis/security.istio.io/v1/namespaces/lab/peerauthentications";
  const tables = watch(`${path}?watch=true`, TABLE);
  const partial = watch(
    `/apis/security.istio.io/v1beta1/namespaces/lab/peerauthentications?watch=true`,
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
  );
  await api.call("POST", path, { body: { metadata: { name: "pa" }, spec: { mtls: { mode: "STRICT" } } } });
  await api.call("PATCH", `${path}/pa`, { body: { spec: { mtls: { mode: "DISABLE" } } }, type: "application/merge-patch+json" });
  const [first, second] = (await tables.until(2)) as unknown as {
    type: string;
    object: { kind: string; columnDefinitions: { name: string }[] | null; rows: { cells: unknown[] }[] };
  }[];
  expect(first?.object.columnDefinitions?.map(({ name }) => name)).toEqual(["Name", "Mode", "Age"]);
  expect(first?.object.rows[0]?.cells).toEqual(["pa", "STRICT", "0s"]);
  expect([second?.type, second?.object.columnDefinitions, second?.object.rows[0]?.cells]).toEqual(["MODIFIED", null, ["pa", "DISABLE", "0s"]]);
  const [metadata] = await partial.until(1);
  expect(Object.keys(metadata?.object ?? {})).toEqual(["kind", "apiVersion", "metadata"]);
  expect(metadata?.object.kind).toBe("PartialObjectMetadata");
  tables.stop();
  partial.stop();
});

test("a version that is no longer in the history gives an ERROR event; one from the future 504", async () => {
  const store = new Store({ path: ":memory:", history: { count: 2, age: 1000, size: 1 << 20 } });
  const short = await startTestServer({ store });
  await short.call("POST", "/api/v1/namespaces", { body: { metadata: { name: "lab" } } });
  for (let i = 0; i < 4; i++) await short.call("POST", CONFIGMAPS, { body: { metadata: { name: `c${i}` } } });
  const old = await short.call("GET", `${CONFIGMAPS}?watch=true&resourceVersion=1`);
  expect([old.status, old.body]).toEqual([
    200,
    {
      type: "ERROR",
      object: {
        kind: "Status",
        apiVersion: "v1",
        metadata: {},
        status: "Failure",
        message: `too old resource version: 1 (${store.oldest("/configmaps")})`,
        reason: "Expired",
        code: 410,
      },
    },
  ]);
  expect((await short.call("GET", `${CONFIGMAPS}?resourceVersion=1&resourceVersionMatch=Exact`)).body).toMatchObject({ code: 410, reason: "Expired" });
  const future = await short.call("GET", `${CONFIGMAPS}?watch=true&resourceVersion=${store.revision + 10}`);
  expect([future.status, future.body.reason]).toEqual([504, "Timeout"]);
  await short.close();
});

test("bookmarks come each minute and before the end, which timeoutSeconds sets", async () => {
  const clock = new FakeClock(Date.now());
  const timed = await startTestServer({ clock });
  await timed.call("POST", "/api/v1/namespaces", { body: { metadata: { name: "lab" } } });
  const watching = watch(`${CONFIGMAPS}?watch=true&timeoutSeconds=100&allowWatchBookmarks=true&resourceVersion=${timed.store.revision}`, undefined, timed);
  await Bun.sleep(1);
  clock.advance(60_000);
  // Nothing happened to ConfigMaps, but the client may resume from the newest version all the same.
  await timed.call("POST", "/api/v1/namespaces", { body: { metadata: { name: "other" } } });
  clock.advance(38_000);
  clock.advance(2_000);
  await watching.done;
  expect(watching.events.map(({ type }) => type)).toEqual(["BOOKMARK", "BOOKMARK"]);
  expect(watching.events[1]?.object.metadata).toEqual({ resourceVersion: String(timed.store.revision) });
  await timed.close();
});

test("lists page at one version, whatever changes meanwhile", async () => {
  const names = ["p1", "p2", "p3", "p4", "p5"];
  await api.call("POST", "/api/v1/namespaces", { body: { metadata: { name: "pages" } } });
  const path = "/api/v1/namespaces/pages/configmaps";
  for (const name of names) await api.call("POST", path, { body: { metadata: { name } } });
  type List = { metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number }; items: { metadata: { name: string } }[] };
  const first = (await api.call("GET", `${path}?limit=2`)).body as unknown as List;
  expect(first.metadata.remainingItemCount).toBe(3);
  await api.call("DELETE", `${path}/p3`);
  await api.call("POST", path, { body: { metadata: { name: "p0" } } });
  await api.call("POST", path, { body: { metadata: { name: "p6" } } });
  const rest = (await api.call("GET", `${path}?limit=100&continue=${first.metadata.continue}`)).body as unknown as List;
  expect([...first.items, ...rest.items].map(({ metadata }) => metadata.name)).toEqual(names);
  expect(rest.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  expect((await api.call("GET", `${path}?continue=nonsense`)).body).toMatchObject({ code: 400, reason: "BadRequest" });
  const all = await api.call("GET", path);
  // Items of built-in lists have no kind of their own.
  expect((all.body.items as object[])[0]).not.toHaveProperty("kind");
});

test("selectors select", async () => {
  await create("l1", { tier: "web", env: "prod" });
  await create("l2", { tier: "db" });
  const names = async (selector: string) =>
    ((await api.call("GET", `${CONFIGMAPS}?labelSelector=${encodeURIComponent(selector)}`)).body.items as { metadata: { name: string } }[]).map(
      ({ metadata }) => metadata.name,
    );
  expect(await names("tier")).toEqual(["l1", "l2"]);
  expect(await names("tier=web")).toEqual(["l1"]);
  expect(await names("tier in (web, db),env!=prod")).toEqual(["l2"]);
  expect(await names("tier,!env")).toEqual(["l2"]);
  expect(await names("tier notin (web),tier")).toEqual(["l2"]);
  expect((await api.call("GET", `${CONFIGMAPS}?labelSelector=${encodeURIComponent("a in (")}`)).body).toMatchObject({ code: 400 });
  const fields = (await api.call("GET", `/api/v1/configmaps?fieldSelector=${encodeURIComponent("metadata.name=l1,metadata.namespace!=other")}`)).body
    .items as unknown[];
  expect(fields).toHaveLength(1);
});
