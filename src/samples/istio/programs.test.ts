import type { Socket } from "bun";
import { expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { CheckRequestSchema } from "../../proto/gen/envoy/service/auth/v3/external_auth_pb.ts";
import { decide, described } from "./ext-authz/decision.ts";
import { check } from "./ext-authz/grpc.ts";
import { createHttpCheck } from "./ext-authz/http.ts";
import { createHelloworld } from "./helloworld.ts";
import { nc } from "./nc.ts";
import { tcpEcho } from "./tcp-echo.ts";

const quiet = (): void => {};

test("tcp-echo answers each line, also one that comes in pieces", async () => {
  const { ports, stop } = tcpEcho(["0", "hello"], quiet);
  let received = "";
  const done = Promise.withResolvers<void>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: ports[0] as number,
    socket: {
      data(_socket, chunk) {
        received += chunk.toString();
        if (received.split("\n").length === 4) done.resolve();
      },
    },
  });
  socket.write("one\ntw");
  await Bun.sleep(5);
  socket.write("o\nthree\n");
  await done.promise;
  expect(received).toBe("hello one\nhello two\nhello three\n");
  socket.end();
  stop();
});

test("tcp-echo answers all of what a client sends before it reads", async () => {
  const { ports, stop } = tcpEcho(["0", "hi"], quiet);
  const line = `${"x".repeat(1_000)}\n`;
  const sent = Buffer.from(line.repeat(8_000));
  let received = 0;
  const done = Promise.withResolvers<void>();
  let at = 0;
  const write = (socket: Socket<undefined>): void => {
    while (at < sent.length) {
      const written = socket.write(sent.subarray(at));
      if (written <= 0) break;
      at += written;
    }
    // It only begins to read when nothing more can be sent.
    socket.resume();
  };
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: ports[0] as number,
    socket: {
      drain: write,
      data(_socket, chunk) {
        received += chunk.length;
        if (received === sent.length + 8_000 * "hi ".length) done.resolve();
      },
    },
  });
  socket.pause();
  write(socket);
  await done.promise;
  expect(received).toBe(sent.length + 8_000 * 3);
  socket.end();
  stop();
}, 20_000);

test("ext-authz lets those pass who say so, and its friend", async () => {
  expect([
    decide("allow", undefined, "a"),
    decide("deny", "spiffe://x/ns/n/sa/a", "a"),
    decide(undefined, "spiffe://x/ns/n/sa/a", "a"),
    decide(undefined, undefined, "a"),
  ]).toEqual([true, false, true, false]);
  const http = createHttpCheck(quiet);
  const asked = async (headers: Record<string, string>): Promise<[number, string | null]> => {
    const answer = await http(new Request("http://httpbin/get", { headers }), () => "");
    return [answer.status, answer.headers.get("x-ext-authz-check-result")];
  };
  expect([await asked({ "x-ext-authz": "allow" }), await asked({})]).toEqual([
    [200, "allowed"],
    [403, "denied"],
  ]);
  expect(described("a\r\nb")).toBe("a b");
  expect(described("x".repeat(70_000))).toBe("<too-long>");
});

test("ext-authz over gRPC", () => {
  const asked = (headers: Record<string, string>) =>
    check(create(CheckRequestSchema, { attributes: { request: { http: { host: "h", path: "/p", headers } } } }), "a", quiet);
  expect(asked({ "x-ext-authz": "allow" })).toMatchObject({ status: { code: 0 }, httpResponse: { case: "okResponse" } });
  expect(asked({ "x-ext-authz": "no" })).toMatchObject({
    status: { code: 7 },
    httpResponse: {
      case: "deniedResponse",
      value: { status: { code: 403 }, body: "denied by ext_authz for not found header `x-ext-authz: allow` in the request" },
    },
  });
});

test("helloworld tells its version", async () => {
  const answer = await createHelloworld("v2", "pod-1")(new Request("http://h/hello"), () => "");
  expect(await answer.text()).toBe("Hello version: v2, instance: pod-1\n");
});

test("nc sends what it reads and shows the answer until that ends", async () => {
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: { data: (socket, chunk) => void socket.write(`got ${chunk.toString()}`), end: (socket) => void socket.end() },
  });
  const told: string[] = [];
  const call = (args: string[]): Promise<number> =>
    nc(args, {
      input: (async function* () {
        yield Buffer.from("port 9000\n");
      })(),
      write: (chunk) => void told.push(Buffer.from(chunk).toString()),
      complain: (line) => void told.push(line),
    });
  expect([await call(["127.0.0.1", String(server.port)]), await call(["-zv", "127.0.0.1", String(server.port)])]).toEqual([0, 0]);
  expect(told).toEqual(["got port 9000\n", `127.0.0.1 (127.0.0.1:${server.port}) open`]);
  server.stop(true);
  expect([await call(["127.0.0.1", String(server.port)]), await call(["127.0.0.1"])]).toEqual([1, 1]);
});
