import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { ClusterLoadAssignmentSchema } from "../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { closedPort, rawServer } from "./test-support/backends.ts";
import { eventually } from "./test-support/collectors.ts";
import { get } from "./test-support/http-exchange.ts";
import { cluster, configure, forward, httpListener } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

/** Active health checks against real servers, with Envoy's thresholds and words. */

const cleanups: (() => void)[] = [];
afterAll(() => {
  for (const clean of cleanups) clean();
});

const seen: { path: string; headers: Headers }[] = [];
let answer: () => Response | Promise<Response>;
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname !== "/health") return new Response("app");
    seen.push({ path: pathname, headers: request.headers });
    return answer();
  },
});
cleanups.push(() => void server.stop(true));
beforeEach(() => {
  seen.length = 0;
  answer = () => new Response("fine");
});

const QUICK: JsonObject = { timeout: "0.2s", interval: "0.02s", noTrafficInterval: "0.02s", unhealthyThreshold: 3, healthyThreshold: 2 };

async function start(healthCheck: JsonObject, ports = [server.port as number], extra: JsonObject = {}): Promise<Sidecar> {
  const proxy = new Sidecar({ id: "n" });
  cleanups.push(() => proxy.dataPlane.stop());
  await configure(proxy.dataPlane, {
    clusters: [cluster("c", ports, { healthChecks: [{ ...QUICK, ...healthCheck }], commonLbConfig: { healthyPanicThreshold: { value: 0 } }, ...extra })],
    listeners: [httpListener("l", { routes: [forward("/", "c")] })],
  });
  return proxy;
}

const flags = (proxy: Sidecar): readonly string[] | undefined => proxy.dataPlane.clusters()[0]?.hosts[0]?.healthFlags;
const healthy = (proxy: Sidecar): Promise<boolean> => eventually(() => flags(proxy)?.length === 0, "the host is healthy");
const sick = (proxy: Sidecar): Promise<boolean> => eventually(() => flags(proxy)?.includes("failed_active_hc"), "the host is unhealthy") as Promise<boolean>;

describe("HTTP", () => {
  const check: JsonObject = { httpHealthCheck: { path: "/health", requestHeadersToAdd: [{ header: { key: "X-Check", value: "1" } }] } };

  test("the first good answer lets the host in; a bad one takes it out at once; two good ones bring it back", async () => {
    const proxy = await start(check);
    await healthy(proxy);
    expect((await get(proxy.port("l"), "/", "h")).status).toBe(200);
    expect([seen[0]?.headers.get("user-agent"), seen[0]?.headers.get("host"), seen[0]?.headers.get("x-check")]).toEqual(["Envoy/HC", "c", "1"]);
    answer = () => new Response("no", { status: 503 });
    await sick(proxy);
    const refused = await get(proxy.port("l"), "/", "h");
    expect([refused.status, refused.body]).toEqual([503, "no healthy upstream"]);
    answer = () => new Response("fine");
    await healthy(proxy);
    expect((await get(proxy.port("l"), "/", "h")).status).toBe(200);
    expect(proxy.metric("envoy_cluster_health_check_failure")).toBeGreaterThan(0);
    expect(proxy.metric("envoy_cluster_health_check_success")).toBeGreaterThan(1);
  });

  test("the cluster is not used before its first round of checks", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    answer = () => promise.then(() => new Response("fine"));
    const proxy = await start({ ...check, timeout: "2s" });
    expect(proxy.dataPlane.clusters()).toEqual([]);
    resolve();
    await healthy(proxy);
  });

  test("statuses that may be another soon count towards the threshold", async () => {
    const proxy = await start({
      httpHealthCheck: { path: "/health", expectedStatuses: [{ start: "200", end: "201" }], retriableStatuses: [{ start: "500", end: "504" }] },
    });
    await healthy(proxy);
    const failures = proxy.metric("envoy_cluster_health_check_network_failure");
    answer = () => new Response("no", { status: 500 });
    await sick(proxy);
    expect(proxy.metric("envoy_cluster_health_check_network_failure") - failures).toBeGreaterThanOrEqual(3);
  });

  test("a server that is silent is unhealthy after the threshold; x-envoy-degraded makes a host degraded", async () => {
    const proxy = await start({ ...check, timeout: "0.03s" });
    await healthy(proxy);
    answer = () => new Response("fine", { headers: { "x-envoy-degraded": "1" } });
    await eventually(() => flags(proxy)?.includes("degraded_active_hc"), "degraded");
    expect((await get(proxy.port("l"), "/", "h")).status).toBe(200);
    answer = () => new Promise(() => {});
    await sick(proxy);
  });

  test("at another port and name, where the endpoint says so", async () => {
    const proxy = await start(check, [], {
      loadAssignment: {
        clusterName: "c",
        endpoints: [
          {
            lbEndpoints: [
              {
                endpoint: {
                  address: { socketAddress: { address: "127.0.0.1", portValue: closedPort() } },
                  healthCheckConfig: { portValue: server.port as number, hostname: "checked.example" },
                },
              },
            ],
          },
        ],
      },
    });
    await healthy(proxy);
    expect(seen[0]?.headers.get("host")).toBe("checked.example");
  });
});

