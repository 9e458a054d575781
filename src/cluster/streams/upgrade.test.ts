import { expect, test } from "bun:test";
import type { Duplex } from "node:stream";
import { Collector, duplexPair, eventually, fakeProcess, maskedFrame, SpdyClient, upgradeRequest, WEBSOCKET_HEADERS } from "./testing.ts";
import { handleExecUpgrade, handlePortForwardUpgrade } from "./upgrade.ts";
import { OPCODE } from "./websocket/frames.ts";

const EXEC = { command: ["sh", "-c", "x"], stdin: true, stdout: true, stderr: true, tty: false };
const v5 = { ...WEBSOCKET_HEADERS, "sec-websocket-protocol": "v5.channel.k8s.io" };

/** Payloads of the server's (short) binary frames and its close code. */
function serverFrames(bytes: Buffer): { messages: string[]; close: number | undefined } {
  const messages: string[] = [];
  let close: number | undefined;
  for (let at = bytes.indexOf("\r\n\r\n") + 4; at < bytes.length;) {
    const long = bytes[at + 1] === 126;
    const length = long ? bytes.readUInt16BE(at + 2) : (bytes[at + 1] ?? 0);
    const start = at + (long ? 4 : 2);
    const payload = bytes.subarray(start, start + length);
    if (((bytes[at] ?? 0) & 15) === OPCODE.close) close = payload.readUInt16BE(0);
    else messages.push(`${payload[0]}:${payload.toString("utf8", 1)}`);
    at = start + length;
  }
  return { messages, close };
}

test("exec by WebSocket v5: streams, half-close, resize, status, close 1000", async () => {
  const [client, server] = duplexPair();
  const collector = new Collector(client);
  const fake = fakeProcess();
  const done = handleExecUpgrade(upgradeRequest(v5), server, new Uint8Array(), { ...EXEC, exec: async () => fake.process });
  const head = (await collector.until((b) => b.includes("\r\n\r\n"))).toString();
  expect(head).toStartWith("HTTP/1.1 101 Switching Protocols\r\n");
  // The example of RFC 6455.
  expect(head).toContain("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
  expect(head).toContain("Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n");
  client.write(maskedFrame(OPCODE.binary, Buffer.from("\x00in")));
  client.write(maskedFrame(OPCODE.binary, Buffer.from('\x04{"Width":120,"Height":40}')));
  client.write(maskedFrame(OPCODE.binary, Buffer.from([255, 0])));
  client.write(maskedFrame(OPCODE.binary, Buffer.from([1])));
  await eventually(() => fake.seen.stdinEnded);
  expect(fake.seen).toMatchObject({ stdin: "in", sizes: ["120x40"] });
  fake.out("out");
  fake.err("err");
  fake.exit(7);
  await done;
  const { messages, close } = serverFrames(await collector.until((b) => b.includes("ExitCode")));
  expect(messages.slice(0, 2).sort()).toEqual(["1:out", "2:err"]);
  expect(JSON.parse(messages[2]?.slice(2) ?? "")).toMatchObject({
    status: "Failure",
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: "7" }] },
  });
  expect(close).toBe(1000);
  expect(fake.seen.killed).toBe(false);
});

test("a client that goes away ends its process; one that breaks the protocol too", async () => {
  for (const act of [(client: Duplex) => void client.destroy(), (client: Duplex) => void client.write(Buffer.from([0xff, 0xff, 0xff]))]) {
    const [client, server] = duplexPair();
    new Collector(client);
    const fake = fakeProcess();
    const done = handleExecUpgrade(upgradeRequest(v5), server, new Uint8Array(), { ...EXEC, exec: async () => fake.process });
    await new Promise((resolve) => setTimeout(resolve, 2));
    act(client);
    await done;
    expect(fake.seen.killed).toBe(true);
  }
});

test("nothing is written when the request or the exec is refused", async () => {
  const refused: [Record<string, string>, string][] = [
    [{ ...WEBSOCKET_HEADERS, "sec-websocket-protocol": "chat" }, "subprotocols"],
    [{ ...v5, "sec-websocket-key": "short" }, "not a WebSocket request"],
    [{ upgrade: "SPDY/3.1", "x-stream-protocol-version": "v9" }, "negotiate"],
    [{ upgrade: "h2c" }, "Upgrade header"],
  ];
  for (const [headers, text] of refused) {
    const [client, server] = duplexPair();
    const collector = new Collector(client);
    let executed = false;
    const attempt = handleExecUpgrade(upgradeRequest(headers), server, new Uint8Array(), {
      ...EXEC,
      exec: async () => ((executed = true), fakeProcess().process),
    });
    await expect(attempt).rejects.toThrow(text);
    expect([executed, collector.bytes.length]).toEqual([false, 0]);
  }
  const [client, server] = duplexPair();
  const collector = new Collector(client);
  await expect(
    handleExecUpgrade(upgradeRequest(v5), server, new Uint8Array(), { ...EXEC, exec: () => Promise.reject(new Error("no such container")) }),
  ).rejects.toThrow("no such container");
  expect(collector.bytes.length).toBe(0);
});

