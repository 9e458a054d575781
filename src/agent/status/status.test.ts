import { afterAll, expect, test } from "bun:test";
import { createLogger } from "../../base/index.ts";
import { readAppMetrics } from "./app-metrics.ts";
import { readAppProbes } from "./app-probes.ts";
import { serveStatus } from "./status-server.ts";

const seen: { path: string; host: string; peer: string; custom: string | null }[] = [];
const app = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const { pathname, search } = new URL(request.url);
    seen.push({
      path: pathname + search,
      host: request.headers.get("host") ?? "",
      peer: server.requestIP(request)?.address ?? "",
      custom: request.headers.get("x-custom"),
    });
    if (pathname === "/fail") return new Response("broken", { status: 503 });
    if (pathname === "/move") return new Response(null, { status: 302, headers: { location: "https://elsewhere/" } });
    if (pathname === "/metrics") return new Response("app_up 1");
    return new Response("fine");
  },
});
const port = app.port ?? 0;
const probes = {
  "/app-health/web/readyz": {
    httpGet: {
      path: "/ok?a=1",
      port,
      scheme: "HTTP",
      httpHeaders: [
        { name: "Host", value: "my.host" },
        { name: "X-Custom", value: "1" },
      ],
    },
    timeoutSeconds: 1,
  },
  "/app-health/web/livez": { httpGet: { path: "/fail", port } },
  "/app-health/web/startupz": { tcpSocket: { port } },
  "/app-health/moved/readyz": { httpGet: { path: "move", port } },
  "/app-health/gone/readyz": { tcpSocket: { port: 1 } },
  "/app-health/none/livez": { httpGet: { path: "/", port: 1 } },
};
let quits = 0;
const status = serveStatus(
  { hostname: "127.0.0.1", port: 0 },
  {
    ready: () => ({ ready: true, reason: "" }),
    proxyMetrics: () => "proxy_up 1\n",
    agentMetrics: () => "agent_up 1\n",
    appMetrics: readAppMetrics(JSON.stringify({ scrape: "true", path: "/metrics", port: String(port) })),
    probes: readAppProbes(JSON.stringify(probes)),
    podIp: "127.0.0.1",
    drain() {},
    quit: () => void quits++,
    log: createLogger("status", { level: "none" }),
  },
);
afterAll(() => {
  status.stop();
  void app.stop(true);
});
const get = (path: string, init?: RequestInit): Promise<Response> => fetch(`http://127.0.0.1:${status.port}${path}`, init);

test("application probes are passed on from the address that capture lets through", async () => {
  const ready = await get("/app-health/web/readyz");
  expect([ready.status, await ready.text()]).toEqual([200, "fine"]);
  expect(seen.at(-1)).toEqual({ path: "/ok?a=1", host: "my.host", peer: "127.0.0.6", custom: "1" });
  const live = await get("/app-health/web/livez");
  expect([live.status, await live.text()]).toEqual([503, "broken"]);
  expect((await get("/app-health/web/startupz")).status).toBe(200);
  expect((await get("/app-health/moved/readyz", { redirect: "manual" })).status).toBe(200);
  expect((await get("/app-health/gone/readyz")).status).toBe(500);
  expect((await get("/app-health/none/livez")).status).toBe(500);
  expect((await get("/app-health/unknown/livez")).status).toBe(404);
});

test("the application's metrics join the proxy's and the agent's", async () => {
  expect(await (await get("/stats/prometheus")).text()).toBe("agent_up 1\nproxy_up 1\napp_up 1\n");
});

test("quit answers before it acts", async () => {
  expect((await get("/quitquitquit", { method: "POST" })).status).toBe(200);
  for (let attempt = 0; attempt < 50 && quits === 0; attempt++) await Bun.sleep(2);
  expect(quits).toBe(1);
});

test("probes that are none are refused at start", () => {
  expect(() => readAppProbes('{"/app-health/x/readyz": {}}')).toThrow("neither httpGet, tcpSocket nor grpc");
  expect(() => readAppProbes('{"/etc": {"tcpSocket": {"port": 1}}}')).toThrow("not a probe's path");
  expect(() => readAppProbes('{"/app-health/x/readyz": {"tcpSocket": {"port": "name"}}}')).toThrow("is not a number");
  expect(readAppMetrics('{"scrape":"false"}')).toBeUndefined();
});
