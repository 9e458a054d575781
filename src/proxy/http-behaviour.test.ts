import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { closedPort, echoServer, rawServer, type Backend, type Echo } from "./test-support/backends.ts";
import { exchange, get, type RawResponse } from "./test-support/http-exchange.ts";
import { cluster, configure, forward, httpListener, typed, type HcmOptions } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

/** Expected replies, flags and details were recorded from Envoy 1.40 with the same configuration and calls. */

let echo: ReturnType<typeof echoServer>;
let other: ReturnType<typeof echoServer>;
const backends: Backend[] = [];
const proxies: Sidecar[] = [];

beforeAll(() => {
  echo = echoServer("echo");
  other = echoServer("other");
  backends.push(echo, other);
});
afterAll(() => {
  for (const proxy of proxies) proxy.dataPlane.stop();
  for (const backend of backends) backend.stop();
});

async function start(options: HcmOptions, clusters: readonly JsonObject[] = [], random?: () => number): Promise<{ port: number; proxy: Sidecar }> {
  const proxy = new Sidecar(random ? { id: "n", random } : { id: "n" });
  proxies.push(proxy);
  await configure(proxy.dataPlane, {
    clusters: [cluster("echo", [echo.port]), cluster("other", [other.port]), ...clusters],
    listeners: [httpListener("l", options)],
  });
  return { port: proxy.port("l"), proxy };
}

const raw = (handler: Parameters<typeof rawServer>[0]): number => {
  const backend = rawServer(handler);
  backends.push(backend);
  return backend.port;
};
const echoed = (response: RawResponse): Echo => JSON.parse(response.body) as Echo;
const names = (response: RawResponse): string[] => Object.keys(response.headers);