test("exec by SPDY v4: one stream a purpose, status on the error stream", async () => {
  const [client, server] = duplexPair();
  const head = new Promise<string>((resolve) => client.once("data", (chunk: Buffer) => resolve(chunk.toString())));
  const fake = fakeProcess();
  const done = handleExecUpgrade(
    upgradeRequest({ upgrade: "SPDY/3.1", "x-stream-protocol-version": "v5.channel.k8s.io, v4.channel.k8s.io" }, "POST"),
    server,
    new Uint8Array(),
    { ...EXEC, exec: async () => fake.process },
  );
  expect(await head).toContain("X-Stream-Protocol-Version: v4.channel.k8s.io\r\n");
  const spdy = new SpdyClient(client);
  const ids: Record<string, number> = {};
  for (const type of ["error", "stdin", "stdout", "stderr"]) ids[type] = await spdy.open({ streamtype: type });
  await eventually(() => spdy.frames.filter((f) => f.type === "syn_reply").length === 4);
  spdy.data(ids["stdin"] ?? 0, "typed", true);
  await eventually(() => fake.seen.stdinEnded);
  expect(fake.seen.stdin).toBe("typed");
  fake.out("out");
  fake.err("err");
  fake.exit(0);
  await done;
  await eventually(() => spdy.has((f) => f.type === "goaway"));
  expect([spdy.received(ids["stdout"] ?? 0), spdy.received(ids["stderr"] ?? 0)]).toEqual(["out", "err"]);
  expect(JSON.parse(spdy.received(ids["error"] ?? 0))).toMatchObject({ status: "Success" });
  expect(fake.seen.killed).toBe(false);
});

/** A port-forward session by SPDY; the test holds the far end of each connection. */
async function portForward(dial: (port: number) => Promise<Duplex>) {
  const [client, server] = duplexPair();
  const head = new Promise<void>((resolve) => client.once("data", () => resolve()));
  const done = handlePortForwardUpgrade(
    upgradeRequest({ upgrade: "SPDY/3.1", "x-stream-protocol-version": "portforward.k8s.io" }, "POST"),
    server,
    new Uint8Array(),
    { dial },
  );
  await head;
  const spdy = new SpdyClient(client);
  const connect = async (port: string, requestid: string) => {
    const error = await spdy.open({ streamtype: "error", port, requestid });
    spdy.data(error, "", true);
    return { error, data: await spdy.open({ streamtype: "data", port, requestid }) };
  };
  return { client, spdy, connect, done };
}

test("port-forward: bytes both ways, ends pass through, pings are answered", async () => {
  const [near, far] = duplexPair();
  const ports: number[] = [];
  const { client, spdy, connect, done } = await portForward(async (port) => (ports.push(port), near));
  const { data } = await connect("8080", "0");
  spdy.data(data, "GET /");
  const collector = new Collector(far);
  await collector.until((b) => b.toString() === "GET /");
  expect(ports).toEqual([8080]);
  far.write("answer");
  await eventually(() => spdy.received(data) === "answer");
  spdy.send({ type: "ping", id: 1 });
  await eventually(() => spdy.has((f) => f.type === "ping" && f.id === 1));
  spdy.data(data, "", true);
  await eventually(() => collector.ended);
  far.end();
  await eventually(() => spdy.has((f) => f.type === "data" && f.streamId === data && f.fin));
  client.destroy();
  await done;
});

test("a port that cannot be reached is told on the error stream", async () => {
  const { client, spdy, connect, done } = await portForward(() => Promise.reject(new Error("connect: connection refused")));
  const { error } = await connect("1", "0");
  await eventually(() => spdy.received(error) !== "");
  expect(spdy.received(error)).toBe("error forwarding port 1: connect: connection refused");
  client.destroy();
  await done;
});

