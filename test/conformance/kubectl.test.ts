import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startTestServer, type TestServer } from "../../src/cluster/apiserver/testing.ts";
import { istioCrds, type KubeObject } from "../../src/resources/index.ts";
import { normalise } from "./normalise.ts";
import { bodyOf, recordings, type Exchange } from "./recordings.ts";

/** The namespaces in which the recorded commands worked. */
const NAMESPACES = ["foo", "istio-system", "istioinaction"];

let api: TestServer;
beforeAll(async () => {
  api = await startTestServer();
  for (const crd of istioCrds()) await api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", { body: crd });
  for (const name of NAMESPACES) await api.call("POST", "/api/v1/namespaces", { body: { apiVersion: "v1", kind: "Namespace", metadata: { name } } });
});
afterAll(() => api.close());

/** The newest recorded state of each object, by its path. */
const world = new Map<string, KubeObject>();

describe("kubectl's requests are answered as a real API server answered them", () => {
  for (const { name, command, exchanges } of recordings()) {
    const replayed = exchanges.filter(isReplayable);
    if (replayed.length === 0) continue;
    test(`${name}: ${command}`, async () => {
      for (const exchange of replayed) await replay(exchange);
    });
  }
});

/** Streams have tests of their own; what another server has in its namespaces is not ours to have. */
function isReplayable({ status, path, headers }: Exchange): boolean {
  return status !== 101 && status !== 304 && !headers["upgrade"] && !/[?&]watch=true/.test(path);
}

async function replay(exchange: Exchange): Promise<void> {
  const { method, status, headers, sent, sentBase64 } = exchange;
  const path = pathOf(exchange);
  const recorded = bodyOf(exchange);
  const isObject = recorded !== undefined && recorded["kind"] !== "Status" && recorded["kind"] !== "Table" && "metadata" in recorded && !("items" in recorded);
  if (method === "GET" && status === 200 && isObject) world.set(path, recorded as unknown as KubeObject);
  const before = world.get(path);
  // Only the answer tells how the object was before, and not what was done to it.
  if (method !== "POST" && method !== "GET" && status < 300 && !before) return;
  if (method === "GET" && status === 200 && !before && recorded?.["kind"] !== "Table" && !isCollection(path)) return;
  if (before && status !== 404) await put(before, path);
  const answer = await api.call(method, withVersion(exchange, path), {
    accept: headers["accept"] ?? "application/json",
    ...(headers["content-type"] ? { type: headers["content-type"] } : {}),
    ...(sentBase64 !== undefined ? { body: Buffer.from(sentBase64, "base64") } : sent !== undefined ? { body: withVersionInBody(exchange, path) } : {}),
  });
  const asked = `${method} ${exchange.path}`;
  expect([asked, answer.status]).toEqual([asked, status]);
  // We answer in JSON where protobuf was only preferred.
  if (!exchange.contentType.includes("protobuf")) expect([asked, answer.headers.get("content-type")]).toEqual([asked, exchange.contentType]);
  if (recorded && !isForeignList(recorded)) expect({ asked, body: normalise(answer.body) }).toEqual({ asked, body: normalise(recorded) });
  remember(exchange, path, recorded, isObject);
}

/** Puts an object into the store as it was recorded, its uid and managers included. */
async function put(object: KubeObject, path: string): Promise<void> {
  const [, group, , , plural] = /^\/api(?:s\/([^/]+))?\/([^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)\/[^/]+$/.exec(path) ?? [];
  if (plural === undefined) throw new Error(`no object at ${path}`);
  const resource = `${group ?? ""}/${plural}`;
  const current = api.store.get(resource, object.metadata.namespace ?? "", object.metadata.name);
  await api.store.put(resource, structuredClone(object), current);
}

function remember({ method, path: asked, status }: Exchange, path: string, recorded: Record<string, unknown> | undefined, isObject: boolean): void {
  if (asked.includes("dryRun=") || status >= 300) return;
  if (method === "DELETE") world.delete(path);
  else if (isObject) world.set(method === "POST" ? `${path}/${(recorded as unknown as KubeObject).metadata.name}` : path, recorded as unknown as KubeObject);
}

function pathOf({ path }: Exchange): string {
  return path.startsWith("/api?") || path.startsWith("/apis?") ? path : (path.split("?")[0] ?? path);
}

function isCollection(path: string): boolean {
  return path === "/healthz" || path.split("/").filter((part) => part !== "").length % 2 === (path.startsWith("/api/") ? 1 : 0);
}

/** A list of what else stood in the recorded cluster: only its form can be the same. */
function isForeignList(recorded: Record<string, unknown>): boolean {
  return Array.isArray(recorded["items"]);
}

/** Resource versions of the recording stand for those that the same objects have here. */
function withVersion({ path: asked }: Exchange, path: string): string {
  return asked.replace(/resourceVersion=[1-9]\d*/, () => `resourceVersion=${versionAt(path)}`);
}

function withVersionInBody({ sent = "" }: Exchange, path: string): string {
  return sent
    .replace(/"resourceVersion":"\d+"/g, () => `"resourceVersion":"${versionAt(path)}"`)
    .replace(/("path":"\/metadata\/resourceVersion","value":)"\d+"/g, (_, head: string) => `${head}"${versionAt(path)}"`);
}

function versionAt(path: string): string {
  const object = world.get(path);
  const [, group, plural] = /^\/api(?:s\/([^/]+))?\/[^/]+(?:\/namespaces\/[^/]+)?\/([^/]+)\//.exec(path) ?? [];
  const stored = object && api.store.get(`${group ?? ""}/${plural}`, object.metadata.namespace ?? "", object.metadata.name);
  return String(stored?.revision ?? api.store.revision);
}
