import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import type { JsonObject } from "@bufbuild/protobuf";
import { echoServer, rawServer, type Echo } from "./test-support/backends.ts";
import { exchange, get, type RawResponse } from "./test-support/http-exchange.ts";
import { accessLog, cluster, configure, forward, httpListener, typed } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

/** Smaller extensions. What is expected here is what Envoy 1.40 does with the same configuration. */

const proxies: Sidecar[] = [];
const seen: string[] = [];
const grpcSeen: { headers: IncomingHttpHeaders; body: string }[] = [];
let raw: ReturnType<typeof rawServer>;
let failing: ReturnType<typeof rawServer>;
let echo: ReturnType<typeof echoServer>;
let grpc: Http2Server;

beforeAll(async () => {
  echo = echoServer();
  raw = rawServer({
    data(socket, chunk) {
      seen.push(chunk.toString("latin1"));
      socket.write("HTTP/1.1 200 OK\r\nX-ReSp-Case: a\r\nconTent-length: 2\r\n\r\nok");
    },
  });
  failing = rawServer({ data: (socket) => void socket.write("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n") });
  grpc = createServer();
  grpc.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const chunks: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      if (stream.destroyed) return;
      grpcSeen.push({ headers, body: Buffer.concat(chunks).toString("latin1") });
      if (headers[":path"] === "/head-only") {
        stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "5" }, { endStream: true });
        return;
      }
      stream.respond({ ":status": 200, "content-type": "application/grpc+proto" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "x-t": "1" }));
      stream.end(Buffer.from("0000000002abcd", "hex"));
    });
  });
  await new Promise<void>((resolve) => grpc.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  for (const proxy of proxies) proxy.dataPlane.stop();
  for (const server of [echo, raw, failing]) server.stop();
  grpc.close();
});

async function start(listener: JsonObject, clusters: readonly JsonObject[]): Promise<{ port: number; proxy: Sidecar }> {
  const proxy = new Sidecar({ id: "n" });
  proxies.push(proxy);
  await configure(proxy.dataPlane, { clusters, listeners: [listener] });
  return { port: proxy.port(listener.name as string), proxy };
}

function upstreamOptions(explicit: JsonObject): JsonObject {
  return {
    typedExtensionProtocolOptions: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
        explicitHttpConfig: explicit,
      }),
    },
  };
}

describe("header_key_format", () => {
  const PRESERVE: JsonObject = {
    headerKeyFormat: {
      statefulFormatter: { name: "preserve_case", typedConfig: typed("envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig") },
    },
  };
  const PROPER: JsonObject = { headerKeyFormat: { properCaseWords: {} } };

  async function through(downstream: JsonObject, upstream: JsonObject | undefined): Promise<{ request: string; response: string }> {
    const { port } = await start(httpListener("l", { routes: [forward("/", "raw")], hcm: { httpProtocolOptions: downstream } }), [
      cluster("raw", [raw.port], upstream ? upstreamOptions({ httpProtocolOptions: upstream }) : {}),
    ]);
    const response = await exchange(port, "GET / HTTP/1.1\r\nHoSt: a\r\nX-FooBar: 1\r\nx-fOO: 2\r\nConnection: close\r\n\r\n");
    return {
      request: (seen.pop() as string).split("\r\nx-request-id")[0]?.split("\r\nX-Request-Id")[0] as string,
      response: response.raw.split("\r\n").slice(1, 3).join("|"),
    };
  }

  test("preserved on both sides", async () => {
    expect(await through(PRESERVE, PRESERVE)).toEqual({
      request: "GET / HTTP/1.1\r\nHoSt: a\r\nX-FooBar: 1\r\nx-fOO: 2\r\nx-forwarded-proto: http",
      response: "X-ReSp-Case: a|conTent-length: 2",
    });
  });

  test("belongs to the message: the side that it came from decides", async () => {
    expect(await through(PRESERVE, PROPER)).toEqual({
      request: "GET / HTTP/1.1\r\nHoSt: a\r\nX-FooBar: 1\r\nx-fOO: 2\r\nx-forwarded-proto: http",
      response: "x-resp-case: a|content-length: 2",
    });
    expect(await through({}, PRESERVE)).toEqual({
      request: "GET / HTTP/1.1\r\nhost: a\r\nx-foobar: 1\r\nx-foo: 2\r\nx-forwarded-proto: http",
      response: "X-ReSp-Case: a|conTent-length: 2",
    });
  });

  test("words in capitals", async () => {
    expect(await through(PROPER, undefined)).toMatchObject({ response: "X-Resp-Case: a|Content-Length: 2" });
    expect(await through({}, PROPER)).toMatchObject({ request: "GET / HTTP/1.1\r\nHost: a\r\nX-Foobar: 1\r\nX-Foo: 2\r\nX-Forwarded-Proto: http" });
  });
});

