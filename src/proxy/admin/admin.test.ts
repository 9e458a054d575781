import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createLogger, systemClock } from "../../base/index.ts";
import { loadRegistry } from "../../proto/index.ts";
import { ProxyServer, readBootstrap } from "../bootstrap/index.ts";
import { createDataPlane } from "../data-plane.ts";
import { FakeSockets } from "../test-support/fake-sockets.ts";
import { eventually } from "../test-support/collectors.ts";
import { get } from "../test-support/http-exchange.ts";
import { httpListener } from "../test-support/plain-config.ts";
import { Admin } from "./admin.ts";

const LAYERS: JsonObject = {
  layers: [
    { name: "base", static_layer: { "a.b": 5, on: true, share: { numerator: 1, denominator: "HUNDRED" } } },
    { name: "over", static_layer: { a: { b: 7 } } },
  ],
};
const servers: ProxyServer[] = [];
let log: ReturnType<typeof createLogger>;

beforeAll(() => {
  log = createLogger("t", { level: "none" });
});
afterAll(() => {
  for (const server of servers) server.stop();
});

async function start(direction = "INBOUND"): Promise<{ admin: Admin; server: ProxyServer; port: number }> {
  const registry = await loadRegistry();
  const listener = httpListener("l", {
    routes: [{ match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: "ok" } } }],
    listener: { trafficDirection: direction },
  });
  const server = new ProxyServer({
    bootstrap: readBootstrap({ node: { id: "n", cluster: "c" }, layered_runtime: LAYERS, static_resources: { listeners: [listener] } }, registry),
    createDataPlane,
    sockets: new FakeSockets(),
    accessLog: () => ({ write() {} }),
    concurrency: 1,
    drainTimeMs: 100,
    clock: systemClock,
    random: Math.random,
    log,
  });
  servers.push(server);
  const admin = new Admin({
    server,
    print: async () => ({ status: 200, contentType: "text/plain", body: "" }),
    loggers: { main: log },
    logLevel: "warn",
    quit: () => {},
  });
  return { admin, server, port: server.dataPlane.listeners()[0]?.bound?.port as number };
}

const ask = async (admin: Admin, path: string, method = "GET") => admin.handle(method, new URL(path, "http://a"));

test("pages that answer what Envoy answers", async () => {
  const { admin } = await start();
  expect((await ask(admin, "/hot_restart_version")).body).toBe("disabled\n");
  expect((await ask(admin, "/contention")).body).toStartWith("Mutex contention tracing is not enabled.");
  expect((await ask(admin, "/init_dump")).body).toBe("{}\n");
  expect((await ask(admin, "/reopen_logs", "POST")).body).toBe("OK\n");
  expect((await ask(admin, "/drain_listeners")).status).toBe(405);
  expect(JSON.parse((await ask(admin, "/runtime")).body)).toEqual({
    entries: {
      "a.b": { layer_values: ["5", "7"], final_value: "7" },
      on: { layer_values: ["true", ""], final_value: "true" },
      share: { layer_values: ['{"numerator":1,"denominator":"HUNDRED"}', ""], final_value: '{"numerator":1,"denominator":"HUNDRED"}' },
    },
    layers: ["base", "over"],
  });
});

test("every path of Envoy's help is there, or says why not", async () => {
  const { admin } = await start();
  const help = (await ask(admin, "/help")).body;
  for (const path of [
    "/certs",
    "/clusters",
    "/config_dump",
    "/contention",
    "/drain_listeners",
    "/healthcheck/fail",
    "/healthcheck/ok",
    "/hot_restart_version",
    "/init_dump",
    "/listeners",
    "/logging",
    "/memory",
    "/quitquitquit",
    "/ready",
    "/reopen_logs",
    "/reset_counters",
    "/runtime",
    "/server_info",
    "/stats",
    "/stats/prometheus",
  ]) {
    expect(help).toContain(`  ${path}`);
  }
  for (const path of [
    "/allocprofiler",
    "/cpuprofiler",
    "/heap_dump",
    "/heapprofiler",
    "/memory/tcmalloc",
    "/peak_heap_dump",
    "/runtime_modify",
    "/stats/recentlookups",
    "/stats/recentlookups/clear",
    "/stats/recentlookups/disable",
    "/stats/recentlookups/enable",
  ]) {
    const answer = await ask(admin, path, "POST");
    expect([answer.status, answer.body]).toEqual([404, expect.stringContaining(`${path} is not supported by this proxy: `)]);
  }
  const unknown = await ask(admin, "/nonexistent");
  expect([unknown.status, unknown.body.startsWith("invalid path. admin commands are:")]).toEqual([404, true]);
});

describe("statistics", () => {
  test("by type, by expression and by its opposite", async () => {
    const { admin } = await start();
    expect((await ask(admin, "/stats?filter=^server.live$")).body).toBe("server.live: 1\n");
    expect((await ask(admin, "/stats?filter=^server.live$&type=Counters")).body).toBe("");
    expect((await ask(admin, "/stats?filter=^server&invert_filter")).body).not.toContain("server.live");
    expect((await ask(admin, "/stats?type=Foo")).status).toBe(400);
    expect(JSON.parse((await ask(admin, "/stats?filter=^server.live$&format=json")).body)).toEqual({ stats: [{ name: "server.live", value: 1 }] });
  });

  test("/reset_counters sets counters to zero and leaves gauges", async () => {
    const { admin, port } = await start();
    await get(port, "/", "h");
    expect((await ask(admin, "/stats?filter=^http.l.downstream_rq_total$")).body).toBe("http.l.downstream_rq_total: 1\n");
    expect((await ask(admin, "/reset_counters", "POST")).body).toBe("OK\n");
    expect((await ask(admin, "/stats?filter=^http.l.downstream_(rq_total|rq_2xx)$")).body).toBe("http.l.downstream_rq_2xx: 0\nhttp.l.downstream_rq_total: 0\n");
    expect((await ask(admin, "/stats?filter=listener_manager.total_listeners_active")).body).toBe("listener_manager.total_listeners_active: 1\n");
  });
});

describe("/drain_listeners", () => {
  test("at once: nothing is accepted any more", async () => {
    const { admin, port } = await start();
    expect((await ask(admin, "/drain_listeners", "POST")).body).toBe("OK\n");
    expect((await get(port, "/", "h")).status).toBe(0);
  });

  test("gracefully: served for the drain time, each connection asked to go, the state says so", async () => {
    const { admin, port, server } = await start();
    expect((await get(port, "/", "h")).headers["connection"]).toBeUndefined();
    await ask(admin, "/drain_listeners?graceful", "POST");
    expect([server.state, (await ask(admin, "/ready")).status]).toEqual(["DRAINING", 503]);
    const asked = await get(port, "/", "h");
    expect([asked.status, asked.headers["connection"]]).toEqual([200, "close"]);
    await eventually(() => server.dataPlane.listeners().every(({ bound }) => bound === undefined), "the listener stops accepting");
  });

  test("only inbound ones, where it is asked for", async () => {
    const outbound = await start("OUTBOUND");
    await ask(outbound.admin, "/drain_listeners?inboundonly", "POST");
    expect((await get(outbound.port, "/", "h")).status).toBe(200);
  });
});

test("/healthcheck/fail and /ok say what load balancers see", async () => {
  const { admin, server } = await start();
  await ask(admin, "/healthcheck/fail", "POST");
  expect(server.healthy).toBe(false);
  await ask(admin, "/healthcheck/ok", "POST");
  expect(server.healthy).toBe(true);
});
