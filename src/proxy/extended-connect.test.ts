import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, describe, expect, test } from "bun:test";
import { connect, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { cluster, configure, forward, httpListener, typed, type HcmOptions } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

/** WebSockets over HTTP/2 (RFC 8441), and over HTTP/1 on one side and HTTP/2 on the other. */

const proxies: Sidecar[] = [];
const sessions: ClientHttp2Session[] = [];
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("no upgrade", { status: 400 })),
  websocket: { message: (socket, message) => void socket.send(`echo ${String(message)}`) },
});
afterAll(() => {
  for (const session of sessions) session.destroy();
  for (const proxy of proxies) proxy.dataPlane.stop();
  void server.stop(true);
});

const UPGRADES: JsonObject = { upgradeConfigs: [{ upgradeType: "websocket" }] };
const HTTP2: JsonObject = {
  typedExtensionProtocolOptions: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
      explicitHttpConfig: { http2ProtocolOptions: { allowConnect: true } },
    }),
  },
};

async function start(options: HcmOptions, clusters: readonly JsonObject[]): Promise<{ port: number; proxy: Sidecar }> {
  const proxy = new Sidecar({ id: "n" });
  proxies.push(proxy);
  await configure(proxy.dataPlane, { clusters, listeners: [httpListener("l", options)] });
  return { port: proxy.port("l"), proxy };
}

const receiving = (allowConnect: boolean) =>
  start({ routes: [forward("/", "app")], hcm: { ...UPGRADES, http2ProtocolOptions: { allowConnect } } }, [cluster("app", [server.port as number])]);

test("a browser's WebSocket crosses HTTP/1, HTTP/2 and HTTP/1", async () => {
  const inner = await receiving(true);
  const outer = await start({ routes: [forward("/", "inner")], hcm: UPGRADES }, [cluster("inner", [inner.port], HTTP2)]);
  const socket = new WebSocket(`ws://127.0.0.1:${outer.port}/ws`);
  const messages: string[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.onerror = () => reject(new Error("the WebSocket failed"));
    socket.onopen = () => socket.send("one");
    socket.onmessage = ({ data }) => {
      messages.push(String(data));
      if (messages.length === 1) socket.send("two");
      else resolve();
    };
  });
  const closed = new Promise<number>((resolve) => (socket.onclose = ({ code }) => resolve(code)));
  socket.close(1000);
  expect(await closed).toBe(1000);
  expect(messages).toEqual(["echo one", "echo two"]);
  expect(outer.proxy.metric("envoy_http_downstream_cx_upgrades_total")).toBe(1);
  expect(inner.proxy.metric("envoy_http_downstream_rq_http2_total")).toBe(1);
});

describe("extended CONNECT", () => {
  const ASKED: OutgoingHttpHeaders = {
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": "http",
    ":path": "/ws",
    ":authority": "a.example",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  };

  async function ask(allowConnect: boolean): Promise<{ enabled: boolean | undefined; answer: IncomingHttpHeaders | "reset"; stream: ClientHttp2Stream }> {
    const { port } = await receiving(allowConnect);
    const session = connect(`http://127.0.0.1:${port}`);
    sessions.push(session);
    session.on("error", () => {});
    const settings = await new Promise<{ enableConnectProtocol?: boolean }>((resolve) =>
      session.once("remoteSettings", (found) => resolve(found as { enableConnectProtocol?: boolean })),
    );
    const stream = session.request(ASKED);
    const answer = await new Promise<IncomingHttpHeaders | "reset">((resolve) => {
      stream.on("response", resolve);
      stream.on("error", () => resolve("reset"));
      stream.on("close", () => resolve("reset"));
    });
    return { enabled: settings.enableConnectProtocol, answer, stream };
  }

  test("is announced and answered with 200 where it is allowed", async () => {
    const { enabled, answer, stream } = await ask(true);
    expect(enabled).toBe(true);
    expect(answer).toMatchObject({ ":status": 200, "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" });
    expect(answer).not.toContainAnyKeys(["upgrade", "connection"]);
    const heard = new Promise<Buffer>((resolve) => stream.once("data", resolve));
    // A masked text frame "hi" with a mask of zeros.
    stream.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
    expect((await heard).subarray(2).toString()).toBe("echo hi");
    stream.close();
  });

  test("is malformed where it is not", async () => {
    const { enabled, answer } = await ask(false);
    expect([enabled ?? false, answer]).toEqual([false, "reset"]);
  });
});
