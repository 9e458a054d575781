import fc from "fast-check";
import { expect, test } from "bun:test";
import { hpackEncode, type HeaderList } from "./hpack.ts";
import { Http2Connection, type Http2Stream, type StreamHandlers } from "./http2.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

function frame(type: number, flags: number, id: number, payload: Uint8Array | string = ""): Buffer {
  const body = Buffer.from(payload as string);
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, body]);
}

/** A connection whose other end is the test. */
function connection(role: "client" | "server") {
  const sent: { type: number; flags: number; id: number; payload: Buffer }[] = [];
  const events: string[] = [];
  let room = Number.POSITIVE_INFINITY;
  const handlers = (name: string): StreamHandlers => ({
    headers: (headers, end) => void events.push(`${name} headers ${headers.map((pair) => pair.join("=")).join(" ")}${end ? " end" : ""}`),
    data: (chunk, end) => void events.push(`${name} data ${chunk.length}${end ? " end" : ""}`),
    reset: (code) => void events.push(`${name} reset ${code}`),
  });
  let ended = false;
  const sink = {
    write(bytes: Uint8Array): number {
      const taken = Math.min(room, bytes.length);
      room -= taken;
      if (taken === bytes.length && bytes.length >= 9) {
        const buffer = Buffer.from(bytes);
        if (buffer.toString("latin1") !== PREFACE)
          sent.push({ type: buffer[3] ?? 0, flags: buffer[4] ?? 0, id: buffer.readUInt32BE(5), payload: buffer.subarray(9) });
      }
      return taken;
    },
    end: () => void (ended = true),
  };
  const http2 = new Http2Connection(role, sink, {
    closed: (reason) => void events.push(`closed ${reason}`),
    goaway: (code) => void events.push(`goaway ${code}`),
    stream(opened: Http2Stream, headers: HeaderList, end: boolean) {
      events.push(`stream ${opened.id} ${headers.map((pair) => pair.join("=")).join(" ")}${end ? " end" : ""}`);
      return handlers(String(opened.id));
    },
  });
  return { http2, sent, events, handlers, limit: (bytes: number) => void (room = bytes), ended: () => ended };
}

const request = hpackEncode([
  [":method", "POST"],
  [":path", "/a"],
]);
const goawayCode = (sent: { type: number; payload: Buffer }[]): number | undefined => sent.find(({ type }) => type === 7)?.payload.readUInt32BE(4);

test("bytes may be cut anywhere", () => {
  const whole = Buffer.concat([Buffer.from(PREFACE), frame(4, 0, 0), frame(1, 4, 1, request), frame(0, 1, 1, "hello")]);
  for (const size of [1, 2, 7, 64]) {
    const { http2, events } = connection("server");
    for (let at = 0; at < whole.length; at += size) http2.receive(whole.subarray(at, at + size));
    expect(events).toEqual(["stream 1 :method=POST :path=/a", "1 data 5 end"]);
  }
});

test("padding, priority and continuation belong to the headers", () => {
  const { http2, events } = connection("server");
  const padded = Buffer.concat([Buffer.from([2]), Buffer.from([0, 0, 0, 0, 15]), request.subarray(0, 1), Buffer.alloc(2)]);
  http2.receive(Buffer.concat([Buffer.from(PREFACE), frame(1, 8 | 32, 1, padded), frame(9, 4, 1, request.subarray(1))]));
  expect(events).toEqual(["stream 1 :method=POST :path=/a"]);
});

test("sending waits for both windows and for the socket, and goes on", () => {
  const { http2, sent, handlers, limit } = connection("client");
  const stream = http2.open([[":path", "/"]], handlers("s"));
  const dataSent = (): number => sent.filter(({ type }) => type === 0).reduce((total, { payload }) => total + payload.length, 0);
  stream.sendData(new Uint8Array(100_000), true);
  expect(dataSent()).toBe(65_535);
  http2.receive(frame(8, 0, 0, Buffer.from([0, 1, 0, 0])));
  expect(dataSent()).toBe(65_535);
  limit(0);
  http2.receive(frame(8, 0, 1, Buffer.from([0, 1, 0, 0])));
  expect(dataSent()).toBe(65_535);
  limit(Number.POSITIVE_INFINITY);
  http2.drained();
  expect(dataSent()).toBeGreaterThan(65_535);
});

