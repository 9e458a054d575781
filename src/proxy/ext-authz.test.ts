import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, fromBinary, toBinary, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import { CheckRequestSchema, CheckResponseSchema, type CheckRequest } from "../proto/gen/envoy/service/auth/v3/external_auth_pb.ts";
import { closedPort, echoServer, rawServer, type Echo } from "./test-support/backends.ts";
import { exchange, get } from "./test-support/http-exchange.ts";
import { cluster, configure, forward, httpListener, tcpListener, typed } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

const proxies: Sidecar[] = [];
let echo: ReturnType<typeof echoServer>;
let grpc: Http2Server;
let grpcPort: number;
let http: ReturnType<typeof Bun.serve>;
const checks: CheckRequest[] = [];
const httpChecks: { path: string; headers: Headers; body: string }[] = [];
let decision: MessageInitShape<typeof CheckResponseSchema> | "never" = {};
let httpDecision: () => Response = () => new Response();

beforeAll(async () => {
  echo = echoServer();
  grpc = createServer();
  grpc.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const chunks: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      expect(headers[":path"]).toBe("/envoy.service.auth.v3.Authorization/Check");
      expect(headers[":authority"]).toBe("ext-authz.foo.svc");
      checks.push(fromBinary(CheckRequestSchema, Buffer.concat(chunks).subarray(5)));
      if (decision === "never") return;
      const message = toBinary(CheckResponseSchema, create(CheckResponseSchema, decision));
      const frame = Buffer.alloc(5 + message.length);
      frame.writeUInt32BE(message.length, 1);
      frame.set(message, 5);
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(frame);
    });
  });
  await new Promise<void>((resolve) => grpc.listen(0, "127.0.0.1", resolve));
  grpcPort = (grpc.address() as AddressInfo).port;
  http = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      httpChecks.push({ path: new URL(request.url).pathname, headers: request.headers, body: await request.text() });
      return httpDecision();
    },
  });
});
afterAll(() => {
  for (const proxy of proxies) proxy.dataPlane.stop();
  echo.stop();
  grpc.close();
  void http.stop(true);
});

const HTTP2: JsonObject = {
  typedExtensionProtocolOptions: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
      explicitHttpConfig: { http2ProtocolOptions: {} },
    }),
  },
};
const GRPC: JsonObject = { grpcService: { envoyGrpc: { clusterName: "grpc", authority: "ext-authz.foo.svc" }, timeout: "0.3s" }, transportApiVersion: "V3" };

async function start(config: JsonObject, before: readonly JsonObject[] = []): Promise<{ port: number; proxy: Sidecar }> {
  const proxy = new Sidecar({ id: "n" });
  proxies.push(proxy);
  await configure(proxy.dataPlane, {
    clusters: [
      cluster("echo", [echo.port]),
      cluster("grpc", [grpcPort], HTTP2),
      cluster("http", [http.port as number]),
      cluster("dead", [closedPort()], HTTP2),
    ],
    listeners: [
      httpListener("l", {
        filters: [...before, { name: "envoy.filters.http.ext_authz", typedConfig: typed("envoy.extensions.filters.http.ext_authz.v3.ExtAuthz", config) }],
        routes: [forward("/", "echo")],
      }),
    ],
  });
  return { port: proxy.port("l"), proxy };
}

