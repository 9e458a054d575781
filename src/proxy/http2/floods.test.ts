import { describe, expect, test } from "bun:test";
import { FakeClock } from "../../base/index.ts";
import type { RequestSink, ServerHandler, ServerStream } from "../http/codec.ts";
import { HeaderMap } from "../http/header-map.ts";
import { MemoryChannel } from "../test-support/memory-channel.ts";
import { frame, requestFrame } from "../test-support/http2-frames.ts";
import { ErrorCode, Flag, Frame, PREFACE } from "./frames.ts";
import { Http2Stats } from "./http2-stats.ts";
import { sessionOptions } from "./options.ts";
import { Http2Server } from "./server.ts";

const NOTHING = new Uint8Array(0);
const SETTINGS = frame(Frame.SETTINGS, 0, 0, NOTHING);
/** INITIAL_WINDOW_SIZE 0: no byte of a response's body may be sent. */
const ZERO_WINDOW = frame(Frame.SETTINGS, 0, 0, Uint8Array.of(0, 4, 0, 0, 0, 0));

/** A server that answers each request at once, or not at all, with a client that writes frames. */
class Connection {
  readonly stats = new Http2Stats("http2");
  readonly channel = new MemoryChannel();
  readonly clock = new FakeClock();
  readonly streams: ServerStream[] = [];
  readonly server: Http2Server;
  resets = 0;
  abuses = 0;

  constructor(answer: "at once" | "with a body" | "never", timeouts: { headTimeoutMs?: number; flushTimeoutMs?: number } = {}) {
    const handler: ServerHandler = {
      onRequest: (_head, stream): RequestSink => {
        this.streams.push(stream);
        if (answer !== "never") stream.writeHead(200, new HeaderMap(), answer === "at once", false);
        if (answer === "with a body") {
          stream.writeBody(Buffer.alloc(1000), 0, 1000);
          stream.writeEnd(undefined);
        }
        return { onBody: () => true, onRequestEnd() {}, onRequestReset: () => void this.resets++, onWritable() {} };
      },
      onBadRequest() {},
      onHeadTimeout() {},
      onAbuse: () => void this.abuses++,
      onIdle() {},
      onConnectionClosed() {},
    };
    this.server = new Http2Server(this.channel, handler, { ...sessionOptions(undefined), clock: this.clock, stats: this.stats, ...timeouts });
    this.send(PREFACE, SETTINGS);
  }

  send(...frames: Buffer[]): this {
    for (const each of frames) if (!this.channel.closed) this.channel.handler.onData(each);
    return this;
  }

  /** The code of the GOAWAY that ended the connection; undefined while it stands. */
  get ended(): number | undefined {
    if (!this.channel.closed) return undefined;
    const bytes = Buffer.concat(this.channel.written);
    return bytes.readUInt32BE(bytes.length - 4);
  }
}

/** The same frame over and over, and how many the connection stood. */
function flood(connection: Connection, make: (index: number) => Buffer, atMost = 50_000): number {
  for (let i = 0; i < atMost; i++) {
    connection.send(make(i));
    if (connection.channel.closed) return i;
  }
  return atMost;
}

