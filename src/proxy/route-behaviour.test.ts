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

describe("routes", () => {
  test("by host: exact, the longest wildcards, then any; ports are ignored when told so", async () => {
    const host = (name: string, domains: string[]): JsonObject => ({
      name,
      domains,
      routes: [{ match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: name } } }],
    });
    const virtualHosts = [
      host("any", ["*"]),
      host("suffix", ["*.example.com"]),
      host("longer", ["*.b.example.com"]),
      host("exact", ["a.b.example.com"]),
      host("prefix", ["www.*"]),
    ];
    const { port } = await start({ hcm: { routeConfig: { name: "r", ignorePortInHostMatching: true, virtualHosts } } });
    for (const [authority, name] of [
      ["A.b.example.com:8080", "exact"],
      ["x.b.example.com", "longer"],
      ["x.example.com", "suffix"],
      ["example.com", "any"],
      ["www.x", "prefix"],
      ["z", "any"],
    ] as const) {
      expect((await get(port, "/", authority)).body).toBe(name);
    }
  });

  test("by path, method, headers and query, in their order", async () => {
    const route = (body: string, match: JsonObject): JsonObject => ({ match, directResponse: { status: 200, body: { inlineString: body } } });
    const { port } = await start({
      routes: [
        route("exact", { path: "/exact" }),
        route("folded", { path: "/Folded", caseSensitive: false }),
        route("separated", { pathSeparatedPrefix: "/api" }),
        route("regex", { safeRegex: { regex: "/v[0-9]+/.*" } }),
        route("post", { prefix: "/m", headers: [{ name: ":method", stringMatch: { exact: "POST" } }] }),
        route("header", { prefix: "/h", headers: [{ name: "x-user", stringMatch: { prefix: "to", ignoreCase: true } }] }),
        route("absent", { prefix: "/h", headers: [{ name: "x-user", presentMatch: true, invertMatch: true }] }),
        route("range", { prefix: "/r", headers: [{ name: "n", rangeMatch: { start: "1", end: "10" } }] }),
        route("query", { prefix: "/q", queryParameters: [{ name: "a", stringMatch: { exact: "1" } }] }),
        route("grpc", { prefix: "/", grpc: {} }),
        route("rest", { prefix: "/" }),
      ],
    });
    const body = async (path: string, headers: { [name: string]: string } = {}): Promise<string> => (await get(port, path, "h", headers)).body;
    expect(await body("/exact?x")).toBe("exact");
    expect(await body("/exact/")).toBe("rest");
    expect(await body("/FOLDED")).toBe("folded");
    expect(await body("/api/x")).toBe("separated");
    expect(await body("/apix")).toBe("rest");
    expect(await body("/v12/x")).toBe("regex");
    expect(await body("/v/x")).toBe("rest");
    expect((await exchange(port, "POST /m HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")).body).toBe("post");
    expect(await body("/h", { "x-user": "Tom" })).toBe("header");
    expect(await body("/h")).toBe("absent");
    expect(await body("/h", { "x-user": "Ann" })).toBe("rest");
    expect(await body("/r", { n: "9" })).toBe("range");
    expect(await body("/r", { n: "10" })).toBe("rest");
    expect(await body("/q?b=2&a=1")).toBe("query");
    expect((await get(port, "/g", "h", { "content-type": "application/grpc+proto" })).headers["content-type"]).toBe("application/grpc");
  });

  test("rewrite path and host, add and take headers", async () => {
    const { port } = await start({
      routes: [
        forward(
          "/rewrite/",
          "echo",
          { prefixRewrite: "/new/", hostRewriteLiteral: "hh", timeout: "15s" },
          {
            requestHeadersToAdd: [
              { header: { key: "x-a", value: "%REQ(user-agent)% %PROTOCOL% 100%%" } },
              { header: { key: "x-set", value: "1" }, appendAction: "OVERWRITE_IF_EXISTS_OR_ADD" },
              { header: { key: "x-none", value: "%REQ(nothing)%" } },
            ],
            requestHeadersToRemove: ["x-drop"],
            responseHeadersToAdd: [{ header: { key: "x-r", value: "v" } }],
            responseHeadersToRemove: ["content-type"],
          },
        ),
        forward("/regex", "echo", { regexRewrite: { pattern: { regex: "/regex/(\\w+)/(\\w+)" }, substitution: "/\\2/\\1" } }),
      ],
    });
    const response = await get(port, "/rewrite/z?q", "original", { "user-agent": "me", "x-set": "0", "x-drop": "1" });
    expect(response.headers).toMatchObject({ "x-r": "v" });
    expect(response.headers["content-type"]).toBeUndefined();
    const { path, headers } = echoed(response);
    expect(path).toBe("/new/z?q");
    expect(headers).toMatchObject({
      host: "hh",
      "x-a": "me HTTP/1.1 100%",
      "x-set": "1",
      "x-envoy-original-path": "/rewrite/z?q",
      "x-envoy-original-host": "original",
      "x-envoy-expected-rq-timeout-ms": "15000",
    });
    expect(headers["x-drop"]).toBeUndefined();
    expect(headers["x-none"]).toBeUndefined();
    expect(echoed(await get(port, "/regex/a/b?q", "h")).path).toBe("/b/a?q");
  });

  test("weighted clusters share the requests", async () => {
    let draw = 0;
    const weighted: JsonObject = {
      match: { prefix: "/" },
      route: {
        weightedClusters: {
          clusters: [
            { name: "echo", weight: 80 },
            { name: "other", weight: 20, requestHeadersToAdd: [{ header: { key: "x-w", value: "o" } }] },
          ] as JsonObject[],
        },
      },
    };
    const { port } = await start({ routes: [weighted] }, [], () => draw);
    expect(echoed(await get(port, "/", "h")).by).toBe("echo");
    draw = 0.79;
    expect(echoed(await get(port, "/", "h")).by).toBe("echo");
    draw = 0.81;
    expect(echoed(await get(port, "/", "h"))).toMatchObject({ by: "other", headers: { "x-w": "o" } });
  });

  test("retries go on until an answer that needs none, with the body sent anew", async () => {
    let calls = 0;
    const flaky = raw({
      data(socket, chunk) {
        if (!chunk.toString().includes("abc")) return;
        calls++;
        socket.write(
          calls < 3
            ? "HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n"
            : `HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n${/x-envoy-attempt-count: (\d)/.exec(chunk.toString())?.[1]}`,
        );
      },
    });
    const { port, proxy } = await start(
      {
        virtualHosts: [
          {
            name: "v",
            domains: ["*"],
            includeRequestAttemptCount: true,
            routes: [forward("/", "c", { retryPolicy: { retryOn: "5xx", numRetries: 5, retryBackOff: { baseInterval: "0.001s" } } })],
          },
        ],
      },
      [cluster("c", [flaky])],
    );
    expect(await exchange(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")).toMatchObject({ status: 200, body: "3" });
    expect(calls).toBe(3);
    expect(proxy.log).toEqual([expect.stringContaining('"POST / HTTP/1.1" 200 - via_upstream - "-" 3 1 ')]);
  });

  test("a retry avoids the host that failed", async () => {
    const dead = closedPort();
    const retryPolicy = {
      retryOn: "connect-failure",
      numRetries: 1,
      retryHostPredicate: [
        { name: "envoy.retry_host_predicates.previous_hosts", typedConfig: typed("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate") },
      ],
      hostSelectionRetryMaxAttempts: "20",
      retryBackOff: { baseInterval: "0.001s" },
    };
    const { port } = await start({ routes: [forward("/", "c", { retryPolicy })] }, [cluster("c", [dead, echo.port], { lbPolicy: "RANDOM" })]);
    for (let i = 0; i < 6; i++) expect((await get(port, "/", "h")).status).toBe(200);
  });

  test("a mirror gets a copy, and nobody waits for it", async () => {
    const copies: string[] = [];
    const silent = raw({ data: (_socket, chunk) => void copies.push(chunk.toString()) });
    const { port } = await start({ routes: [forward("/", "echo", { requestMirrorPolicies: [{ cluster: "c" }] })] }, [cluster("c", [silent])]);
    expect(echoed(await exchange(port, "POST /m HTTP/1.1\r\nHost: a:80\r\nContent-Length: 3\r\n\r\nabc")).body).toBe("abc");
    await Bun.sleep(20);
    expect(copies.join("")).toMatch(/^POST \/m HTTP\/1\.1\r\nhost: a-shadow:80\r\n[\s\S]*\r\n\r\nabc$/);
  });

  test("a hash policy keeps a user at one host", async () => {
    const { port } = await start({ routes: [forward("/", "c", { hashPolicy: [{ header: { headerName: "x-user" } }] })] }, [
      cluster("c", [echo.port, other.port], { lbPolicy: "RING_HASH" }),
    ]);
    const hosts = new Map<string, Set<string>>();
    for (let i = 0; i < 40; i++) {
      const user = `u${i % 8}`;
      const by = echoed(await get(port, "/", "h", { "x-user": user })).by;
      hosts.set(user, (hosts.get(user) ?? new Set()).add(by));
    }
    expect([...hosts.values()].every((each) => each.size === 1)).toBe(true);
    expect(new Set([...hosts.values()].flatMap((each) => [...each])).size).toBe(2);
  });
});