describe("a PROXY header for the upstream", () => {
  const proxyProtocol = (version: string): JsonObject => ({
    transportSocket: {
      name: "envoy.transport_sockets.upstream_proxy_protocol",
      typedConfig: typed("envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport", {
        config: { version },
        transportSocket: { name: "envoy.transport_sockets.raw_buffer", typedConfig: typed("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer") },
      }),
    },
  });

  test.each(["V1", "V2"])("%s tells of the client, on a connection of its own", async (version) => {
    const { port } = await start(httpListener("l", { routes: [forward("/", "raw")] }), [cluster("raw", [raw.port], proxyProtocol(version))]);
    for (let i = 0; i < 2; i++) {
      expect((await get(port, "/", "h")).body).toBe("ok");
      const got = seen.splice(0).join("");
      if (version === "V1") expect(got).toMatch(/^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\nGET \/ HTTP/);
      else expect(Buffer.from(got, "latin1").subarray(0, 24).toString("hex")).toBe("0d0a0d0a000d0a515549540a2111000c7f0000017f000001");
    }
  });
});

describe("local rate limit", () => {
  const ALWAYS: JsonObject = { defaultValue: { numerator: 100 } };
  const limit = (config: JsonObject): JsonObject => typed("envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit", { statPrefix: "x", ...config });
  const bucket = (maxTokens: number): JsonObject => ({ tokenBucket: { maxTokens, fillInterval: "60s" }, filterEnabled: ALWAYS, filterEnforced: ALWAYS });
  const filter = (config: JsonObject): JsonObject => ({ name: "envoy.filters.http.local_ratelimit", typedConfig: limit(config) });

  test("refuses when the bucket is empty", async () => {
    const { port, proxy } = await start(
      httpListener("l", {
        filters: [filter({ ...bucket(2), responseHeadersToAdd: [{ header: { key: "x-limited", value: "yes" } }] })],
        routes: [forward("/", "echo")],
      }),
      [cluster("echo", [echo.port])],
    );
    expect([(await get(port, "/", "h")).status, (await get(port, "/", "h")).status]).toEqual([200, 200]);
    const refused = await get(port, "/", "h");
    expect(refused.raw.replace(/date: .*/, "date: D")).toBe(
      "HTTP/1.1 429 Too Many Requests\r\nx-limited: yes\r\ncontent-length: 18\r\ncontent-type: text/plain\r\ndate: D\r\nserver: envoy\r\n\r\nlocal_rate_limited",
    );
    expect(proxy.log.at(-1)).toBe('"GET / HTTP/1.1" 429 RL local_rate_limited - "-" 0 18 "-" echo');
    expect((await get(port, "/", "h", { "content-type": "application/grpc" })).headers).toMatchObject({
      "grpc-status": "14",
      "grpc-message": "local_rate_limited",
      "x-limited": "yes",
    });
  });

  test("not enforced lets all through", async () => {
    const { port } = await start(
      httpListener("l", { filters: [filter({ tokenBucket: { maxTokens: 1, fillInterval: "60s" }, filterEnabled: ALWAYS })], routes: [forward("/", "echo")] }),
      [cluster("echo", [echo.port])],
    );
    expect([(await get(port, "/", "h")).status, (await get(port, "/", "h")).status]).toEqual([200, 200]);
  });

  test("of one route, with its own status", async () => {
    const own = { typedPerFilterConfig: { "envoy.filters.http.local_ratelimit": limit({ ...bucket(1), status: { code: "ServiceUnavailable" } }) } };
    const { port } = await start(httpListener("l", { filters: [filter({})], routes: [forward("/l", "echo", {}, own), forward("/", "echo")] }), [
      cluster("echo", [echo.port]),
    ]);
    const statuses: number[] = [];
    for (const path of ["/l", "/l", "/o", "/o"]) statuses.push((await get(port, path, "h")).status);
    expect(statuses).toEqual([200, 503, 200, 200]);
  });
});