test("TCP: a port that nobody listens at, a greeting that is not the expected one, and one that is", async () => {
  const greeter = rawServer({ open: (socket) => void socket.write("220 ready\r\n") });
  cleanups.push(() => greeter.stop());
  const hex = (text: string): JsonObject => ({ text: Buffer.from(text).toString("hex") });
  await sick(await start({ tcpHealthCheck: {} }, [closedPort()]));
  await healthy(await start({ tcpHealthCheck: {} }, [greeter.port]));
  await healthy(await start({ tcpHealthCheck: { receive: [hex("220"), hex("ready")] } }, [greeter.port]));
  await sick(await start({ tcpHealthCheck: { receive: [hex("ready"), hex("220")] }, timeout: "0.05s" }, [greeter.port]));
});

test("gRPC: what grpc.health.v1 says", async () => {
  const asked: { headers: IncomingHttpHeaders; body: Buffer }[] = [];
  let serving = 1;
  const grpc = createServer();
  grpc.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const chunks: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      if (stream.destroyed) return;
      asked.push({ headers, body: Buffer.concat(chunks) });
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 8, serving]));
    });
  });
  await new Promise<void>((resolve) => grpc.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => void grpc.close());
  const proxy = await start({ grpcHealthCheck: { serviceName: "svc", authority: "a.example" } }, [(grpc.address() as AddressInfo).port]);
  await healthy(proxy);
  expect(asked[0]?.headers).toMatchObject({ ":path": "/grpc.health.v1.Health/Check", ":authority": "a.example", "user-agent": "Envoy/HC" });
  expect(asked[0]?.body.toString("hex")).toBe(`0000000005 0a03 ${Buffer.from("svc").toString("hex")}`.replaceAll(" ", ""));
  serving = 2;
  await sick(proxy);
});

test("a check that cannot be made is refused", async () => {
  await expect(start({ customHealthCheck: { name: "envoy.health_checkers.redis" } })).rejects.toThrow(
    "Didn't find a registered implementation for 'envoy.health_checkers.redis'",
  );
  await expect(start({ tcpHealthCheck: { send: { text: "zz" } } })).rejects.toThrow("invalid hex string 'zz'");
});

describe("an endpoint that is assigned no more", () => {
  const check: JsonObject = { httpHealthCheck: { path: "/health" } };
  const assign = (proxy: Sidecar, ports: readonly number[]): void =>
    proxy.dataPlane.setEndpoints(fromJson(ClusterLoadAssignmentSchema, (cluster("c", ports) as { loadAssignment: JsonObject }).loadAssignment));
  const discovered: JsonObject = { type: "EDS", edsClusterConfig: { edsConfig: { ads: {} } } };

  async function assigned(extra: JsonObject = {}): Promise<Sidecar> {
    const proxy = new Sidecar({ id: "n" });
    cleanups.push(() => proxy.dataPlane.stop());
    const { loadAssignment: _none, ...eds } = cluster("c", [], { healthChecks: [{ ...QUICK, ...check }], ...discovered, ...extra });
    const configured = configure(proxy.dataPlane, { clusters: [eds], listeners: [httpListener("l", { routes: [forward("/", "c")] })] });
    assign(proxy, [server.port as number]);
    await configured;
    await healthy(proxy);
    return proxy;
  }

  test("stays as long as it answers its health checks, and then goes", async () => {
    const proxy = await assigned();
    assign(proxy, []);
    expect(flags(proxy)).toEqual(["pending_dynamic_removal"]);
    expect((await get(proxy.port("l"), "/", "h")).status).toBe(200);
    answer = () => new Response("no", { status: 503 });
    await eventually(() => proxy.dataPlane.clusters()[0]?.hosts.length === 0, "the host is gone");
  });

  test("that comes back is as it was", async () => {
    const proxy = await assigned();
    assign(proxy, []);
    assign(proxy, [server.port as number]);
    expect(flags(proxy)).toEqual([]);
  });

  test("goes at once where the cluster says so", async () => {
    const proxy = await assigned({ ignoreHealthOnHostRemoval: true });
    assign(proxy, []);
    expect(proxy.dataPlane.clusters()[0]?.hosts).toEqual([]);
  });
});