test("the initial window that the peer announces counts for open streams", () => {
  const { http2, sent, handlers } = connection("client");
  http2.receive(frame(4, 0, 0, Buffer.from([0, 4, 0, 0, 0, 10])));
  const stream = http2.open([[":path", "/"]], handlers("s"));
  stream.sendData(new Uint8Array(30));
  expect(sent.at(-1)?.payload.length).toBe(10);
  http2.receive(frame(4, 0, 0, Buffer.from([0, 4, 0, 0, 0, 25])));
  expect(sent.filter(({ type }) => type === 0).map(({ payload }) => payload.length)).toEqual([10, 15]);
});

test.each([
  ["DATA on stream 0", frame(0, 0, 0, "x"), 1],
  ["a frame above the limit", frame(0, 0, 1, new Uint8Array(16_385)), 6],
  ["headers that were interrupted", Buffer.concat([frame(1, 0, 1, request), frame(6, 0, 0, new Uint8Array(8))]), 1],
  ["CONTINUATION without headers", frame(9, 4, 1, request), 1],
  ["a continuation flood", Buffer.concat([frame(1, 0, 1, request), ...Array.from({ length: 20 }, () => frame(9, 0, 1, "x"))]), 11],
  ["padding longer than the frame", frame(1, 8 | 4, 1, Buffer.from([9, 1])), 1],
  ["a bad header block", frame(1, 4, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])), 9],
  ["a bad PING", frame(6, 0, 0, "x"), 6],
  ["a push promise", frame(5, 4, 1, new Uint8Array(4)), 1],
  ["a window above 2^31", Buffer.concat([frame(8, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])), frame(8, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff]))]), 3],
  ["a frame size below the default", frame(4, 0, 0, Buffer.from([0, 5, 0, 0, 0, 0])), 1],
  ["an even stream of a client", frame(1, 4, 2, request), 1],
])("%s ends the connection with its code", (_, bytes, code) => {
  const { http2, sent, events, ended } = connection("server");
  http2.receive(Buffer.concat([Buffer.from(PREFACE), bytes]));
  expect(goawayCode(sent)).toBe(code);
  expect(events.at(-1)).toStartWith("closed HTTP/2 error");
  expect(ended()).toBe(true);
});

test("no preface, no connection", () => {
  const { http2, events } = connection("server");
  http2.receive(Buffer.from("GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
  expect(events).toEqual(["closed HTTP/2 error: no HTTP/2 preface"]);
});

test("GOAWAY stops new streams and lets open ones finish", () => {
  const { http2, events, handlers } = connection("client");
  http2.open([[":path", "/"]], handlers("s"));
  http2.receive(frame(7, 0, 0, Buffer.from([0, 0, 0, 1, 0, 0, 0, 0])));
  expect(http2.usable).toBe(false);
  http2.receive(frame(1, 4, 1, hpackEncode([[":status", "200"]])));
  http2.receive(frame(0, 1, 1, "ok"));
  expect(events).toEqual(["goaway 0", "s headers :status=200", "s data 2 end"]);
});

test("whatever comes, nothing is thrown and memory stays bounded", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ type: fc.nat(11), flags: fc.nat(255), id: fc.constantFrom(0, 1, 2, 3, 5), payload: fc.uint8Array({ maxLength: 64 }) }), {
        maxLength: 30,
      }),
      fc.constantFrom("client" as const, "server" as const),
      (frames, role) => {
        const { http2, handlers } = connection(role);
        if (role === "client") http2.open([[":path", "/"]], handlers("s"));
        else http2.receive(Buffer.from(PREFACE));
        for (const { type, flags, id, payload } of frames) http2.receive(frame(type, flags, id, payload));
        http2.ended("test");
      },
    ),
    { numRuns: 300 },
  );
});