describe("gRPC-Web", () => {
  let port: number;
  let proxy: Sidecar;
  beforeAll(async () => {
    ({ port, proxy } = await start(
      httpListener("l", {
        filters: [{ name: "envoy.filters.http.grpc_web", typedConfig: typed("envoy.extensions.filters.http.grpc_web.v3.GrpcWeb") }],
        routes: [forward("/nocluster", "nosuch"), forward("/echo", "echo"), forward("/", "grpc")],
      }),
      [cluster("grpc", [(grpc.address() as AddressInfo).port], upstreamOptions({ http2ProtocolOptions: {} })), cluster("echo", [echo.port])],
    ));
  });

  function post(path: string, type: string, body: string, headers = ""): Promise<RawResponse> {
    return exchange(port, `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`);
  }

  test("binary: trailers come as the last frame", async () => {
    const response = await post("/s/m", "application/grpc-web+proto", "abc");
    expect(response.headers["content-type"]).toBe("application/grpc-web+proto");
    expect(response.body).toBe("7\r\n\0\0\0\0\x02\xab\xcd\r\n1b\r\n\x80\0\0\0\x16grpc-status:0\r\nx-t:1\r\n\r\n0\r\n\r\n");
    expect(grpcSeen.pop()).toMatchObject({ body: "abc", headers: { "content-type": "application/grpc", te: "trailers", "grpc-accept-encoding": "identity" } });
  });

  test("text: each frame in base64 for those who accept it", async () => {
    const response = await post("/s/m", "application/grpc-web-text", Buffer.from("a message").toString("base64"), "accept: application/grpc-web-text\r\n");
    expect(response.headers["content-type"]).toBe("application/grpc-web-text+proto");
    expect(response.body).toBe("c\r\nAAAAAAKrzQ==\r\n24\r\ngAAAABZncnBjLXN0YXR1czowDQp4LXQ6MQ0K\r\n0\r\n\r\n");
    expect(grpcSeen.pop()?.body).toBe("a message");
  });

  test("what is no base64 is refused", async () => {
    const response = await post("/s/m", "application/grpc-web-text", "!!!!");
    expect(response.status).toBe(400);
    expect(response.headers).toMatchObject({ "grpc-status": "13", "grpc-message": "Bad gRPC-web request, invalid base64 data.", "content-length": "0" });
    expect(proxy.log.at(-1)).toContain("400 - grpc_base_64_decode_failed - ");
  });

  test("a head alone has its status already", async () => {
    expect((await post("/head-only", "application/grpc-web", "abc")).headers).toMatchObject({
      "content-type": "application/grpc-web+proto",
      "grpc-status": "5",
    });
    const missing = await post("/nocluster", "application/grpc-web", "abc");
    expect([missing.status, missing.headers["grpc-status"]]).toEqual([503, undefined as unknown as string]);
  });

  test("answers that are no gRPC become errors", async () => {
    const response = await post("/echo", "application/grpc-web", "abc", "x-want-status: 401\r\n");
    expect([response.status, response.body]).toEqual([401, ""]);
    expect(response.headers).toMatchObject({ "grpc-status": "16", "content-type": "application/grpc-web+proto" });
    expect((JSON.parse(response.headers["grpc-message"] as string) as Echo).body).toBe("abc");
  });

  test("others pass", async () => {
    expect((JSON.parse((await post("/echo", "text/plain", "abc")).body) as Echo).headers["content-type"]).toBe("text/plain");
  });
});

test("a retry goes to the next priority where the policy says so", async () => {
  const endpoints = [failing.port, echo.port].map((port, priority) => ({
    priority,
    lbEndpoints: [{ endpoint: { address: { socketAddress: { address: "127.0.0.1", portValue: port } } } }],
  }));
  const policy = {
    retryOn: "5xx",
    numRetries: 1,
    retryBackOff: { baseInterval: "0.001s" },
    retryPriority: {
      name: "envoy.retry_priorities.previous_priorities",
      typedConfig: typed("envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig", { updateFrequency: 1 }),
    },
  };
  const { port } = await start(
    httpListener("l", { routes: [forward("/next", "c", { retryPolicy: policy }), forward("/", "c", { retryPolicy: { retryOn: "5xx", numRetries: 1 } })] }),
    [cluster("c", [], { loadAssignment: { clusterName: "c", endpoints } })],
  );
  expect((await get(port, "/same", "h")).status).toBe(503);
  expect((await get(port, "/next", "h")).status).toBe(200);
});

test("an access log filter in CEL", async () => {
  const filter = {
    extensionFilter: {
      name: "cel",
      typedConfig: typed("envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", {
        expression: "response.code >= 400 && request.headers['x-log'] == 'yes'",
      }),
    },
  };
  const { port, proxy } = await start(
    httpListener("l", { routes: [forward("/", "echo")], hcm: { accessLog: [{ ...((accessLog as JsonObject[])[0] as JsonObject), filter }] } }),
    [cluster("echo", [echo.port])],
  );
  await get(port, "/fine", "h", { "x-log": "yes" });
  await get(port, "/logged", "h", { "x-log": "yes", "x-want-status": "404" });
  await get(port, "/no-such-header", "h", { "x-want-status": "404" });
  expect(proxy.log.map((line) => line.split(" ")[1])).toEqual(["/logged"]);
});

test("a direct response has the route's headers", async () => {
  const ops = { responseHeadersToAdd: [{ header: { key: "x-added", value: "1" } }] };
  const { port } = await start(
    httpListener("l", {
      routes: [
        { match: { prefix: "/d" }, directResponse: { status: 200, body: { inlineString: "x" } }, ...ops },
        { match: { prefix: "/" }, redirect: { hostRedirect: "o" }, ...ops },
      ],
    }),
    [],
  );
  expect((await get(port, "/d", "h")).headers["x-added"]).toBe("1");
  expect((await get(port, "/r", "h")).headers).toMatchObject({ "x-added": "1", location: "http://o/r" });
});
