import { afterAll, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { systemClock } from "../../../base/index.ts";
import type { ProbeHandler } from "../../../resources/index.ts";
import { FakeRuntime } from "../testing/fake-runtime.ts";
import { resolvePort, runProbe } from "./handlers.ts";

const closers: (() => void)[] = [];
afterAll(() => closers.forEach((close) => close()));

/** A stream that is no net.Socket, as the runtime's dial hands out. */
function wrapped(port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" }, () => {
      const duplex = new Duplex({
        read: () => socket.resume(),
        write: (chunk: Buffer, _encoding, done) => void socket.write(chunk, () => done()),
        final: (done) => void socket.end(() => done()),
        destroy: (error, done) => {
          socket.destroy();
          done(error);
        },
      });
      socket.on("data", (chunk: Buffer) => duplex.push(chunk));
      socket.on("end", () => duplex.push(null));
      resolve(duplex);
    });
    socket.once("error", reject);
  });
}

class LoopbackRuntime extends FakeRuntime {
  override dial(_from: unknown, _host: string, port: number): Promise<Duplex> {
    return wrapped(port);
  }
}

function probe(handler: ProbeHandler, timeoutMs = 1000, runtime = new LoopbackRuntime()) {
  return runProbe(
    handler,
    {
      runtime,
      clock: systemClock,
      container: { name: "app", ports: [{ name: "web", containerPort: 8080 }] },
      containerId: "u/app/0",
      podIP: "127.0.0.1",
      env: {},
    },
    timeoutMs,
  );
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A raw HTTP/1 server: answers each connection with the text, keeps what it was asked. */
async function rawServer(answer: string): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const port = await listening(
    createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (chunk) => {
        asked.push(chunk.toString());
        if (answer) socket.end(answer);
      });
    }),
  );
  return { port, asked };
}

test("HTTP: 200 to 399 pass, others fail with their code; headers of the probe are sent, and no second request", async () => {
  const results: [string, boolean][] = [
    ["200 OK", true],
    ["302 Found", true],
    ["404 Not Found", false],
    ["503 Busy", false],
  ];
  for (const [line, ok] of results) {
    const { port, asked } = await rawServer(`HTTP/1.1 ${line}\r\nContent-Length: 2\r\n\r\nhi`);
    const result = await probe({
      httpGet: {
        port,
        path: "health?x=1",
        httpHeaders: [
          { name: "X-A", value: "b\r\nX-Evil: 1" },
          { name: "Host", value: "named" },
        ],
      },
    });
    expect(result).toEqual({ ok, message: ok ? "" : `HTTP probe failed with statuscode: ${line.slice(0, 3)}` });
    expect(asked[0]).toBe(
      "GET /health?x=1 HTTP/1.1\r\nUser-Agent: kube-probe/1.33\r\nAccept: */*\r\nX-A: bX-Evil: 1\r\nHost: named\r\nConnection: close\r\n\r\n",
    );
  }
});

test("HTTP: interim answers are skipped; silence, rubbish and an early end fail", async () => {
  const { port } = await rawServer("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
  expect((await probe({ httpGet: { port } })).ok).toBe(true);
  const silent = await rawServer("");
  const quiet = await probe({ httpGet: { port: silent.port } }, 30);
  expect(quiet).toEqual({
    ok: false,
    message: `Get "http://127.0.0.1:${silent.port}/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
  });
  const rubbish = await rawServer("SSH-2.0-x\r\n\r\n");
  expect((await probe({ httpGet: { port: rubbish.port } })).message).toContain("malformed HTTP response");
  const closing = await listening(createServer((socket) => void socket.once("data", () => socket.end())));
  expect((await probe({ httpGet: { port: closing } })).message).toEndWith(": EOF");
});

test("HTTPS does not look at the certificate", async () => {
  const folder = mkdtempSync(join(tmpdir(), "chainmail-probe-"));
  closers.push(() => rmSync(folder, { recursive: true }));
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-subj",
      "/CN=x",
      "-days",
      "1",
      "-keyout",
      join(folder, "key"),
      "-out",
      join(folder, "cert"),
    ],
    { stdio: "ignore" },
  );
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: { key: readFileSync(join(folder, "key"), "utf8"), cert: readFileSync(join(folder, "cert"), "utf8") },
    fetch: () => new Response("ok"),
  });
  closers.push(() => void server.stop(true));
  expect(await probe({ httpGet: { port: server.port ?? 0, scheme: "HTTPS" } })).toEqual({ ok: true, message: "" });
});

test("TCP: connecting is enough", async () => {
  const { port } = await rawServer("");
  expect((await probe({ tcpSocket: { port } })).ok).toBe(true);
  expect((await probe({ tcpSocket: { port: "nosuch" } })).message).toContain("couldn't find port");
});

test("gRPC health", async () => {
  let status = 1;
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    expect(headers[":path"]).toBe("/grpc.health.v1.Health/Check");
    let body = Buffer.alloc(0);
    stream.on("data", (chunk: Buffer) => (body = Buffer.concat([body, chunk])));
    stream.on("end", () => {
      expect(body.toString("latin1")).toBe("\0\0\0\0\x05\n\x03svc");
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 8, status]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  expect(await probe({ grpc: { port, service: "svc" } })).toEqual({ ok: true, message: "" });
  status = 2;
  expect(await probe({ grpc: { port, service: "svc" } })).toEqual({ ok: false, message: 'service unhealthy (responded with "NOT_SERVING")' });
});

test("exec: the exit code decides; too slow fails", async () => {
  const runtime = new LoopbackRuntime();
  runtime.onExec = () => 3;
  expect((await probe({ exec: { command: ["check"] } }, 1000, runtime)).ok).toBe(false);
  runtime.onExec = () => new Promise(() => {});
  expect((await probe({ exec: { command: ["sleep", "9"] } }, 10, runtime)).message).toBe('command timed out: "sleep 9" timed out after 0.01s');
});

test("ports by number, by numeric text, by name", () => {
  const container = { name: "app", ports: [{ name: "web", containerPort: 8080 }] };
  expect([resolvePort(80, container), resolvePort("81", container), resolvePort("web", container)]).toEqual([80, 81, 8080]);
  for (const port of ["none", 0, 70000]) expect(() => resolvePort(port, container)).toThrow("couldn't find port");
});
