import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, expect, test } from "bun:test";
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { connect, type AddressInfo } from "node:net";
import { rawServer } from "./test-support/backends.ts";
import { accessLog, cluster, configure, listener, typed } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

/** TCP through an HTTP tunnel, as a DestinationRule's `tunnel` asks for. Heads are those of Envoy 1.40. */

const cleanups: (() => void)[] = [];
afterAll(() => {
  for (const clean of cleanups) clean();
});

const HTTP2: JsonObject = {
  typedExtensionProtocolOptions: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
      explicitHttpConfig: { http2ProtocolOptions: {} },
    }),
  },
};

async function start(port: number, tunnelingConfig: JsonObject, extra: JsonObject = {}): Promise<{ port: number; proxy: Sidecar }> {
  const proxy = new Sidecar({ id: "n" });
  cleanups.push(() => proxy.dataPlane.stop());
  const filter = {
    name: "tcp",
    typedConfig: typed("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", { statPrefix: "t", cluster: "c", accessLog, tunnelingConfig }),
  };
  await configure(proxy.dataPlane, { clusters: [cluster("c", [port], extra)], listeners: [listener("l", [{ filters: [filter] }])] });
  return { port: proxy.port("l"), proxy };
}

/** Says something, and hears until the proxy ends the connection or so many bytes have come. */
function talk(port: number, text: string, until: number): Promise<{ heard: string; ended: boolean }> {
  return new Promise((resolve) => {
    let heard = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    const settle = (ended: boolean): void => {
      socket.destroy();
      resolve({ heard, ended });
    };
    socket.on("data", (chunk: Buffer) => {
      heard += chunk.toString();
      if (heard.length >= until) settle(false);
    });
    socket.on("end", () => settle(true));
    socket.on("error", () => settle(true));
  });
}

function http1Tunnel(answer: string): { port: number; readonly seen: string[] } {
  const seen: string[] = [];
  const server = rawServer({
    data(socket, chunk) {
      const text = chunk.toString("latin1");
      seen.push(text);
      if (text.startsWith("CONNECT ") || text.startsWith("POST ")) socket.write(answer);
      else socket.write(`<${text}>`);
    },
  });
  cleanups.push(() => server.stop());
  return { port: server.port, seen };
}

test("CONNECT over HTTP/1: bytes pass both ways once the tunnel stands", async () => {
  const server = http1Tunnel("HTTP/1.1 200 OK\r\n\r\n");
  const { port, proxy } = await start(server.port, {
    hostname: "target.example:5000",
    headersToAdd: [{ header: { key: "x-a", value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" } }],
  });
  expect(await talk(port, "hello", 7)).toEqual({ heard: "<hello>", ended: false });
  expect(server.seen).toEqual(["CONNECT target.example:5000 HTTP/1.1\r\nhost: target.example:5000\r\nx-a: 127.0.0.1\r\n\r\n", "hello"]);
  expect(proxy.metric("envoy_cluster_upstream_cx_total")).toBe(1);
});

test("CONNECT over HTTP/2", async () => {
  const asked: IncomingHttpHeaders[] = [];
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    asked.push(headers);
    stream.on("error", () => {});
    stream.respond({ ":status": 200 });
    stream.on("data", (chunk: Buffer) => stream.write(`<${chunk.toString()}>`));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => void server.close());
  const { port } = await start((server.address() as AddressInfo).port, { hostname: "target.example:5000" }, HTTP2);
  expect((await talk(port, "hello", 7)).heard).toBe("<hello>");
  expect(asked[0]).toMatchObject({ ":method": "CONNECT", ":authority": "target.example:5000" });
});

test("POST where the server knows no CONNECT", async () => {
  const server = http1Tunnel("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n");
  const { port } = await start(server.port, { hostname: "target.example:5000", usePost: true, postPath: "/tunnel" });
  expect((await talk(port, "hello", 2)).heard).toBe("hi");
  expect(server.seen[0]).toStartWith("POST /tunnel HTTP/1.1\r\nhost: target.example:5000\r\ntransfer-encoding: chunked\r\n\r\n");
});

test("a tunnel that is refused ends the connection, and the log says why", async () => {
  const server = http1Tunnel("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
  const { port, proxy } = await start(server.port, { hostname: "target.example:5000" });
  expect(await talk(port, "hello", 1)).toEqual({ heard: "", ended: true });
  await Bun.sleep(10);
  expect(proxy.log.at(-1)).toMatch(/ UF,URX .* "tunnel_response:403"/);
});