test("the windows of a peer that keeps them are honoured", async () => {
  const [near, far] = duplexPair();
  const { client, spdy, connect, done } = await portForward(async () => near);
  spdy.send({ type: "settings", entries: [{ id: 7, value: 1000 }] });
  const { data } = await connect("80", "0");
  far.write(Buffer.alloc(5000, 97));
  await eventually(() => spdy.received(data).length >= 1000);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(spdy.received(data).length).toBe(1000);
  spdy.send({ type: "window_update", streamId: data, delta: 100_000 });
  await eventually(() => spdy.received(data).length === 5000);
  client.destroy();
  await done;
});

test("streams that make no sense are reset or end the session, without harm to the process", async () => {
  const { client, spdy, done } = await portForward(() => Promise.reject(new Error("unused")));
  const bad = await spdy.open({ streamtype: "data", port: "99999", requestid: "0" });
  await eventually(() => spdy.has((f) => f.type === "rst_stream" && f.streamId === bad));
  client.write(Buffer.from("GET / HTTP/1.1\r\n\r\n"));
  client.write(Buffer.from([0x80, 0x02, 0, 1, 0, 0, 0, 0]));
  await done;
  await eventually(() => spdy.has((f) => f.type === "goaway" && f.status === 1));
});

test("port-forward by channels of a WebSocket: data and error of each port, begun by its number", async () => {
  const [client, server] = duplexPair();
  const collector = new Collector(client);
  const [near, far] = duplexPair();
  const request = upgradeRequest({ ...WEBSOCKET_HEADERS, "sec-websocket-protocol": "v4.channel.k8s.io" });
  request.url = "/api/v1/namespaces/a/pods/b/portforward?ports=9090&ports=1";
  const done = handlePortForwardUpgrade(request, server, new Uint8Array(), {
    dial: (port) => (port === 9090 ? Promise.resolve(near) : Promise.reject(new Error("connection refused"))),
  });
  const message = (channel: number, data: string | number[]) => Buffer.concat([Buffer.of(0x82, data.length + 1, channel), Buffer.from(data as string)]);
  for (const expected of [
    message(0, [0x82, 0x23]),
    message(1, [0x82, 0x23]),
    message(2, [1, 0]),
    message(3, [1, 0]),
    message(3, "error forwarding port 1: connection refused"),
  ])
    await collector.until((bytes) => bytes.includes(expected));
  client.write(maskedFrame(OPCODE.binary, Buffer.from("\0GET /")));
  client.write(maskedFrame(OPCODE.binary, Buffer.from("\x09nobody's")));
  await new Collector(far).until((bytes) => bytes.toString() === "GET /");
  far.write("answer");
  await collector.until((bytes) => bytes.includes(message(0, "answer")));
  // The last of its ports: the WebSocket is closed with 1000.
  far.end();
  await collector.until((bytes) => bytes.includes(Buffer.of(0x88, 2, 0x03, 0xe8)));
  client.destroy();
  await done;
  for (const ports of ["", "?ports=x", "?ports=0", "?ports=70000"]) {
    const wrong = Object.assign(upgradeRequest({ ...WEBSOCKET_HEADERS, "sec-websocket-protocol": "v4.channel.k8s.io" }), { url: `/portforward${ports}` });
    await expect(handlePortForwardUpgrade(wrong, duplexPair()[0], new Uint8Array(), { dial: () => Promise.reject(new Error()) })).rejects.toThrow(
      /ports|as a port/,
    );
  }
});

test("port-forward inside a WebSocket: message borders mean nothing", async () => {
  const [client, server] = duplexPair();
  const collector = new Collector(client);
  const [near, far] = duplexPair();
  const headers = { ...WEBSOCKET_HEADERS, "sec-websocket-protocol": "SPDY/3.1+portforward.k8s.io" };
  const done = handlePortForwardUpgrade(upgradeRequest(headers), server, new Uint8Array(), { dial: async () => near });
  await collector.until((b) => b.includes("\r\n\r\n"));
  // What the SPDY client writes goes out a byte a message, with empty ones between.
  const [inner, outer] = duplexPair();
  outer.on("data", (chunk: Buffer) => {
    for (const byte of chunk) client.write(Buffer.concat([maskedFrame(OPCODE.binary, Buffer.from([byte])), maskedFrame(OPCODE.binary, Buffer.alloc(0))]));
  });
  const spdy = new SpdyClient(inner);
  await spdy.open({ streamtype: "error", port: "80", requestid: "0" }, true);
  const data = await spdy.open({ streamtype: "data", port: "80", requestid: "0" });
  spdy.data(data, "hello");
  await new Collector(far).until((b) => b.toString() === "hello");
  far.write("world");
  await collector.until((b) => b.includes("world"));
  client.destroy();
  await done;
});
