import { afterAll, expect, test } from "bun:test";
import { readConfig } from "./config.ts";
import { createHandler } from "./handler.ts";
import type { ServiceResponse } from "./response.ts";

const servers: { stop(force?: boolean): unknown }[] = [];
afterAll(() => {
  for (const server of servers) server.stop(true);
});

function serve(env: Record<string, string>, onRequest?: (request: Request) => void): string {
  const handler = createHandler(readConfig(env), {
    log: { info() {}, error() {} },
    now: () => performance.timeOrigin + performance.now(),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    random: () => 0.5,
    addresses: () => ["10.0.0.7"],
  });
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      onRequest?.(request);
      return handler(request);
    },
  });
  servers.push(server);
  return `http://127.0.0.1:${server.port}`;
}

test("the report has its fields in order, nests upstreams and ends with a newline", async () => {
  const below = serve({ NAME: "rec", MESSAGE: "Hello From <Rec> & co" });
  const above = serve({ NAME: "web", MESSAGE: "Hello From Web API", UPSTREAM_URIS: below });
  const answer = await fetch(`${above}/`);
  const text = await answer.text();
  expect(answer.status).toBe(200);
  expect(text).toEndWith("}\n");
  expect(text).toStartWith('{\n  "name": "web",\n  "uri": "/",\n  "type": "HTTP",\n  "ip_addresses": [\n    "10.0.0.7"\n  ],\n');
  expect(text).toContain("Hello From \\u003cRec\\u003e \\u0026 co");
  const report: ServiceResponse = JSON.parse(text);
  expect(Object.keys(report)).toEqual(["name", "uri", "type", "ip_addresses", "start_time", "end_time", "duration", "body", "upstream_calls", "code"]);
  expect(report.start_time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
  expect(report.duration).toMatch(/^[\d.]+(ms|µs|s)$/);
  expect(report.upstream_calls?.[0]).toMatchObject({ name: "rec", uri: below, code: 200 });
});

test("headers and path go on to the upstream, the query and the host do not, and each call has its own connection", async () => {
  const seen: { url: string; headers: Headers; method: string }[] = [];
  const below = serve({ NAME: "rec" }, (r) => seen.push({ url: r.url, headers: new Headers(r.headers), method: r.method }));
  const above = serve({ UPSTREAM_URIS: below });
  await fetch(`${above}/a/b?q=1`, { method: "POST", body: "x", headers: { user: "Tom", "x-request-id": "id-1", traceparent: "00-1", host: "other" } });
  expect(seen).toHaveLength(1);
  expect(seen[0]?.method).toBe("GET");
  expect(seen[0]?.url).toBe(`${below}/a/b`);
  const headers = seen[0]?.headers;
  expect([headers?.get("user"), headers?.get("x-request-id"), headers?.get("traceparent"), headers?.get("host")]).toEqual([
    "Tom",
    "id-1",
    "00-1",
    below.slice(7),
  ]);
  expect(headers?.get("connection")).toBe("close");
});

test("an upstream that fails makes a 500 without body, with the cause in its entry", async () => {
  const failing = serve({ ERROR_RATE: "1", ERROR_CODE: "503" });
  const above = serve({ UPSTREAM_URIS: failing });
  const report = (await (await fetch(above)).json()) as ServiceResponse;
  expect(report.code).toBe(500);
  expect(report.body).toBeUndefined();
  expect(report.error).toBeUndefined();
  expect(report.upstream_calls?.[0]).toMatchObject({ uri: failing, code: 503, error: `Error processing upstream request: ${failing}/` });
});

test("an upstream nobody listens on has code -1", async () => {
  const probe = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("") });
  const closed = `http://127.0.0.1:${probe.port}`;
  await probe.stop(true);
  const report = (await (await fetch(serve({ UPSTREAM_URIS: closed }))).json()) as ServiceResponse;
  expect(report.upstream_calls?.[0]?.code).toBe(-1);
  expect(report.upstream_calls?.[0]?.error).toMatch(/^Error communicating with upstream service: .*connection refused$/);
});

test("a time-out of the upstream is code -1", async () => {
  const slow = serve({ TIMING_50_PERCENTILE: "2s" });
  const report = (await (await fetch(serve({ UPSTREAM_URIS: slow, HTTP_CLIENT_REQUEST_TIMEOUT: "20ms" }))).json()) as ServiceResponse;
  expect(report.upstream_calls?.[0]?.code).toBe(-1);
  expect(report.upstream_calls?.[0]?.error).toContain("deadline exceeded");
});

test("errors come at every int(1/rate)-th request", async () => {
  const url = serve({ ERROR_RATE: "0.3", ERROR_CODE: "429" });
  const codes: number[] = [];
  for (let i = 0; i < 7; i++) codes.push((await fetch(url)).status);
  expect(codes).toEqual([200, 200, 429, 200, 200, 429, 200]);
});

test("a rate limit answers its code", async () => {
  const url = serve({ RATE_LIMIT: "1", RATE_LIMIT_CODE: "429" });
  expect([(await fetch(url)).status, (await fetch(url)).status]).toEqual([200, 429]);
});

test("health, page and settings that are none", async () => {
  const url = serve({});
  expect(await (await fetch(`${url}/health`)).text()).toBe("OK");
  expect((await fetch(`${url}/ui/`)).headers.get("content-type")).toContain("text/html");
  expect(() => readConfig({ TIMING_50_PERCENTILE: "fast" })).toThrow("TIMING_50_PERCENTILE");
  expect(() => readConfig({ LISTEN_ADDR: "nowhere" })).toThrow("LISTEN_ADDR");
  expect(() => readConfig({ SERVER_TYPE: "grpc" })).toThrow("grpc");
});
