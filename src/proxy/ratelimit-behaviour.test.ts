import { create, fromBinary, toBinary, type JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import {
  RateLimitRequestSchema,
  RateLimitResponse_Code as Code,
  RateLimitResponse_RateLimit_Unit as Unit,
  RateLimitResponseSchema,
  type RateLimitRequest,
  type RateLimitResponse,
} from "../proto/gen/envoy/service/ratelimit/v3/rls_pb.ts";
import { echoServer, type Echo } from "./test-support/backends.ts";
import { get } from "./test-support/http-exchange.ts";
import { cluster, configure, forward, httpListener, typed } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

/** Rate limits by descriptors: asked of a service, or counted here. */

let echo: ReturnType<typeof echoServer>;
let service: Http2Server;
const asked: RateLimitRequest[] = [];
let answer: Parameters<typeof create<typeof RateLimitResponseSchema>>[1] | "none";
const proxies: Sidecar[] = [];

beforeAll(async () => {
  echo = echoServer();
  service = createServer();
  service.on("stream", (stream: ServerHttp2Stream) => {
    const chunks: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      if (stream.destroyed) return;
      asked.push(fromBinary(RateLimitRequestSchema, Buffer.concat(chunks).subarray(5)));
      if (answer === "none") return;
      const message = toBinary(RateLimitResponseSchema, create(RateLimitResponseSchema, answer) as RateLimitResponse);
      const head = Buffer.alloc(5);
      head.writeUInt32BE(message.length, 1);
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.concat([head, message]));
    });
  });
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  for (const proxy of proxies) proxy.dataPlane.stop();
  echo.stop();
  service.close();
});
beforeEach(() => {
  asked.length = 0;
  answer = { overallCode: Code.OK };
});

const H2: JsonObject = {
  typedExtensionProtocolOptions: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
      explicitHttpConfig: { http2ProtocolOptions: {} },
    }),
  },
};
const HEADER: JsonObject = { actions: [{ genericKey: { descriptorValue: "v" } }, { requestHeaders: { headerName: "x-user", descriptorKey: "user" } }] };

async function start(filter: JsonObject, route: JsonObject = { rateLimits: [HEADER] }, host: JsonObject = {}): Promise<{ port: number; proxy: Sidecar }> {
  const proxy = new Sidecar({ id: "n" });
  proxies.push(proxy);
  await configure(proxy.dataPlane, {
    clusters: [cluster("echo", [echo.port]), cluster("rls", [(service.address() as AddressInfo).port], H2)],
    listeners: [httpListener("l", { filters: [filter], virtualHosts: [{ name: "v", domains: ["*"], routes: [forward("/", "echo", route)], ...host }] })],
  });
  return { port: proxy.port("l"), proxy };
}

