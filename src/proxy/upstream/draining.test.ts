import { afterAll, expect, test } from "bun:test";
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import type { JsonObject } from "@bufbuild/protobuf";
import { rawServer, type Backend } from "../test-support/backends.ts";
import { get } from "../test-support/http-exchange.ts";
import { frame } from "../test-support/http2-frames.ts";
import { cluster, configure, forward, httpListener, typed } from "../test-support/plain-config.ts";
import { Sidecar } from "../test-support/sidecar.ts";

const HTTP2: JsonObject = {
  typedExtensionProtocolOptions: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
      explicitHttpConfig: { http2ProtocolOptions: {} },
    }),
  },
};
/** A second request waits for the connection of the first. */
const ONE_CONNECTION: JsonObject = { circuitBreakers: { thresholds: [{ maxConnections: 1 }] } };

const backends: Backend[] = [];
const proxies: Sidecar[] = [];
afterAll(() => {
  for (const proxy of proxies) proxy.dataPlane.stop();
  for (const backend of backends) backend.stop();
});

async function start(made: JsonObject): Promise<Sidecar> {
  const proxy = new Sidecar({ id: "n" });
  proxies.push(proxy);
  await configure(proxy.dataPlane, { clusters: [made], listeners: [httpListener("l", { routes: [forward("/", "c")] })] });
  return proxy;
}

/** Two requests, of which one waits, and meanwhile their host leaves the cluster. */
async function hostGoes(port: number, extra: JsonObject): Promise<number[]> {
  const proxy = await start(cluster("c", [port], { ...ONE_CONNECTION, ...extra }));
  // So that the server's settings are known.
  await get(proxy.port("l"), "/0", "a");
  const answers = [get(proxy.port("l"), "/1", "a"), get(proxy.port("l"), "/2", "a")];
  await Bun.sleep(40);
  await configure(proxy.dataPlane, { clusters: [cluster("c", [1], { ...ONE_CONNECTION, ...extra })] });
  return (await Promise.all(answers)).map((each) => each.status);
}

test("a request that waits for a host's only HTTP/1 connection is served when the host leaves", async () => {
  const backend = rawServer({ data: (socket) => void setTimeout(() => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"), 100) });
  backends.push(backend);
  expect(await hostGoes(backend.port, {})).toEqual([200, 200]);
});

test("and for its only HTTP/2 stream too", async () => {
  const server = createServer({ settings: { maxConcurrentStreams: 1 } });
  server.on("stream", (stream: ServerHttp2Stream) => void setTimeout(() => (stream.respond({ ":status": 200 }), stream.end("ok")), 100));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  backends.push({ port: 0, stop: () => void server.close() });
  expect(await hostGoes((server.address() as AddressInfo).port, HTTP2)).toEqual([200, 200]);
});

test("a server that says GOAWAY before a stream gets its connection closed", async () => {
  const closed = Promise.withResolvers<string>();
  const backend = rawServer({
    data(socket, chunk) {
      if (!chunk.includes("PRI *")) return;
      socket.write(Buffer.concat([frame(4, 0, 0, Buffer.alloc(0)), frame(7, 0, 0, Buffer.alloc(8))]));
    },
    end(socket) {
      closed.resolve("closed");
      socket.end();
    },
  });
  backends.push(backend);
  const proxy = await start(cluster("c", [backend.port], HTTP2));
  expect((await get(proxy.port("l"), "/", "a")).status).toBe(503);
  expect(await Promise.race([closed.promise, Bun.sleep(1000)])).toBe("closed");
});

test("a connection that a retry makes to a host of a cluster that went meanwhile is closed after it", async () => {
  const closed = Promise.withResolvers<string>();
  const backend = rawServer({
    data: (socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    end(socket) {
      closed.resolve("closed");
      socket.end();
    },
  });
  backends.push(backend);
  const dead = rawServer({});
  const retryPolicy = { retryOn: "connect-failure", numRetries: 5, retryBackOff: { baseInterval: "0.3s", maxInterval: "0.3s" } };
  const proxy = new Sidecar({ id: "n" });
  proxies.push(proxy);
  // Nobody but the first priority is asked first; the retry skips it.
  const localities = [dead.port, backend.port].map((port, priority) => ({
    priority,
    lbEndpoints: [{ endpoint: { address: { socketAddress: { address: "127.0.0.1", portValue: port } } } }],
  }));
  dead.stop();
  const skip = {
    retryPriority: {
      name: "envoy.retry_priorities.previous_priorities",
      typedConfig: typed("envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig", { updateFrequency: 1 }),
    },
  };
  await configure(proxy.dataPlane, {
    clusters: [{ ...cluster("c", [1]), loadAssignment: { clusterName: "c", endpoints: localities } }],
    listeners: [httpListener("l", { routes: [forward("/", "c", { retryPolicy: { ...retryPolicy, ...skip } })] })],
  });
  const answer = get(proxy.port("l"), "/", "a");
  const refused = (): boolean => proxy.dataPlane.clusters().some(({ hosts }) => hosts.some(({ stats }) => stats.cxConnectFail > 0));
  while (!refused()) await Bun.sleep(1);
  proxy.dataPlane.removeCluster("c");
  expect((await answer).status).toBe(200);
  expect(await Promise.race([closed.promise, Bun.sleep(5000)])).toBe("closed");
});
