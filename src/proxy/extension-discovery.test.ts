import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { AnySchema, type Any } from "@bufbuild/protobuf/wkt";
import { afterAll, expect, test } from "bun:test";
import { createLogger, systemClock } from "../base/index.ts";
import { TypedExtensionConfigSchema } from "../proto/gen/envoy/config/core/v3/extension_pb.ts";
import { NameTableSchema } from "../proto/gen/istio/nds/nds_pb.ts";
import { loadRegistry, packAny, XDS_TYPES } from "../proto/index.ts";
import { get } from "./test-support/http-exchange.ts";
import { configure, httpListener, typed } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";
import { ConfigApplier, SecretStore, XdsStore } from "./xds/index.ts";

/** Filters whose configuration comes apart from their listener, as Istio sends those of Wasm plug-ins. */

const proxies: Sidecar[] = [];
afterAll(() => {
  for (const proxy of proxies) proxy.dataPlane.stop();
});

const RBAC = "envoy.extensions.filters.http.rbac.v3.RBAC";
const WASM = "envoy.extensions.filters.http.wasm.v3.Wasm";

function discovered(name: string, types: readonly string[], extra: JsonObject = {}): JsonObject {
  return {
    name,
    configDiscovery: {
      configSource: { ads: {}, initialFetchTimeout: "0s", resourceApiVersion: "V3" },
      typeUrls: types.map((type) => `type.googleapis.com/${type}`),
      ...extra,
    },
  };
}

const denyHeader = (header: string): JsonObject =>
  typed(RBAC, { rules: { action: "DENY", policies: { p: { permissions: [{ header: { name: header, presentMatch: true } }], principals: [{ any: true }] } } } });

async function any(config: JsonObject): Promise<Any> {
  return fromJson(AnySchema, config, { registry: await loadRegistry() });
}

async function start(filter: JsonObject): Promise<Sidecar> {
  const proxy = new Sidecar({ id: "n" });
  proxies.push(proxy);
  await configure(proxy.dataPlane, {
    listeners: [httpListener("l", { routes: [{ match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: "ok" } } }], filters: [filter] })],
  });
  return proxy;
}

test("a listener waits for its filter; a new configuration judges the next request on the same connection manager", async () => {
  const proxy = await start(discovered("f", [RBAC]));
  expect(proxy.dataPlane.referenced().extensions).toEqual(["f"]);
  expect(proxy.dataPlane.listeners()[0]?.state).toBe("warming");
  proxy.dataPlane.setExtension("f", await any(denyHeader("x-one")));
  const port = proxy.port("l");
  const statuses = async (): Promise<number[]> => [(await get(port, "/", "h", { "x-one": "1" })).status, (await get(port, "/", "h", { "x-two": "1" })).status];
  expect(await statuses()).toEqual([403, 200]);
  proxy.dataPlane.setExtension("f", await any(denyHeader("x-two")));
  expect(await statuses()).toEqual([200, 403]);
});

test("a configuration that the filter cannot take is refused, and the last good one goes on", async () => {
  const proxy = await start(discovered("f", [RBAC]));
  proxy.dataPlane.setExtension("f", await any(denyHeader("x-one")));
  const wrong = await any(typed("envoy.extensions.filters.http.cors.v3.Cors"));
  expect(() => proxy.dataPlane.setExtension("f", wrong)).toThrow(
    `Error: filter config has type URL envoy.extensions.filters.http.cors.v3.Cors but expect ${RBAC}.`,
  );
  expect((await get(proxy.port("l"), "/", "h", { "x-one": "1" })).status).toBe(403);
});

test("with a default the listener does not wait", async () => {
  const proxy = await start(discovered("f", [RBAC], { defaultConfig: denyHeader("x-one") }));
  expect((await get(proxy.port("l"), "/", "h", { "x-one": "1" })).status).toBe(403);
});

test("a Wasm plug-in that may fail open is left out; another is refused", async () => {
  const proxy = await start(discovered("f", [WASM]));
  const closed = await any(typed(WASM, { config: { name: "p", failurePolicy: "FAIL_CLOSED" } }));
  expect(() => proxy.dataPlane.setExtension("f", closed)).toThrow("http filter f: Wasm is not supported by this proxy");
  expect(proxy.dataPlane.listeners()[0]?.state).toBe("warming");
  proxy.dataPlane.setExtension("f", await any(typed(WASM, { config: { name: "p", failurePolicy: "FAIL_OPEN" } })));
  expect((await get(proxy.port("l"), "/", "h")).status).toBe(200);
});

test("discovered over ADS: asked for by name, acknowledged or refused", async () => {
  const proxy = await start(discovered("f", [RBAC]));
  const store = new XdsStore();
  const applier = new ConfigApplier({
    dataPlane: proxy.dataPlane,
    store,
    secrets: new SecretStore(),
    providedLocally: () => false,
    clock: systemClock,
    log: createLogger("t", { level: "none" }),
  });
  expect(applier.unanswered("ECDS")).toEqual(["f"]);
  const resource = async (config: JsonObject) => ({
    name: "f",
    version: "1",
    any: packAny(TypedExtensionConfigSchema, { name: "f", typedConfig: await any(config) }),
  });
  const update = (resources: Awaited<ReturnType<typeof resource>>[]) => ({ type: "ECDS" as const, nonce: "n", version: "1", resources, removed: [] });
  expect(applier.apply(update([await resource(denyHeader("x-one"))]))).toBeUndefined();
  expect([applier.unanswered("ECDS"), store.list("ECDS").map(({ active }) => active?.any.typeUrl)]).toEqual([[], [XDS_TYPES.ECDS]]);
  expect((await get(proxy.port("l"), "/", "h", { "x-one": "1" })).status).toBe(403);
  expect(applier.apply(update([await resource(typed(WASM, {}))]))).toContain(
    "Error adding/updating extension configuration(s) f: Error: filter config has type URL",
  );
});

test("the table of names goes to whoever answers for it, and is asked for only then", () => {
  const tables: string[][] = [];
  const deps = {
    dataPlane: new Sidecar({ id: "n" }).dataPlane,
    store: new XdsStore(),
    secrets: new SecretStore(),
    providedLocally: () => false,
    clock: systemClock,
    log: createLogger("t", { level: "none" }),
  };
  proxies.push({ dataPlane: deps.dataPlane } as Sidecar);
  const applier = new ConfigApplier({ ...deps, nameTable: ({ table }) => void tables.push(Object.keys(table)) });
  const any = packAny(NameTableSchema, { table: { "a.b.svc.cluster.local": { ips: ["10.0.0.1"] } } });
  expect(applier.apply({ type: "NDS", nonce: "n", version: "1", resources: [{ name: "", version: "1", any }], removed: [] })).toBeUndefined();
  expect(tables).toEqual([["a.b.svc.cluster.local"]]);
  expect(applier.wholeTypes).toContain("NDS");
  expect(new ConfigApplier(deps).wholeTypes).not.toContain("NDS");
});