describe("a rate limit service", () => {
  const filter = (extra: JsonObject = {}): JsonObject => ({
    name: "envoy.filters.http.ratelimit",
    typedConfig: typed("envoy.extensions.filters.http.ratelimit.v3.RateLimit", {
      domain: "d",
      timeout: "0.2s",
      rateLimitService: { transportApiVersion: "V3", grpcService: { envoyGrpc: { clusterName: "rls" } } },
      ...extra,
    }),
  });

  test("is asked with the route's descriptors; what it adds goes on", async () => {
    answer = { overallCode: Code.OK, requestHeadersToAdd: [{ key: "x-checked", value: "yes" }], responseHeadersToAdd: [{ key: "x-left", value: "9" }] };
    const { port, proxy } = await start(filter());
    const response = await get(port, "/", "h", { "x-user": "ann" });
    expect((JSON.parse(response.body) as Echo).headers["x-checked"]).toBe("yes");
    expect(response.headers["x-left"]).toBe("9");
    expect(asked.map(({ domain, descriptors }) => [domain, descriptors.map(({ entries }) => entries.map(({ key, value }) => `${key}=${value}`))])).toEqual([
      ["d", [["generic_key=v", "user=ann"]]],
    ]);
    expect(proxy.metric("envoy_cluster_ratelimit_ok")).toBe(1);
    // Without the header there is no descriptor, and nothing to ask.
    expect((await get(port, "/", "h")).status).toBe(200);
    expect(asked).toHaveLength(1);
  });

  test("refuses with 429, and says how much there was", async () => {
    answer = {
      overallCode: Code.OVER_LIMIT,
      statuses: [{ code: Code.OVER_LIMIT, currentLimit: { requestsPerUnit: 5, unit: Unit.MINUTE, name: "five" }, durationUntilReset: { seconds: 7n } }],
    };
    const { port, proxy } = await start(filter({ enableXRatelimitHeaders: "DRAFT_VERSION_03" }));
    const { status, headers, body } = await get(port, "/", "h", { "x-user": "ann" });
    expect([status, body]).toEqual([429, ""]);
    expect(headers).toMatchObject({
      "x-envoy-ratelimited": "true",
      "x-ratelimit-limit": '5, 5;w=60;name="five"',
      "x-ratelimit-remaining": "0",
      "x-ratelimit-reset": "7",
    });
    expect(proxy.log.at(-1)).toContain("429 RL request_rate_limited");
    expect(proxy.metric("envoy_cluster_ratelimit_over_limit")).toBe(1);
  });

  test("that does not answer is passed by, or stops everything where that is wished", async () => {
    answer = "none";
    const open = await start(filter({ timeout: "0.02s" }));
    expect((await get(open.port, "/", "h", { "x-user": "ann" })).status).toBe(200);
    expect(open.proxy.metric("envoy_cluster_ratelimit_failure_mode_allowed")).toBe(1);
    const closed = await start(filter({ timeout: "0.02s", failureModeDeny: true }));
    expect((await get(closed.port, "/", "h", { "x-user": "ann" })).status).toBe(500);
    expect(closed.proxy.log.at(-1)).toContain("500 RLSE rate_limiter_error");
  });

  test("the virtual host's limits count where the route has none, or both are wished", async () => {
    const host: JsonObject = {
      rateLimits: [
        { actions: [{ remoteAddress: {} }] },
        { actions: [{ maskedRemoteAddress: { v4PrefixMaskLen: 12 } }] },
        { stage: 1, actions: [{ destinationCluster: {} }] },
      ],
    };
    await get((await start(filter(), {}, host)).port, "/", "h", { "x-user": "a" });
    await get((await start(filter(), { rateLimits: [HEADER] }, host)).port, "/", "h", { "x-user": "b" });
    await get((await start(filter({ stage: 1 }), {}, host)).port, "/", "h");
    const keys = asked.map(({ descriptors }) => descriptors.map(({ entries }) => entries.map(({ key, value }) => `${key}=${value}`).join()));
    expect(keys).toEqual([["remote_address=127.0.0.1", "masked_remote_address=127.0.0.0/12"], ["generic_key=v,user=b"], ["destination_cluster=echo"]]);
  });
});

describe("local limits with descriptors", () => {
  const bucket = (maxTokens: number): JsonObject => ({ maxTokens, tokensPerFill: 1, fillInterval: "3600s" });
  const always: JsonObject = { filterEnabled: { defaultValue: { numerator: 100 } }, filterEnforced: { defaultValue: { numerator: 100 } } };
  const filter = (extra: JsonObject = {}): JsonObject => ({
    name: "envoy.filters.http.local_ratelimit",
    typedConfig: typed("envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit", {
      statPrefix: "l",
      tokenBucket: bucket(3),
      ...always,
      descriptors: [
        {
          entries: [
            { key: "generic_key", value: "v" },
            { key: "user", value: "ann" },
          ],
          tokenBucket: bucket(1),
        },
      ],
      ...extra,
    }),
  });
  const statuses = async (port: number, users: string[]): Promise<number[]> => {
    const seen: number[] = [];
    for (const user of users) seen.push((await get(port, "/", "h", { "x-user": user })).status);
    return seen;
  };

  test("a descriptor has its own bucket; the common one counts beside it", async () => {
    const { port } = await start(filter());
    expect(await statuses(port, ["ann", "ann", "bob", "bob", "bob"])).toEqual([200, 429, 200, 200, 429]);
  });

  test("or only without it", async () => {
    const { port } = await start(filter({ alwaysConsumeDefaultTokenBucket: false }));
    expect(await statuses(port, ["ann", "bob", "bob", "bob", "bob"])).toEqual([200, 200, 200, 200, 429]);
  });
});