describe("a gRPC service", () => {
  test("is told of the request and may change it", async () => {
    decision = {
      httpResponse: {
        case: "okResponse",
        value: {
          headers: [{ header: { key: "X-User", value: "ann" } }],
          headersToRemove: ["x-secret"],
          responseHeadersToAdd: [{ header: { key: "x-checked", value: "yes" } }],
        },
      },
    };
    const { port } = await start(GRPC);
    const response = await get(port, "/a?b", "h", { "x-secret": "1", "x-user": "eve" });
    expect((JSON.parse(response.body) as Echo).headers).toMatchObject({ "x-user": "ann" });
    expect((JSON.parse(response.body) as Echo).headers["x-secret"]).toBeUndefined();
    expect(response.headers["x-checked"]).toBe("yes");
    const asked = checks.at(-1)?.attributes;
    expect(asked?.request?.http).toMatchObject({ method: "GET", path: "/a?b", host: "h", protocol: "HTTP/1.1" });
    expect(asked?.request?.http?.headers).toMatchObject({ "x-secret": "1", ":path": "/a?b" });
    expect(asked?.destination?.address?.address.value).toMatchObject({ address: "127.0.0.1", portSpecifier: { value: port } });
  });

  test("refuses with its own answer", async () => {
    decision = {
      status: { code: 7 },
      httpResponse: {
        case: "deniedResponse",
        value: { status: { code: 401 }, headers: [{ header: { key: "www-authenticate", value: "Basic" } }], body: "no" },
      },
    };
    const { port, proxy } = await start(GRPC);
    const response = await get(port, "/", "h");
    expect(response).toMatchObject({ status: 401, body: "no", headers: { "www-authenticate": "Basic" } });
    expect(proxy.log.at(-1)).toContain("401 UAEX ext_authz_denied");
    decision = { status: { code: 7 } };
    expect((await get(port, "/", "h")).status).toBe(403);
  });

  test("that cannot be reached, or does not answer, refuses; unless failure is allowed", async () => {
    const dead = await start({ grpcService: { envoyGrpc: { clusterName: "dead" } } });
    expect(await get(dead.port, "/", "h")).toMatchObject({ status: 403, body: "" });
    expect(dead.proxy.log.at(-1)).toContain("403 UAEX ext_authz_error");
    decision = "never";
    const slow = await start({
      grpcService: { envoyGrpc: { clusterName: "grpc", authority: "ext-authz.foo.svc" }, timeout: "0.05s" },
      statusOnError: { code: "ServiceUnavailable" },
    });
    expect((await get(slow.port, "/", "h")).status).toBe(503);
    const open = await start({ grpcService: { envoyGrpc: { clusterName: "dead" } }, failureModeAllow: true, failureModeAllowHeaderAdd: true });
    expect((JSON.parse((await get(open.port, "/", "h")).body) as Echo).headers["x-envoy-auth-failure-mode-allowed"]).toBe("true");
  });

  test("gets the body where it wants it, and the server gets it too", async () => {
    decision = {};
    const { port } = await start({ ...GRPC, withRequestBody: { maxRequestBytes: 5, allowPartialMessage: true } });
    const response = await exchange(port, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\n");
    expect((JSON.parse(response.body) as Echo).body).toBe("abcdefgh");
    expect(checks.at(-1)?.attributes?.request?.http?.body).toBe("abcde");
    const whole = await start({ ...GRPC, withRequestBody: { maxRequestBytes: 5 } });
    expect((await exchange(whole.port, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\nabcdefgh")).status).toBe(413);
  });

  test("is asked only where an RBAC shadow rule says so, as Istio's CUSTOM policies do", async () => {
    decision = { status: { code: 7 } };
    const shadow = {
      name: "envoy.filters.http.rbac",
      typedConfig: typed("envoy.extensions.filters.http.rbac.v3.RBAC", {
        shadowRules: {
          action: "DENY",
          policies: { "istio-ext-authz-ns[a]-policy[b]-rule[0]": { permissions: [{ urlPath: { path: { prefix: "/admin" } } }], principals: [{ any: true }] } },
        },
        shadowRulesStatPrefix: "istio_ext_authz_",
      }),
    };
    const { port } = await start(
      {
        ...GRPC,
        filterEnabledMetadata: {
          filter: "envoy.filters.http.rbac",
          path: [{ key: "istio_ext_authz_shadow_effective_policy_id" }],
          value: { stringMatch: { prefix: "istio-ext-authz" } },
        },
      },
      [shadow],
    );
    expect((await get(port, "/open", "h")).status).toBe(200);
    expect((await get(port, "/admin", "h")).status).toBe(403);
  });
});

test("an HTTP service: what it is sent, what of its answer counts", async () => {
  const list = (...names: string[]): JsonObject => ({ patterns: names.map((exact) => ({ exact })) });
  const { port } = await start({
    httpService: {
      serverUri: { uri: "http://authz:80", cluster: "http", timeout: "0.3s" },
      pathPrefix: "/check",
      authorizationRequest: { allowedHeaders: list("x-token"), headersToAdd: [{ key: "x-from", value: "proxy" }] },
      authorizationResponse: { allowedUpstreamHeaders: list("x-user"), allowedClientHeaders: list("x-reason"), allowedClientHeadersOnSuccess: list("x-ok") },
    },
  });
  httpDecision = () => new Response("", { headers: { "x-user": "ann", "x-other": "1", "x-ok": "2" } });
  const allowed = await get(port, "/a", "h", { "x-token": "t", "x-private": "p", authorization: "Bearer z" });
  expect((JSON.parse(allowed.body) as Echo).headers).toMatchObject({ "x-user": "ann", "x-private": "p" });
  expect((JSON.parse(allowed.body) as Echo).headers["x-other"]).toBeUndefined();
  expect(allowed.headers["x-ok"]).toBe("2");
  const asked = httpChecks.at(-1);
  expect(asked?.path).toBe("/check/a");
  expect(Object.fromEntries(asked?.headers ?? [])).toMatchObject({ host: "h", "x-token": "t", "x-from": "proxy", authorization: "Bearer z" });
  expect(asked?.headers.has("x-private")).toBe(false);
  httpDecision = () => new Response("go away", { status: 403, headers: { "x-reason": "r", "x-hidden": "1" } });
  const denied = await get(port, "/a", "h");
  expect(denied).toMatchObject({ status: 403, body: "go away", headers: { "x-reason": "r" } });
  expect(denied.headers["x-hidden"]).toBeUndefined();
  httpDecision = () => new Response("", { status: 500 });
  expect((await get(port, "/a", "h")).status).toBe(403);
});

describe("a TCP connection", () => {
  const EXT = {
    name: "envoy.filters.network.ext_authz",
    typedConfig: typed("envoy.extensions.filters.network.ext_authz.v3.ExtAuthz", {
      statPrefix: "tcp.",
      grpcService: { envoyGrpc: { clusterName: "grpc", authority: "ext-authz.foo.svc" }, timeout: "0.3s" },
      transportApiVersion: "V3",
    }),
  };

  async function tcp(handler: Parameters<typeof rawServer>[0]): Promise<{ port: number; proxy: Sidecar; stop: () => void }> {
    const server = rawServer(handler);
    const proxy = new Sidecar({ id: "n" });
    proxies.push(proxy);
    await configure(proxy.dataPlane, {
      clusters: [cluster("tcp", [server.port]), cluster("grpc", [grpcPort], HTTP2)],
      listeners: [tcpListener("l", "tcp", [EXT])],
    });
    return { port: proxy.port("l"), proxy, stop: () => server.stop() };
  }

  test("waits for the service's word, then loses nothing", async () => {
    decision = {};
    const { port, stop } = await tcp({ open: (socket) => void socket.write("220 "), data: (socket, chunk) => void socket.write(chunk) });
    expect((await exchange(port, "hello", { waitMs: 200 })).raw).toBe("220 hello");
    stop();
  });

  test("that is refused hears nothing and says nothing", async () => {
    decision = { status: { code: 7 } };
    const heard: string[] = [];
    const { port, proxy, stop } = await tcp({ open: (socket) => void socket.write("secret"), data: (_socket, chunk) => void heard.push(chunk.toString()) });
    expect((await exchange(port, "hello", { untilClose: true })).raw).toBe("");
    await Bun.sleep(20);
    expect(heard).toEqual([]);
    expect(proxy.log.at(-1)).toContain('0 UAEX ext_authz_denied - "-"');
    stop();
  });
});
