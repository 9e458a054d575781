import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, constants, createServer, type ClientHttp2Session, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import type { JsonObject } from "@bufbuild/protobuf";
import { echoServer, rawServer, type Backend, type Echo } from "./test-support/backends.ts";
import { exchange, get } from "./test-support/http-exchange.ts";
import { cluster, configure, forward, httpListener, typed, type HcmOptions } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

let echo: ReturnType<typeof echoServer>;
let h2: Http2Server;
let h2Port: number;
const backends: Backend[] = [];
const proxies: Sidecar[] = [];
const sessions: ClientHttp2Session[] = [];
/** Connections that the HTTP/2 server has seen. */
let h2Connections = 0;

beforeAll(async () => {
  echo = echoServer();
  backends.push(echo);
  h2 = createServer();
  h2.on("session", () => h2Connections++);
  h2.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const chunks: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      if (headers[":path"] === "/never") return;
      stream.respond(
        {
          ":status": 200,
          "content-type": "application/grpc",
          "x-te": String(headers["te"]),
          "x-scheme": String(headers[":scheme"]),
          "x-authority": String(headers[":authority"]),
        },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "grpc-message": "fine" }));
      stream.end(Buffer.concat(chunks));
    });
  });
  await new Promise<void>((resolve) => h2.listen(0, "127.0.0.1", resolve));
  h2Port = (h2.address() as AddressInfo).port;
});
afterAll(() => {
  for (const session of sessions) session.destroy();
  for (const proxy of proxies) proxy.dataPlane.stop();
  for (const backend of backends) backend.stop();
  h2.close();
});

const HTTP2: JsonObject = {
  typedExtensionProtocolOptions: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
      explicitHttpConfig: { http2ProtocolOptions: {} },
    }),
  },
};

async function start(options: HcmOptions, clusters: readonly JsonObject[] = []): Promise<{ port: number; proxy: Sidecar; session: ClientHttp2Session }> {
  const proxy = new Sidecar({ id: "n" });
  proxies.push(proxy);
  await configure(proxy.dataPlane, {
    clusters: [cluster("echo", [echo.port]), cluster("h2", [h2Port], HTTP2), ...clusters],
    listeners: [httpListener("l", options)],
  });
  const port = proxy.port("l");
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  sessions.push(session);
  return { port, proxy, session };
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  trailers: IncomingHttpHeaders;
  rst: number;
}

function ask(session: ClientHttp2Session, headers: { [name: string]: string | string[] }, body?: string | Buffer, slow = false): Promise<Answer> {
  return new Promise((resolve) => {
    const stream = session.request({ ":path": "/", ...headers }, { endStream: body === undefined });
    const answer: Answer = { status: 0, headers: {}, body: "", trailers: {}, rst: 0 };
    const chunks: Buffer[] = [];
    stream.on("response", (fields) => {
      answer.status = Number(fields[":status"]);
      answer.headers = fields;
    });
    stream.on("trailers", (fields) => void (answer.trailers = fields));
    stream.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      if (!slow) return;
      stream.pause();
      setTimeout(() => stream.resume(), 1);
    });
    stream.on("error", () => {});
    stream.on("close", () => {
      answer.rst = stream.rstCode ?? 0;
      answer.body = Buffer.concat(chunks).toString();
      resolve(answer);
    });
    if (body !== undefined) stream.end(body);
  });
}

