import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import type { OverloadConfig } from "./overload/index.ts";
import { eventually } from "./test-support/collectors.ts";
import { get } from "./test-support/http-exchange.ts";
import { configure, httpListener, typed } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

/** What is shed is shed as Envoy 1.40 sheds it; the log also has the flag. */

const proxies: Sidecar[] = [];
const sockets: Socket[] = [];
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  for (const proxy of proxies) proxy.dataPlane.stop();
});

const NOTHING: OverloadConfig = { refreshMs: 20, maxHeapBytes: undefined, maxConnections: undefined, listenerLimits: new Map(), actions: [] };
const MONITOR = "envoy.resource_monitors.fixed_heap";

async function start(overload: Partial<OverloadConfig>, extra: JsonObject = {}, before: readonly JsonObject[] = []): Promise<{ proxy: Sidecar; port: number }> {
  const proxy = new Sidecar({ id: "n", overload: { ...NOTHING, ...overload } });
  proxies.push(proxy);
  const listener = httpListener("l", { routes: [{ match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: "ok" } } }], listener: extra });
  const [chain] = listener.filterChains as JsonObject[];
  (chain as { filters: JsonObject[] }).filters.unshift(...before);
  await configure(proxy.dataPlane, { listeners: [listener] });
  return { proxy, port: proxy.port("l") };
}

/** An idle connection; says whether it was ended by the proxy. */
function hold(port: number): { readonly socket: Socket; ended: boolean } {
  const held = { socket: connect(port, "127.0.0.1"), ended: false };
  held.socket.on("end", () => (held.ended = true));
  held.socket.on("error", () => (held.ended = true));
  sockets.push(held.socket);
  return held;
}

test("memory: requests are answered with 503, connections end after them, statistics say so", async () => {
  const actions = [
    { name: "stop_accepting_requests", monitor: MONITOR, from: 0.9 },
    { name: "disable_http_keepalive", monitor: MONITOR, from: 0.9 },
  ] as const;
  const { proxy, port } = await start({ maxHeapBytes: 1, actions });
  const shed = await get(port, "/", "h");
  expect([shed.status, shed.body, shed.headers["connection"]]).toEqual([503, "envoy overloaded", "close"]);
  expect(proxy.log.at(-1)).toContain("503 OM overload");
  expect(proxy.metric("envoy_http_downstream_rq_overload_close")).toBe(1);
  expect(proxy.metric("envoy_http_downstream_cx_overload_disable_keepalive")).toBe(1);
  const lines = proxy.dataPlane.dottedStats().lines;
  expect(lines.find(({ name }) => name === "overload.envoy.overload_actions.stop_accepting_requests.active")).toMatchObject({ value: "1", kind: "gauge" });
  expect(Number(lines.find(({ name }) => name === `overload.${MONITOR}.pressure`)?.value)).toBeGreaterThan(100);
  const relaxed = await start({ maxHeapBytes: 1e15, actions });
  expect((await get(relaxed.port, "/", "h")).status).toBe(200);
});

test("memory: connections are refused, but not where the listener must stay reachable", async () => {
  const actions = [{ name: "reject_incoming_connections", monitor: MONITOR, from: 0.9 }] as const;
  const { port, proxy } = await start({ maxHeapBytes: 1, actions });
  expect((await get(port, "/", "h")).status).toBe(0);
  expect(proxy.metric("envoy_listener_downstream_cx_overload_reject")).toBe(1);
  const health = await start({ maxHeapBytes: 1, actions }, { bypassOverloadManager: true });
  expect((await get(health.port, "/", "h")).status).toBe(200);
});

test("so many connections in all, and places come back", async () => {
  const { proxy, port } = await start({ maxConnections: 2 });
  const first = hold(port);
  const second = hold(port);
  await eventually(() => proxy.dataPlane.listeners()[0]?.openConnections === 2, "two connections");
  const third = hold(port);
  await eventually(() => third.ended, "the third is ended");
  expect([first.ended, second.ended, proxy.metric("envoy_listener_downstream_global_cx_overflow")]).toEqual([false, false, 1]);
  first.socket.destroy();
  await eventually(() => proxy.dataPlane.listeners()[0]?.openConnections === 1, "one has gone");
  expect((await get(port, "/", "h")).status).toBe(200);
});

test("a listener may have its own limit, and ignore the global one", async () => {
  const { proxy, port } = await start({ maxConnections: 0, listenerLimits: new Map([["l", 1]]) }, { ignoreGlobalConnLimit: true });
  hold(port);
  await eventually(() => proxy.dataPlane.listeners()[0]?.openConnections === 1, "a connection");
  expect((await get(port, "/", "h")).status).toBe(0);
  expect(proxy.metric("envoy_listener_downstream_cx_overflow")).toBe(1);
});

test("the connection limit filter counts a chain's connections", async () => {
  const limit = {
    name: "limit",
    typedConfig: typed("envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit", { statPrefix: "lim", maxConnections: "1", delay: "0.05s" }),
  };
  const { proxy, port } = await start({}, {}, [limit]);
  const first = hold(port);
  await eventually(() => proxy.dataPlane.listeners()[0]?.openConnections === 1, "a connection");
  const refusedAt = performance.now();
  expect((await get(port, "/", "h")).status).toBe(0);
  expect(performance.now() - refusedAt).toBeGreaterThan(40);
  const stat = (name: string) => proxy.dataPlane.dottedStats().lines.find((line) => line.name === `connection_limit.lim.${name}`)?.value;
  expect([stat("active_connections"), stat("limited_connections")]).toEqual(["1", "1"]);
  first.socket.destroy();
  await eventually(() => stat("active_connections") === "0", "the place is free");
  expect((await get(port, "/", "h")).status).toBe(200);
});