describe("a client that floods is let go", () => {
  const CASES: { name: string; frames: (index: number) => Buffer; stands: number; counted?: string; prepare?: (connection: Connection) => void }[] = [
    {
      name: "PRIORITY without requests",
      frames: () => frame(Frame.PRIORITY, 0, 1, Uint8Array.of(0, 0, 0, 3, 9)),
      stands: 100,
      counted: "inbound_priority_frames_flood",
    },
    {
      name: "WINDOW_UPDATE without data",
      frames: () => frame(Frame.WINDOW_UPDATE, 0, 0, Uint8Array.of(0, 0, 0, 1)),
      stands: 5,
      counted: "inbound_window_update_frames_flood",
    },
    {
      name: "empty DATA",
      frames: () => frame(Frame.DATA, 0, 1, NOTHING),
      stands: 1,
      counted: "inbound_empty_frames_flood",
      prepare: (connection) => connection.send(requestFrame(1, false)),
    },
    {
      name: "empty DATA in padding",
      frames: () => frame(Frame.DATA, Flag.PADDED, 1, Uint8Array.of(4, 0, 0, 0, 0)),
      stands: 1,
      counted: "inbound_empty_frames_flood",
      prepare: (connection) => connection.send(requestFrame(1, false)),
    },
    {
      name: "CONTINUATION",
      frames: () => frame(Frame.CONTINUATION, 0, 1, Uint8Array.of(0)),
      stands: 7,
      prepare: (connection) => connection.send(frame(Frame.HEADERS, 0, 1, Uint8Array.of(0x82))),
    },
  ];
  for (const { name, frames, stands, counted, prepare } of CASES) {
    test(name, () => {
      const connection = new Connection("never");
      prepare?.(connection);
      expect(flood(connection, frames)).toBe(stands);
      expect(connection.ended).toBe(ErrorCode.ENHANCE_YOUR_CALM);
      const floods = [...connection.stats.read()].filter(([stat, , value]) => stat.endsWith("_flood") && value > 0);
      expect(floods).toEqual(counted ? [[counted, "counter", 1]] : []);
      expect(connection.stats.goaway_sent).toBe(1);
    });
  }

  test("more settings in a frame than there are", () => {
    expect(new Connection("never").send(frame(Frame.SETTINGS, 0, 0, Buffer.alloc(33 * 6, Buffer.from([0, 4, 0, 0, 1, 0])))).ended).toBe(
      ErrorCode.ENHANCE_YOUR_CALM,
    );
  });

  test("PING and SETTINGS, whose answers it does not read", async () => {
    for (const ask of [frame(Frame.PING, 0, 0, Buffer.alloc(8)), SETTINGS]) {
      const connection = new Connection("never");
      await Promise.resolve();
      connection.channel.peerReads(false);
      connection.send(ask);
      await Promise.resolve();
      expect(flood(connection, () => ask)).toBe(1000);
      expect(connection.channel.closed).toBe(true);
      expect(connection.stats.outbound_control_flood).toBe(1);
    }
  });

  test("requests, whose answers it does not read", async () => {
    const connection = new Connection("at once");
    await Promise.resolve();
    connection.channel.peerReads(false);
    connection.send(requestFrame(1));
    await Promise.resolve();
    expect(flood(connection, (index) => requestFrame(2 * index + 3))).toBe(10_000);
  });

  test("requests above the streams that it may have, whose refusal it does not read", async () => {
    const connection = new Connection("never");
    for (let id = 1; id <= 2047; id += 2) connection.send(requestFrame(id));
    expect(connection.server.session.streams.size).toBe(1024);
    await Promise.resolve();
    connection.channel.peerReads(false);
    connection.send(requestFrame(2049));
    await Promise.resolve();
    expect(flood(connection, (index) => requestFrame(2 * index + 2051))).toBe(1000);
    expect(connection.resets).toBe(1024);
  });
});

describe("rapid resets (CVE-2023-44487)", () => {
  const reset = (id: number): Buffer => frame(Frame.RST_STREAM, 0, id, Uint8Array.of(0, 0, 0, 8));
  const pair = (index: number): Buffer => Buffer.concat([requestFrame(2 * index + 1), reset(2 * index + 1)]);

  test("end the connection, as soon as good streams could not make up for them", () => {
    const connection = new Connection("never");
    expect(flood(connection, pair)).toBe(249);
    expect(connection.ended).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    expect(connection.abuses).toBe(1);
    expect(connection.server.session.streams.size).toBe(0);
  });

  test("of streams that were open for a while, or were answered, are none", () => {
    const slow = new Connection("never");
    for (let i = 0; i < 600; i++) {
      slow.send(requestFrame(2 * i + 1));
      slow.clock.advance(1000);
      slow.send(reset(2 * i + 1));
    }
    expect(slow.ended).toBeUndefined();
    const answered = new Connection("at once");
    expect(flood(answered, pair, 2000)).toBe(2000);
  });

  test("by a client that mostly waits for its answers are let be", () => {
    const connection = new Connection("never");
    for (let i = 0; i < 3000; i++) {
      connection.send(requestFrame(2 * i + 1));
      if (i % 3 === 0) connection.send(reset(2 * i + 1));
      else connection.streams.at(-1)?.writeHead(200, new HeaderMap(), true, false);
    }
    expect(connection.ended).toBeUndefined();
  });
});