describe("replies of the proxy itself", () => {
  const RESET = "upstream connect error or disconnect/reset before headers. ";
  const RETRY = { retryOn: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes", numRetries: 2 };
  const cases: { name: string; route: () => JsonObject; cluster?: () => JsonObject; status: number; body: string; headers?: string[]; log: string }[] = [
    { name: "no route", route: () => ({ match: { path: "/never" }, route: { cluster: "echo" } }), status: 404, body: "", log: "404 NR route_not_found - " },
    { name: "no such cluster", route: () => forward("/", "nosuch"), status: 503, body: "", log: "503 NC cluster_not_found - " },
    {
      name: "no hosts",
      route: () => forward("/", "c"),
      cluster: () => cluster("c", []),
      status: 503,
      body: "no healthy upstream",
      log: '503 UH no_healthy_upstream - "-" 0 19 "-" c',
    },
    {
      name: "connection refused",
      route: () => forward("/", "c"),
      cluster: () => cluster("c", [closedPort()]),
      status: 503,
      body: `${RESET}reset reason: remote connection failure`,
      log: '503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused} - "delayed_connect_error:_Connection_refused" 0 98 "127.0.0.1:',
    },
    {
      name: "connection refused, tried again",
      route: () => forward("/", "c", { retryPolicy: RETRY }),
      cluster: () => cluster("c", [closedPort()]),
      status: 503,
      body: `${RESET}retried and the latest reset reason: remote connection failure`,
      log: "503 URX,UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused} - ",
    },
    {
      name: "closed without an answer",
      route: () => forward("/", "c"),
      cluster: () => cluster("c", [raw({ data: (socket) => void socket.end() })]),
      status: 503,
      body: `${RESET}reset reason: connection termination`,
      log: '503 UC upstream_reset_before_response_started{connection_termination} - "-" 0 95 ',
    },
    {
      name: "reset without an answer",
      route: () => forward("/", "c"),
      cluster: () => cluster("c", [raw({ data: (socket) => void socket.terminate() })]),
      status: 503,
      body: `${RESET}reset reason: connection termination`,
      log: "503 UC upstream_reset_before_response_started{connection_termination} - ",
    },
    {
      name: "no HTTP as an answer",
      route: () => forward("/", "c"),
      cluster: () => cluster("c", [raw({ data: (socket) => void socket.write("garbage\r\n\r\n") })]),
      status: 502,
      body: `${RESET}reset reason: protocol error`,
      log: "502 UPE upstream_reset_before_response_started{protocol_error} - ",
    },
    {
      name: "the route's timeout",
      route: () => forward("/", "c", { timeout: "0.1s" }),
      cluster: () => cluster("c", [raw({})]),
      status: 504,
      body: "upstream request timeout",
      log: "504 UT response_timeout - ",
    },
    {
      name: "the timeout of the last try",
      route: () => forward("/", "c", { timeout: "1s", retryPolicy: { retryOn: "5xx", numRetries: 1, perTryTimeout: "0.05s" } }),
      cluster: () => cluster("c", [raw({})]),
      status: 504,
      body: "upstream request timeout",
      log: "504 URX,UT upstream_per_try_timeout - ",
    },
    {
      name: "too many requests",
      route: () => forward("/", "c"),
      cluster: () => cluster("c", [echo.port], { circuitBreakers: { thresholds: [{ maxRequests: 0 }] } }),
      status: 503,
      body: `${RESET}reset reason: overflow`,
      headers: ["x-envoy-overloaded", "content-length", "content-type", "date", "server"],
      log: '503 UO upstream_reset_before_response_started{overflow} - "-" 0 81 "127.0.0.1:',
    },
    {
      name: "too many that wait",
      route: () => forward("/", "c"),
      cluster: () => cluster("c", [echo.port], { circuitBreakers: { thresholds: [{ maxConnections: 0, maxPendingRequests: 0 }] } }),
      status: 503,
      body: `${RESET}reset reason: overflow`,
      log: '503 UO upstream_reset_before_response_started{overflow} - "-" 0 81 "-" c',
    },
    {
      name: "a direct response",
      route: () => ({ match: { prefix: "/" }, directResponse: { status: 418, body: { inlineString: "teapot" } } }),
      status: 418,
      body: "teapot",
      headers: ["content-length", "content-type", "date", "server"],
      log: "418 - direct_response - ",
    },
    {
      name: "a redirect",
      route: () => ({ match: { prefix: "/" }, redirect: { hostRedirect: "other.com", httpsRedirect: true } }),
      status: 301,
      body: "",
      headers: ["location", "date", "server", "content-length"],
      log: "301 - direct_response - ",
    },
  ];
  for (const each of cases) {
    test(each.name, async () => {
      const { port, proxy } = await start({ routes: [each.route()] }, each.cluster ? [each.cluster()] : []);
      const response = await get(port, "/x?y=1", "host:80");
      expect(response).toMatchObject({ status: each.status, body: each.body });
      if (each.headers) expect(names(response)).toEqual(each.headers);
      expect(proxy.log.at(-1)).toContain(each.log);
    });
  }

  test("gRPC callers get a status instead of a code", async () => {
    const { port, proxy } = await start({ routes: [forward("/", "c")] }, [cluster("c", [closedPort()])]);
    const response = await get(port, "/", "h", { "content-type": "application/grpc" });
    expect(response.status).toBe(200);
    expect(response.headers).toMatchObject({
      "content-type": "application/grpc",
      "grpc-status": "14",
      "grpc-message": `${RESET}reset reason: remote connection failure`,
    });
    expect(proxy.log.at(-1)).toContain("200 UF upstream_reset_before_response_started{");
  });

  test("a response that breaks off ends the client's connection without its end", async () => {
    const broken = raw({
      data(socket) {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc");
        setTimeout(() => socket.end(), 20);
      },
    });
    const { port, proxy } = await start({ routes: [forward("/", "c")] }, [cluster("c", [broken])]);
    const response = await get(port, "/", "h");
    expect(response).toMatchObject({ status: 200, body: "abc", end: "fin" });
    expect(proxy.log.at(-1)).toContain("200 UPE upstream_reset_after_response_started{protocol_error} - ");
  });

  test("a client that leaves is noted, and its upstream connection ends", async () => {
    const gone = Promise.withResolvers<void>();
    const slow = raw({ end: (socket) => (socket.end(), gone.resolve()) });
    const { port, proxy } = await start({ routes: [forward("/", "c")] }, [cluster("c", [slow])]);
    await exchange(port, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", { waitMs: 60 });
    await Bun.sleep(30);
    expect(proxy.log.at(-1)).toContain("0 DC downstream_remote_disconnect - ");
    expect(proxy.dataPlane.clusters().find((each) => each.name === "c")?.hosts[0]?.stats).toMatchObject({ rqActive: 0, cxActive: 0 });
  });
});

describe("requests on their way", () => {
  test("lose hop-by-hop headers and get Envoy's", async () => {
    const { port } = await start({ routes: [forward("/", "echo")] });
    const { headers } = echoed(
      await get(port, "/", "a", {
        Connection: "keep-alive, X-Foo",
        "X-Foo": "1",
        TE: "trailers, gzip",
        "Keep-Alive": "5",
        "Proxy-Connection": "x",
        Upgrade: "foo",
        "x-envoy-max-retries": "9",
        "x-envoy-internal": "true",
      }),
    );
    expect(Object.keys(headers).sort()).toEqual(["host", "te", "x-forwarded-proto", "x-request-id"]);
    expect(headers).toMatchObject({ host: "a", te: "trailers", "x-forwarded-proto": "http" });
  });

  test("a request id and x-forwarded-for of clients inside are kept", async () => {
    const { port, proxy } = await start({ routes: [forward("/", "echo")] });
    const { headers } = echoed(await get(port, "/", "a", { "x-request-id": "abc", "x-forwarded-for": "1.2.3.4" }));
    expect(headers).toMatchObject({ "x-request-id": "abc", "x-forwarded-for": "1.2.3.4" });
    expect(headers["x-envoy-external-address"]).toBeUndefined();
    expect(proxy.log).toHaveLength(1);
  });

  test("at an edge the client's address is appended, its id replaced", async () => {
    const { port } = await start({ routes: [forward("/", "echo")], hcm: { useRemoteAddress: true } });
    const { headers } = echoed(
      await get(port, "/", "a", { "x-request-id": "abc", "x-forwarded-for": "1.2.3.4", "x-forwarded-proto": "https", "x-envoy-decorator-operation": "z" }),
    );
    expect(headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers["x-forwarded-for"]).toMatch(/^1\.2\.3\.4,\d+\.\d+\.\d+\.\d+$/);
    expect(headers).toMatchObject({ "x-forwarded-proto": "http", "x-envoy-external-address": "127.0.0.1" });
    expect(headers["x-envoy-decorator-operation"]).toBeUndefined();
  });

  test("paths are normalized before they are matched", async () => {
    const { port, proxy } = await start({ routes: [forward("/b/", "echo")] });
    expect(echoed(await get(port, "/a/../b/./%63//d%2fe?q=/../x", "h")).path).toBe("/b/c//d%2fe?q=/../x");
    for (const bad of ["/b/%00", "/b/#frag"]) {
      expect(await get(port, bad, "h")).toMatchObject({ status: 400, body: "" });
      expect(proxy.log.at(-1)).toContain("400 - path_normalization_failed - ");
    }
  });

  test("a missing Host and a relative target are refused", async () => {
    const { port, proxy } = await start({ routes: [forward("/", "echo")] });
    expect(await exchange(port, "GET / HTTP/1.1\r\n\r\n")).toMatchObject({ status: 400, body: "" });
    expect(proxy.log.at(-1)).toContain('"GET / HTTP/1.1" 400 - missing_host_header');
    expect(await exchange(port, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")).toMatchObject({ status: 404 });
    expect(proxy.log.at(-1)).toContain("404 - absolute_path_rejected");
  });

  test("what is no HTTP is told so, and the connection ends", async () => {
    const { port, proxy } = await start({ routes: [forward("/", "echo")] });
    const response = await exchange(port, "GE T\r\n\r\n", { untilClose: true });
    expect(response).toMatchObject({ status: 400, body: "Bad Request", end: "fin" });
    expect(names(response)).toEqual(["content-length", "content-type", "date", "server", "connection"]);
    expect(proxy.log).toEqual(['"- - HTTP/1.1" 400 DPE http1.codec_error - "-" 0 11 "-" -']);
  });

  test("HTTP/1.0 is asked to upgrade", async () => {
    const { port, proxy } = await start({ routes: [forward("/", "echo")] });
    expect(await exchange(port, "GET / HTTP/1.0\r\n\r\n", { untilClose: true })).toMatchObject({ status: 426, body: "Upgrade Required" });
    expect(proxy.log.at(-1)).toContain("426 DPE low_version");
  });

  test("bodies and their length or chunks go through, trailers do not", async () => {
    const { port, proxy } = await start({ routes: [forward("/", "echo")] });
    const fixed = echoed(await exchange(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
    expect(fixed).toMatchObject({ body: "abc", headers: { "content-length": "3" } });
    const chunked = echoed(
      await exchange(port, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n"),
    );
    expect(chunked).toMatchObject({ body: "abc", headers: { "transfer-encoding": "chunked" } });
    expect(chunked.headers["x-t"]).toBeUndefined();
    expect(proxy.log.map((line) => / "-" (\d+) /.exec(line)?.[1])).toEqual(["3", "3"]);
  });

  test("a large body passes whole, both ways, with small reads at the ends", async () => {
    const big = "x".repeat(3_000_000);
    const { port } = await start({ routes: [forward("/", "echo")] });
    const response = await exchange(port, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${big.length}\r\n\r\n${big}`, { waitMs: 5000 });
    expect(echoed(response).body).toBe(big);
  });

  test("Expect: 100-continue is answered by the proxy, or by the server", async () => {
    const request = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n";
    const { port } = await start({ routes: [forward("/", "echo")] });
    expect((await exchange(port, request, { waitMs: 100 })).raw).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    const server = raw({ data: (socket) => void socket.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok") });
    const through = await start({ routes: [forward("/", "c")], hcm: { proxy100Continue: true } }, [cluster("c", [server])]);
    expect((await exchange(through.port, request, { waitMs: 300, untilClose: true })).raw).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  });

  test("HEAD has a length and no body", async () => {
    const { port, proxy } = await start({ routes: [forward("/", "echo")] });
    const response = await exchange(port, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", { waitMs: 150 });
    expect(Number(response.headers["content-length"])).toBeGreaterThan(0);
    expect(response.body).toBe("");
    expect(proxy.log.at(-1)).toContain("200 - via_upstream - ");
  });

  test("a body of a server without length becomes chunks", async () => {
    const server = raw({
      data(socket) {
        socket.write("HTTP/1.1 200 OK\r\n\r\nabc");
        socket.end();
      },
    });
    const { port } = await start({ routes: [forward("/", "c")] }, [cluster("c", [server])]);
    const response = await get(port, "/", "a");
    expect(response.headers["transfer-encoding"]).toBe("chunked");
    expect(response.body).toBe("3\r\nabc\r\n0\r\n\r\n");
  });

  test("a request that is answered before its end ends the connection", async () => {
    const { port } = await start({ routes: [{ match: { prefix: "/" }, directResponse: { status: 403 } }] });
    const response = await exchange(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", { untilClose: true });
    expect(response).toMatchObject({ status: 403, end: "fin", headers: { connection: "close" } });
  });
});

describe("filters", () => {
  const fault = (config: JsonObject): JsonObject => ({
    typedPerFilterConfig: { "envoy.filters.http.fault": typed("envoy.extensions.filters.http.fault.v3.HTTPFault", config) },
  });
  const FAULT = { name: "envoy.filters.http.fault", typedConfig: typed("envoy.extensions.filters.http.fault.v3.HTTPFault") };
  const ALWAYS = { numerator: 100 };

  test("fault: abort", async () => {
    const { port, proxy } = await start({ filters: [FAULT], routes: [forward("/", "echo", {}, fault({ abort: { httpStatus: 418, percentage: ALWAYS } }))] });
    const response = await exchange(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", { untilClose: true });
    expect(response).toMatchObject({ status: 418, body: "fault filter abort", headers: { connection: "close" } });
    expect(proxy.log.at(-1)).toContain('418 FI fault_filter_abort - "-" 0 18 "-" echo');
  });

  test("fault: a delay comes before the route's timeout begins", async () => {
    const { port, proxy } = await start({
      filters: [FAULT],
      routes: [forward("/", "echo", { timeout: "0.05s" }, fault({ delay: { fixedDelay: "0.12s", percentage: ALWAYS } }))],
    });
    const before = performance.now();
    expect((await get(port, "/", "h")).status).toBe(200);
    expect(performance.now() - before).toBeGreaterThan(115);
    expect(proxy.log.at(-1)).toContain("200 DI via_upstream - ");
  });

  test("fault: none of a zero share", async () => {
    const { port } = await start({ filters: [FAULT], routes: [forward("/", "echo", {}, fault({ abort: { httpStatus: 500, percentage: { numerator: 0 } } }))] });
    expect((await get(port, "/", "h")).status).toBe(200);
  });

  test("cors: preflights are answered, responses marked, strangers left out", async () => {
    const policy = {
      typedPerFilterConfig: {
        cors: typed("envoy.extensions.filters.http.cors.v3.CorsPolicy", {
          allowOriginStringMatch: [{ exact: "http://good" }],
          allowMethods: "GET,PUT",
          allowHeaders: "x-a",
          exposeHeaders: "x-b",
          maxAge: "60",
          allowCredentials: true,
        }),
      },
    };
    const { port } = await start({
      filters: [{ name: "cors", typedConfig: typed("envoy.extensions.filters.http.cors.v3.Cors") }],
      routes: [forward("/", "echo", {}, policy)],
    });
    const preflight = await exchange(port, "OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: http://good\r\nAccess-Control-Request-Method: PUT\r\n\r\n");
    expect(preflight.status).toBe(200);
    expect(preflight.headers).toMatchObject({
      "access-control-allow-origin": "http://good",
      "access-control-allow-credentials": "true",
      "access-control-allow-methods": "GET,PUT",
      "access-control-allow-headers": "x-a",
      "access-control-max-age": "60",
    });
    expect((await get(port, "/", "h", { origin: "http://good" })).headers).toMatchObject({
      "access-control-allow-origin": "http://good",
      "access-control-expose-headers": "x-b",
    });
    expect((await get(port, "/", "h", { origin: "http://bad" })).headers["access-control-allow-origin"]).toBeUndefined();
  });

  const rbac = (config: JsonObject): JsonObject => ({
    name: "envoy.filters.http.rbac",
    typedConfig: typed("envoy.extensions.filters.http.rbac.v3.RBAC", config),
  });
  const policy = (permission: JsonObject, principal: JsonObject = { any: true }): JsonObject => ({ permissions: [permission], principals: [principal] });

  test("rbac: ALLOW lets only what matches, DENY names what it refused", async () => {
    const isGet = { header: { name: ":method", stringMatch: { exact: "GET" } } };
    const allow = await start({
      filters: [rbac({ rules: { policies: { p: policy({ andRules: { rules: [isGet, { urlPath: { path: { prefix: "/ok" } } }] } }) } } })],
      routes: [forward("/", "echo")],
    });
    expect((await get(allow.port, "/ok?x", "h")).status).toBe(200);
    expect(await get(allow.port, "/no", "h")).toMatchObject({ status: 403, body: "RBAC: access denied" });
    expect(allow.proxy.log.at(-1)).toContain('403 - rbac_access_denied_matched_policy[none] - "-" 0 19 "-" echo');
    const deny = await start({
      filters: [rbac({ rules: { action: "DENY", policies: { "ns[a]-policy[b]-rule[0]": policy({ notRule: isGet }) } } })],
      routes: [forward("/", "echo")],
    });
    expect((await get(deny.port, "/", "h")).status).toBe(200);
    expect((await exchange(deny.port, "PUT / HTTP/1.1\r\nHost: a\r\n\r\n")).status).toBe(403);
    expect(deny.proxy.log.at(-1)).toContain("rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]");
  });

  test("rbac: rules without policies refuse all, no rules refuse none, shadow rules only note", async () => {
    const none = await start({ filters: [rbac({ rules: {} })], routes: [forward("/", "echo")] });
    expect((await get(none.port, "/", "h")).status).toBe(403);
    const shadow = await start({
      filters: [rbac({ shadowRules: { policies: {} }, shadowRulesStatPrefix: "dry_" })],
      routes: [
        forward(
          "/",
          "echo",
          {},
          { requestHeadersToAdd: [{ header: { key: "x-shadow", value: "%DYNAMIC_METADATA(envoy.filters.http.rbac:dry_shadow_engine_result)%" } }] },
        ),
      ],
    });
    expect(echoed(await get(shadow.port, "/", "h")).headers["x-shadow"]).toBe("denied");
  });

  test("rbac: addresses, ports and server names", async () => {
    const at = async (permission: JsonObject, principal?: JsonObject): Promise<number> => {
      const { port } = await start({ filters: [rbac({ rules: { policies: { p: policy(permission, principal) } } })], routes: [forward("/", "echo")] });
      return (await get(port, "/", "h", { "x-forwarded-for": "9.9.9.9" })).status;
    };
    const cidr = (addressPrefix: string, prefixLen: number): JsonObject => ({ addressPrefix, prefixLen });
    expect(await at({ destinationIp: cidr("127.0.0.0", 8) })).toBe(200);
    expect(await at({ destinationIp: cidr("10.0.0.0", 8) })).toBe(403);
    expect(await at({ destinationPort: 1 })).toBe(403);
    expect(await at({ any: true }, { directRemoteIp: cidr("127.0.0.1", 32) })).toBe(200);
    expect(await at({ any: true }, { remoteIp: cidr("9.9.0.0", 16) })).toBe(200);
    expect(await at({ any: true }, { remoteIp: cidr("127.0.0.1", 32) })).toBe(403);
    expect(await at({ any: true }, { authenticated: {} })).toBe(403);
  });

  test("an unknown filter, and one that is no filter's type, are refused with Envoy's words", async () => {
    const unknown = { name: "x", typedConfig: typed("envoy.extensions.filters.http.lua.v3.Lua") };
    await expect(start({ filters: [unknown], routes: [] })).rejects.toThrow(
      "Didn't find a registered implementation for 'x' with type URL: 'envoy.extensions.filters.http.lua.v3.Lua'",
    );
  });
});

describe("upgrades", () => {
  const upgrade = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

  test("a websocket is a tunnel after 101", async () => {
    const server = raw({
      data(socket, chunk) {
        const text = chunk.toString();
        socket.write(
          text.startsWith("GET /ws")
            ? /upgrade: websocket/i.test(text)
              ? "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhi"
              : "HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n"
            : `<${text}>`,
        );
      },
    });
    const { port, proxy } = await start({ routes: [forward("/", "c")], hcm: { upgradeConfigs: [{ upgradeType: "websocket" }] } }, [cluster("c", [server])]);
    const text = await new Promise<string>((resolve) => {
      let all = "";
      void Bun.connect({
        hostname: "127.0.0.1",
        port,
        socket: {
          open: (socket) => void socket.write(upgrade),
          data(socket, chunk) {
            all += chunk.toString();
            if (all.endsWith("hi")) socket.write("ping");
            if (all.endsWith("<ping>")) socket.end();
          },
          close: () => resolve(all),
        },
      });
    });
    expect(text).toStartWith("HTTP/1.1 101 Switching Protocols\r\n");
    expect(text).toMatch(/\r\nconnection: upgrade\r\nupgrade: websocket\r\n/i);
    for (let tries = 0; proxy.log.length === 0 && tries < 100; tries++) await Bun.sleep(10);
    expect(proxy.log.at(-1)).toContain('"GET /ws HTTP/1.1" 101 ');
    expect(proxy.log.at(-1)).toContain(' "-" 4 8 ');
  });

  test("where it is not allowed it is refused", async () => {
    const { port } = await start({ routes: [forward("/", "echo")] });
    expect(await exchange(port, upgrade)).toMatchObject({ status: 403, headers: { connection: "close" } });
  });

  test("a refused upgrade ends the connection: what follows might not be HTTP", async () => {
    const { port } = await start({ routes: [forward("/", "echo")], hcm: { upgradeConfigs: [{ upgradeType: "websocket" }] } });
    const response = await exchange(port, `${upgrade}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`, { untilClose: true });
    expect(response).toMatchObject({ status: 200, headers: { connection: "close" } });
    expect(echo.seen.some((each) => each.path === "/smuggled")).toBe(false);
  });
});
