import { afterAll, describe, expect, test } from "bun:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { closedPort, echoServer, rawServer, type Backend } from "./test-support/backends.ts";
import { exchange, get } from "./test-support/http-exchange.ts";
import { cluster, configure, forward, httpListener, listener, tcpListener, typed } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

const backends: Backend[] = [];
const proxies: Sidecar[] = [];
afterAll(() => {
  for (const proxy of proxies) proxy.dataPlane.stop();
  for (const backend of backends) backend.stop();
});

async function start(listeners: readonly JsonObject[], clusters: readonly JsonObject[]): Promise<Sidecar> {
  const proxy = new Sidecar({ id: "n" });
  proxies.push(proxy);
  await configure(proxy.dataPlane, { clusters, listeners });
  return proxy;
}

function backend(handler: Parameters<typeof rawServer>[0]): number {
  const made = rawServer(handler);
  backends.push(made);
  return made.port;
}

const settle = (): Promise<void> => Bun.sleep(30);
const echo = { data: (socket: { write(bytes: Uint8Array): number }, chunk: Buffer) => void socket.write(chunk) };

describe("a relayed connection", () => {
  test("passes bytes both ways and is logged when it ends", async () => {
    const proxy = await start([tcpListener("l", "c")], [cluster("c", [backend(echo)])]);
    const answer = await exchange(proxy.port("l"), "ping", { waitMs: 80 });
    expect(answer.raw).toBe("ping");
    await settle();
    expect(proxy.log).toEqual([expect.stringMatching(/^"- - -" 0 - - - "-" 4 4 "127\.0\.0\.1:\d+" c$/)]);
    expect(proxy.dataPlane.clusters()[0]?.hosts[0]?.stats).toMatchObject({ cxTotal: 1, cxActive: 0 });
  });

  test("may be half-closed by the client, who still gets the answer", async () => {
    let received = "";
    const port = backend({
      data: (_socket, chunk) => void (received += chunk.toString()),
      end(socket) {
        socket.write(`got ${received}`);
        socket.end();
      },
    });
    const proxy = await start([tcpListener("l", "c")], [cluster("c", [port])]);
    const text = await new Promise<string>((resolve) => {
      let all = "";
      void Bun.connect({
        hostname: "127.0.0.1",
        port: proxy.port("l"),
        allowHalfOpen: true,
        socket: {
          open(socket) {
            socket.write("question");
            socket.shutdown();
          },
          data: (_socket, chunk) => void (all += chunk.toString()),
          end: (socket) => void socket.end(),
          close: () => resolve(all),
        },
      });
    });
    expect(text).toBe("got question");
  });

  test("lets a server speak first", async () => {
    const proxy = await start([tcpListener("l", "c")], [cluster("c", [backend({ open: (socket) => void socket.write("220 hello") })])]);
    expect((await exchange(proxy.port("l"), "", { waitMs: 80 })).raw).toBe("220 hello");
  });

  test("keeps memory flat when the reader is slow, and loses nothing", async () => {
    const size = 24 * 1024 * 1024;
    const port = backend({
      open(socket) {
        let left = size;
        const chunk = Buffer.alloc(256 * 1024, "x");
        const pump = (): void => {
          while (left > 0) {
            const sent = socket.write(chunk.subarray(0, Math.min(chunk.length, left)));
            if (sent <= 0) break;
            left -= sent;
          }
          if (left > 0) setTimeout(pump, 1);
          else socket.end();
        };
        pump();
      },
    });
    const proxy = await start([tcpListener("l", "c")], [cluster("c", [port])]);
    let received = 0;
    let pausedOnce = false;
    await new Promise<void>((resolve) => {
      void Bun.connect({
        hostname: "127.0.0.1",
        port: proxy.port("l"),
        socket: {
          data(socket, chunk) {
            received += chunk.length;
            if (!pausedOnce && received > 1024 * 1024) {
              pausedOnce = true;
              socket.pause();
              setTimeout(() => socket.resume(), 60);
            }
          },
          close: () => resolve(),
        },
      });
    });
    expect(received).toBe(size);
  });

  test("to nowhere is refused, with Envoy's flags", async () => {
    const proxy = await start([tcpListener("refused", "c"), tcpListener("none", "empty")], [cluster("c", [closedPort()]), cluster("empty", [])]);
    expect((await exchange(proxy.port("refused"), "x", { untilClose: true })).raw).toBe("");
    expect((await exchange(proxy.port("none"), "x", { untilClose: true })).raw).toBe("");
    await settle();
    expect(proxy.log[0]).toMatch(/^"- - -" 0 UF,URX - - "delayed_connect_error:_Connection_refused" 0 0 "127\.0\.0\.1:\d+" c$/);
    expect(proxy.log[1]).toBe('"- - -" 0 UH - - "-" 0 0 "-" empty');
  });

  test("that a policy refuses ends at its first byte; a server that speaks first is not heard", async () => {
    const rbac = { name: "rbac", typedConfig: typed("envoy.extensions.filters.network.rbac.v3.RBAC", { statPrefix: "tcp.", rules: {} }) };
    const heard: string[] = [];
    const port = backend({ data: (_socket, chunk) => void heard.push(chunk.toString()) });
    const talker = backend({ open: (socket) => void socket.write("secret") });
    const proxy = await start([tcpListener("l", "c", [rbac]), tcpListener("t", "talker", [rbac])], [cluster("c", [port]), cluster("talker", [talker])]);
    expect((await exchange(proxy.port("l"), "hello", { untilClose: true })).raw).toBe("");
    expect((await exchange(proxy.port("t"), "", { untilClose: true })).raw).toBe("");
    await settle();
    expect(heard).toEqual([]);
    expect(proxy.log[0]).toMatch(/^"- - -" 0 - - rbac_access_denied_matched_policy\[none\] "-" 5 0 "127\.0\.0\.1:\d+" c$/);
    expect(proxy.metric("chainmail_refused_connections_total", { reason: "rbac_access_denied" })).toBe(2);
  });
});