describe("heads beyond the limits end their stream only", () => {
  test("too many fields", () => {
    const fields = (count: number): Buffer => Buffer.concat(Array.from({ length: count }, () => Buffer.from("\x00\x01x\x01y", "latin1")));
    const connection = new Connection("never").send(requestFrame(1, true, fields(96)), requestFrame(3, true, fields(97)));
    expect(connection.streams.length).toBe(1);
    expect(connection.ended).toBeUndefined();
  });

  test("a bomb: little on the wire, much in the table's copies", () => {
    const name = Buffer.from(`\x40\x01x\x7f${String.fromCharCode(0x80 + ((3000 - 127) & 0x7f), (3000 - 127) >> 7)}${"v".repeat(3000)}`, "latin1");
    const bomb = requestFrame(1, true, Buffer.concat([name, Buffer.alloc(10_000, 0xbe)]));
    const connection = new Connection("never").send(bomb, requestFrame(3, true, Buffer.from([0xbe])));
    expect(connection.streams.length).toBe(1);
    expect(connection.ended).toBeUndefined();
  });
});

describe("windows", () => {
  test("beyond 2^31-1 are an error of the stream, or of the connection", () => {
    const huge = Uint8Array.of(0x7f, 0xff, 0xff, 0xff);
    const stream = new Connection("never").send(requestFrame(1), frame(Frame.WINDOW_UPDATE, 0, 1, huge));
    expect(stream.resets).toBe(1);
    expect(stream.ended).toBeUndefined();
    expect(new Connection("never").send(frame(Frame.WINDOW_UPDATE, 0, 0, huge)).ended).toBe(ErrorCode.FLOW_CONTROL_ERROR);
    const wide = new Connection("never").send(requestFrame(1), frame(Frame.WINDOW_UPDATE, 0, 1, Uint8Array.of(0, 0, 0, 9)));
    expect(wide.send(frame(Frame.SETTINGS, 0, 0, Uint8Array.of(0, 4, 0x7f, 0xff, 0xff, 0xff))).ended).toBe(ErrorCode.FLOW_CONTROL_ERROR);
  });

  test("that a client sends more into than it was given end its connection", () => {
    const connection = new Connection("never").send(requestFrame(1, false));
    // The stream's window is 256 KiB; nothing is read of it, so none is given back.
    connection.streams[0]?.pauseRequest();
    expect(flood(connection, () => frame(Frame.DATA, 0, 1, Buffer.alloc(16_384)), 17)).toBe(17);
    expect(connection.resets).toBe(1);
  });

  test("that stay shut hold a finished answer for as long as Envoy's flush time-out", () => {
    const connection = new Connection("with a body", { flushTimeoutMs: 5000 }).send(ZERO_WINDOW, requestFrame(1));
    const { session } = connection.server;
    connection.server.tick(1000);
    connection.server.tick(5900);
    expect(session.streams.size).toBe(1);
    // Some of it was let through: the time begins anew.
    connection.send(frame(Frame.WINDOW_UPDATE, 0, 1, Uint8Array.of(0, 0, 0, 1)));
    connection.server.tick(6100);
    connection.server.tick(11_000);
    expect(session.streams.size).toBe(1);
    connection.server.tick(11_200);
    expect(session.streams.size).toBe(0);
    expect(connection.ended).toBeUndefined();
  });
});

test("a header block that does not come to its end is waited for as long as a head of HTTP/1", () => {
  const connection = new Connection("never", { headTimeoutMs: 3000 }).send(frame(Frame.HEADERS, 0, 1, Uint8Array.of(0x82)));
  connection.server.tick(1);
  connection.server.tick(3001);
  expect(connection.ended).toBeUndefined();
  connection.server.tick(3002);
  expect(connection.ended).toBe(ErrorCode.ENHANCE_YOUR_CALM);
});