describe("HTTP/2 from the client", () => {
  test("to an HTTP/1 server: pseudo-headers, cookies and bodies become HTTP/1's", async () => {
    const { session, proxy } = await start({ routes: [forward("/", "echo")] });
    const answer = await ask(session, { ":method": "POST", ":path": "/a?b", cookie: ["a=1", "b=2"], te: "trailers" }, "hello");
    expect(answer.status).toBe(200);
    expect(answer.headers["server"]).toBe("envoy");
    const seen = JSON.parse(answer.body) as Echo;
    expect(seen).toMatchObject({ method: "POST", path: "/a?b", body: "hello" });
    expect(seen.headers).toMatchObject({ cookie: "a=1; b=2", te: "trailers", "x-forwarded-proto": "http", "transfer-encoding": "chunked" });
    expect(proxy.log.at(-1)).toMatch(/^"POST \/a\?b HTTP\/2" 200 - via_upstream - "-" 5 \d+ /);
  });

  test("to an HTTP/2 server: streams side by side on one connection, trailers at their end", async () => {
    const { session, proxy } = await start({ routes: [forward("/", "h2")] });
    const before = h2Connections;
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        ask(session, { ":method": "POST", ":authority": "svc", te: "trailers", "content-type": "application/grpc" }, `m${index}`),
      ),
    );
    expect(answers.map((each) => each.body)).toEqual(Array.from({ length: 40 }, (_, index) => `m${index}`));
    expect(answers.every((each) => each.trailers["grpc-status"] === "0" && each.headers["x-te"] === "trailers" && each.headers["x-authority"] === "svc")).toBe(
      true,
    );
    expect(h2Connections - before).toBe(1);
    expect(proxy.dataPlane.clusters().find((each) => each.name === "h2")?.hosts[0]?.stats).toMatchObject({ cxTotal: 1, rqTotal: 40, rqActive: 0 });
  });

  test("and HTTP/1 to an HTTP/2 server: trailers are left out", async () => {
    const { port } = await start({ routes: [forward("/", "h2")] });
    const answer = await get(port, "/", "svc");
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({ "x-authority": "svc", "x-scheme": "http", "transfer-encoding": "chunked" });
  });

  test("large bodies both ways, with a slow reader, lose nothing", async () => {
    const { session } = await start({ routes: [forward("/", "h2")] });
    const big = Buffer.alloc(2_500_000, "abcdefg");
    const answer = await ask(session, { ":method": "POST" }, big, true);
    expect(Bun.hash(answer.body)).toBe(Bun.hash(big));
  }, 15_000);

  test("replies of the proxy itself, in HTTP and in gRPC", async () => {
    const { session } = await start({ routes: [forward("/", "nosuch")] });
    expect(await ask(session, {})).toMatchObject({ status: 503, body: "" });
    const grpc = await ask(session, { ":method": "POST", "content-type": "application/grpc" }, "x");
    expect(grpc).toMatchObject({ status: 200, headers: { "grpc-status": "14" } });
  });

  test("a stream that the client gives up is given up upstream", async () => {
    const { session, proxy } = await start({ routes: [forward("/", "h2")] });
    const stream = session.request({ ":path": "/never" });
    stream.on("error", () => {});
    await Bun.sleep(40);
    stream.close(constants.NGHTTP2_CANCEL);
    await Bun.sleep(40);
    expect(proxy.log.at(-1)).toContain("0 DR http2.remote_reset");
    expect(proxy.dataPlane.clusters().find((each) => each.name === "h2")?.hosts[0]?.stats).toMatchObject({ rqActive: 0, cxActive: 1 });
  });

  test("an upstream connection that dies takes its streams along, no others", async () => {
    const dying = rawServer({ data: (socket, chunk) => void (chunk.length > 60 && socket.terminate()) });
    backends.push(dying);
    const { session, proxy } = await start({ routes: [forward("/dead", "d"), forward("/", "h2")] }, [cluster("d", [dying.port], HTTP2)]);
    const [dead, alive] = await Promise.all([ask(session, { ":path": "/dead" }), ask(session, { ":method": "POST" }, "ok")]);
    expect(dead.status).toBe(503);
    expect(alive.body).toBe("ok");
    expect(proxy.log.some((line) => line.includes("503 UC upstream_reset_before_response_started{connection_termination}"))).toBe(true);
  });

  test("a drain says GOAWAY and lets requests end", async () => {
    const { session, proxy } = await start({ routes: [forward("/", "h2")] });
    await ask(session, { ":method": "POST" }, "first");
    const gone = new Promise<number>((resolve) => session.on("goaway", (code: number) => resolve(code)));
    const drained = proxy.dataPlane.drain(3000);
    expect(await gone).toBe(0);
    await drained;
    await Bun.sleep(20);
    expect(session.closed || session.destroyed).toBe(true);
  });
});

describe("a pooled HTTP/1 connection", () => {
  test("is read again after a client that was slower than its server", async () => {
    // The response is whole in the proxy while the client's window is still shut: the connection goes back to the pool.
    const { session } = await start({ routes: [forward("/", "big")] }, [
      cluster("big", [
        (() => {
          const backend = rawServer({ data: (socket) => void socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\n${"x".repeat(70_000)}`) });
          backends.push(backend);
          return backend.port;
        })(),
      ]),
    ]);
    for (let i = 0; i < 4; i++) expect((await ask(session, {}, undefined, true)).body.length).toBe(70_000);
  });
});

test("a head does not wait for its body: HTTP/1 clients of an HTTP/2 server see it at once", async () => {
  const slow = createServer();
  slow.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => {});
    stream.respond({ ":status": 200, "content-type": "text/event-stream" });
  });
  await new Promise<void>((resolve) => slow.listen(0, "127.0.0.1", resolve));
  const { port } = await start({ routes: [forward("/", "slow")] }, [cluster("slow", [(slow.address() as AddressInfo).port], HTTP2)]);
  const { status, headers } = await exchange(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", { waitMs: 300 });
  expect([status, headers["content-type"]]).toEqual([200, "text/event-stream"]);
  slow.close();
});

test("where all connections are full another one is made, as far as the circuit breaker lets it", async () => {
  const server = createServer({ settings: { maxConcurrentStreams: 1 } });
  let sessions = 0;
  const held: ServerHttp2Stream[] = [];
  server.on("session", () => sessions++);
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on("error", () => {});
    if (headers[":path"] === "/hold") held.push(stream);
    else stream.respond({ ":status": 200 }, { endStream: true });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  backends.push({ port: 0, stop: () => void server.close() });
  const limited = { ...HTTP2, circuitBreakers: { thresholds: [{ maxConnections: 3 }] } };
  const { port } = await start({ routes: [forward("/", "narrow")] }, [cluster("narrow", [(server.address() as AddressInfo).port], limited)]);
  expect((await get(port, "/", "a")).status).toBe(200);
  const answers = Array.from({ length: 4 }, () => get(port, "/hold", "a"));
  const until = async (condition: () => boolean): Promise<void> => {
    for (const end = Date.now() + 10_000; !condition() && Date.now() < end;) await Bun.sleep(5);
  };
  await until(() => held.length === 3);
  expect([held.length, sessions]).toEqual([3, 3]);
  for (const stream of held.splice(0)) stream.respond({ ":status": 200 }, { endStream: true });
  await until(() => held.length === 1);
  for (const stream of held) stream.respond({ ":status": 200 }, { endStream: true });
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(sessions).toBe(3);
}, 30_000);