describe("a listener", () => {
  const inspectors = [
    { name: "tls", typedConfig: typed("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector") },
    { name: "http", typedConfig: typed("envoy.extensions.filters.listener.http_inspector.v3.HttpInspector") },
  ];

  test("waits for a first byte no longer than it should, then takes the connection for opaque", async () => {
    const proxy = await start(
      [
        tcpListener("l", "c", [], { listenerFilters: inspectors, listenerFiltersTimeout: "0.05s", continueOnListenerFiltersTimeout: true }),
        tcpListener("strict", "c", [], { listenerFilters: inspectors, listenerFiltersTimeout: "0.05s" }),
      ],
      [cluster("c", [backend({ open: (socket) => void socket.write("220") })])],
    );
    expect((await exchange(proxy.port("l"), "", { waitMs: 200 })).raw).toBe("220");
    expect(await exchange(proxy.port("strict"), "", { waitMs: 500, untilClose: true })).toMatchObject({ raw: "", end: "fin" });
  });

  test("tells HTTP from other protocols", async () => {
    const http = httpListener("x", { routes: [{ match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: "http" } } }] })[
      "filterChains"
    ] as JsonObject[];
    const tcp = tcpListener("y", "c")["filterChains"] as JsonObject[];
    const proxy = await start(
      [
        listener("l", [{ ...http[0], filterChainMatch: { transportProtocol: "raw_buffer", applicationProtocols: ["http/1.1"] } }], {
          defaultFilterChain: tcp[0] as JsonObject,
          listenerFilters: inspectors,
        }),
      ],
      [cluster("c", [backend(echo)])],
    );
    expect((await get(proxy.port("l"), "/", "h")).body).toBe("http");
    expect((await exchange(proxy.port("l"), "hello\n", { waitMs: 80 })).raw).toBe("hello\n");
  });

  test("takes the client's address from a PROXY header", async () => {
    const app = echoServer();
    backends.push(app);
    const proxy = await start(
      [
        httpListener("l", {
          routes: [forward("/", "c")],
          hcm: { useRemoteAddress: true },
          listener: { listenerFilters: [{ name: "pp", typedConfig: typed("envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol") }] },
        }),
      ],
      [cluster("c", [app.port])],
    );
    await exchange(proxy.port("l"), "PROXY TCP4 192.0.2.9 192.0.2.1 5000 80\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(app.seen[0]?.headers).toMatchObject({ "x-forwarded-for": "192.0.2.9", "x-envoy-external-address": "192.0.2.9" });
    expect((await exchange(proxy.port("l"), "GET / HTTP/1.1\r\nHost: h\r\n\r\n", { untilClose: true })).end).toBe("reset");
  });

  test("drains: idle connections end at once, a request under way gets its answer, new ones are not taken", async () => {
    const answer = Promise.withResolvers<() => void>();
    const slow = backend({ data: (socket) => answer.resolve(() => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")) });
    const proxy = await start([httpListener("l", { routes: [forward("/", "c")] })], [cluster("c", [slow])]);
    const port = proxy.port("l");
    const busy = get(port, "/", "h");
    const go = await answer.promise;
    const drained = proxy.dataPlane.drain(2000);
    setTimeout(go, 50);
    expect(await busy).toMatchObject({ status: 200, body: "ok", headers: { connection: "close" } });
    await drained;
    expect((await get(port, "/", "h")).raw).toBe("");
  });

  test("whose chains change keeps connections of chains that did not", async () => {
    const http = (body: string, port: number): JsonObject => ({
      ...(
        httpListener("x", { routes: [{ match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: body } } }] })[
          "filterChains"
        ] as JsonObject[]
      )[0],
      filterChainMatch: { destinationPort: port },
    });
    const originalDst = [{ name: "o", typedConfig: typed("envoy.extensions.filters.listener.original_dst.v3.OriginalDst") }];
    const proxy = await start([listener("l", [http("one", 1), http("two", 2)], { listenerFilters: originalDst })], []);
    const connection = (port: number): Promise<{ ask: () => Promise<string>; closed: () => boolean; end: () => void }> => {
      proxy.sockets.expect({ address: "10.0.0.1", port });
      let waiting: ((text: string) => void) | undefined;
      let gone = false;
      return Bun.connect({
        hostname: "127.0.0.1",
        port: proxy.port("l"),
        socket: { data: (_socket, chunk) => waiting?.(chunk.toString()), close: () => void (gone = true) },
      }).then((socket) => ({
        ask: () => new Promise<string>((resolve) => ((waiting = resolve), socket.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))),
        closed: () => gone,
        end: () => void socket.end(),
      }));
    };
    const first = await connection(1);
    const second = await connection(2);
    expect(await first.ask()).toEndWith("one");
    expect(await second.ask()).toEndWith("two");
    await configure(proxy.dataPlane, { listeners: [listener("l", [http("one", 1), http("changed", 2)], { listenerFilters: originalDst })] });
    // The chain's new configuration answers on the connection that stands.
    expect(await second.ask()).toEndWith("changed");
    await configure(proxy.dataPlane, { listeners: [listener("l", [http("one", 1)], { listenerFilters: originalDst })] });
    await settle();
    expect(second.closed()).toBe(true);
    expect(first.closed()).toBe(false);
    expect(await first.ask()).toEndWith("one");
    first.end();
  });

  test("that cannot be had is refused, and what was there goes on", async () => {
    const good = httpListener("l", { routes: [{ match: { prefix: "/" }, directResponse: { status: 204 } }] });
    const proxy = await start([good], []);
    await expect(
      configure(proxy.dataPlane, {
        listeners: [{ ...good, listenerFilters: [{ name: "zzz", typedConfig: typed("envoy.extensions.filters.http.lua.v3.Lua") }] }],
      }),
    ).rejects.toThrow("Didn't find a registered implementation for 'zzz'");
    await expect(configure(proxy.dataPlane, { clusters: [{ name: "c", type: "STATIC", lbPolicy: "CLUSTER_PROVIDED" }] })).rejects.toThrow(
      "CLUSTER_PROVIDED is not valid",
    );
    expect((await get(proxy.port("l"), "/", "h")).status).toBe(204);
    proxy.dataPlane.removeListener("l");
    expect(proxy.dataPlane.listeners()).toEqual([]);
  });
});
