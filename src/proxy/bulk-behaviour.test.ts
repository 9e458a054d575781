import { afterAll, describe, expect, test } from "bun:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { createServer, request, type IncomingMessage } from "node:http";
import { createServer as createTcpServer, connect, type AddressInfo, type Server } from "node:net";
import type { Readable, Writable } from "node:stream";
import { cluster, configure, forward, httpListener, tcpListener } from "./test-support/plain-config.ts";
import { Sidecar } from "./test-support/sidecar.ts";

/** Large bodies arrive as they were sent: their memory is given back on the way, and none of it too early. */

const SIZE = 12 * 1024 * 1024;
/** Each byte depends on where it is, with a period that no buffer's size divides. */
const BODY = Buffer.alloc(SIZE);
for (let i = 0; i < SIZE; i++) BODY[i] = (i * 31 + (i >> 11) * 7 + (i >> 19)) & 255;
const DIGEST = new Bun.CryptoHasher("sha256").update(BODY).digest("hex");

const servers: Server[] = [];
const proxies: Sidecar[] = [];
afterAll(() => {
  for (const proxy of proxies) proxy.dataPlane.stop();
  for (const server of servers) server.close();
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function start(listeners: readonly JsonObject[], clusters: readonly JsonObject[]): Promise<Sidecar> {
  const proxy = new Sidecar({ id: "n" });
  proxies.push(proxy);
  await configure(proxy.dataPlane, { clusters, listeners });
  return proxy;
}

/** Sends the body in pieces of so many bytes, as fast as they are taken. */
async function send(to: Writable, piece: number): Promise<void> {
  for (let at = 0; at < SIZE; at += piece) {
    if (!to.write(BODY.subarray(at, at + piece))) await new Promise((resolve) => to.once("drain", resolve));
  }
  to.end();
}

/** The digest of all that comes; a slow reader stops for a moment after each megabyte. */
async function digest(from: Readable, slow: boolean): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  let since = 0;
  for await (const chunk of from as AsyncIterable<Buffer>) {
    hash.update(chunk);
    since += chunk.length;
    if (!slow || since < 1024 * 1024) continue;
    since = 0;
    await Bun.sleep(5);
  }
  return hash.digest("hex");
}

function ask(port: number, method: string, headers: { [name: string]: string }, body?: (to: Writable) => unknown): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: "127.0.0.1", port, method, path: "/", headers, agent: false }, resolve);
    asking.once("error", reject);
    if (body) body(asking);
    else asking.end();
  });
}

/** Answers a GET with the body, in pieces and framed as the request says; anything else with the digest of what it was sent. */
const http = await listening(
  createServer((asked, answer) => {
    const { "x-piece": piece = "65536", "x-framing": framing } = asked.headers as { [name: string]: string };
    if (asked.method === "GET") {
      if (framing === "length") answer.setHeader("content-length", SIZE);
      void send(answer, Number(piece));
    } else void digest(asked, framing === "slow").then((found) => answer.end(found));
  }) as unknown as Server,
);

const proxied = await start(
  [
    httpListener("plain", { routes: [forward("/", "http")] }),
    httpListener("again", { routes: [forward("/", "http", { retryPolicy: { retryOn: "5xx", numRetries: 1 } })] }),
    httpListener("mirrored", { routes: [forward("/", "http", { requestMirrorPolicies: [{ cluster: "mirror" }] })] }),
  ],
  [cluster("http", [http]), cluster("mirror", [http])],
);

describe("a large response", () => {
  for (const framing of ["length", "chunked"]) {
    for (const piece of ["1000", "70000", "600000"]) {
      for (const reader of ["quick", "slow"]) {
        test(`framed by ${framing}, written ${piece} bytes at a time, for a ${reader} reader`, async () => {
          const answer = await ask(proxied.port("plain"), "GET", { "x-framing": framing, "x-piece": piece });
          expect(await digest(answer, reader === "slow")).toBe(DIGEST);
          expect(answer.headers["transfer-encoding"]).toBe(framing === "chunked" ? "chunked" : undefined);
        });
      }
    }
  }
});

describe("a large request", () => {
  for (const listener of ["plain", "again", "mirrored"]) {
    for (const framing of ["length", "chunked", "slow"]) {
      test(`by listener ${listener}, ${framing === "slow" ? "for a slow server" : `framed by ${framing}`}`, async () => {
        const answer = await ask(
          proxied.port(listener),
          "POST",
          { ...(framing === "length" && { "content-length": String(SIZE) }), "x-framing": framing },
          (to) => send(to, 150_000),
        );
        expect(await new Response(answer as unknown as ReadableStream).text()).toBe(DIGEST);
      });
    }
  }
});

describe("a request of some chunks, small enough to be kept,", () => {
  const kept = BODY.subarray(0, 700_000);
  const wanted = new Bun.CryptoHasher("sha256").update(kept).digest("hex");

  test("is whole in its second try", async () => {
    const port = await listening(
      createServer((asked, answer) => {
        void digest(asked, false).then((found) => {
          answer.statusCode = asked.headers["x-envoy-attempt-count"] === "1" ? 503 : 200;
          answer.end(found);
        });
      }) as unknown as Server,
    );
    const routes = [forward("/", "c", { retryPolicy: { retryOn: "5xx", numRetries: 1 } })];
    const proxy = await start(
      [httpListener("l", { virtualHosts: [{ name: "v", domains: ["*"], includeRequestAttemptCount: true, routes }] })],
      [cluster("c", [port])],
    );
    const answer = await ask(proxy.port("l"), "POST", { "content-length": String(kept.length) }, (to) => to.end(kept));
    expect({ status: answer.statusCode, digest: await new Response(answer as unknown as ReadableStream).text() }).toEqual({ status: 200, digest: wanted });
  });

  test("is whole where it is mirrored", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const port = await listening(
      createServer((asked, answer) => {
        void digest(asked, false).then(resolve);
        answer.end();
      }) as unknown as Server,
    );
    const proxy = await start(
      [httpListener("l", { routes: [forward("/", "http", { requestMirrorPolicies: [{ cluster: "mirror" }] })] })],
      [cluster("http", [http]), cluster("mirror", [port])],
    );
    const answer = await ask(proxy.port("l"), "POST", { "content-length": String(kept.length) }, (to) => to.end(kept));
    expect(await new Response(answer as unknown as ReadableStream).text()).toBe(wanted);
    expect(await promise).toBe(wanted);
  });
});

test("relayed bytes come back as they went, both directions at once", async () => {
  const port = await listening(createTcpServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket)));
  const relay = await start([tcpListener("l", "c")], [cluster("c", [port])]);
  const socket = connect({ host: "127.0.0.1", port: relay.port("l"), allowHalfOpen: true });
  const [found] = await Promise.all([digest(socket, true), send(socket, 200_000)]);
  expect(found).toBe(DIGEST);
});
