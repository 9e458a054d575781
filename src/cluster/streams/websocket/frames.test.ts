import { expect, test } from "bun:test";
import fc from "fast-check";
import { encodeWebSocketFrame, OPCODE, WebSocketParser, type WebSocketEvent } from "./frames.ts";

/** A client's frame: masked. */
function clientFrame(opcode: number, payload: Uint8Array, fin = true, mask = [1, 2, 3, 4]): Buffer {
  const frame = encodeWebSocketFrame(opcode, payload);
  const headerLength = frame.length - payload.length;
  const header = Buffer.from(frame.subarray(0, headerLength));
  if (!fin) header[0] = (header[0] ?? 0) & 0x7f;
  header[1] = (header[1] ?? 0) | 0x80;
  return Buffer.concat([header, Buffer.from(mask), Buffer.from(payload).map((byte, i) => byte ^ (mask[i % 4] ?? 0))]);
}

test("messages survive any fragmentation and any cut of the byte stream", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ binary: fc.boolean(), parts: fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 }) }), { maxLength: 5 }),
      fc.array(fc.nat(40), { minLength: 1 }),
      (messages, cuts) => {
        const bytes = Buffer.concat(
          messages.flatMap(({ binary, parts }) =>
            parts.flatMap((part, i) => [
              clientFrame(i === 0 ? (binary ? OPCODE.binary : OPCODE.text) : OPCODE.continuation, part, i === parts.length - 1),
              // Control frames may come between fragments.
              ...(i === 0 && parts.length > 1 ? [clientFrame(OPCODE.ping, Buffer.from("p"))] : []),
            ]),
          ),
        );
        const parser = new WebSocketParser();
        const events: WebSocketEvent[] = [];
        for (let offset = 0, i = 0; offset < bytes.length; i++) {
          const size = 1 + (cuts[i % cuts.length] ?? 0);
          events.push(...parser.feed(bytes.subarray(offset, offset + size)));
          offset += size;
        }
        const got = events.filter((e) => e.type === "message").map((e) => ({ binary: e.binary, data: e.data.toString("hex") }));
        expect(got).toEqual(messages.map(({ binary, parts }) => ({ binary, data: Buffer.concat(parts).toString("hex") })));
      },
    ),
  );
});

test("lengths of 126 and 65536 and more take their longer forms", () => {
  for (const length of [0, 125, 126, 65535, 65536, 200_000]) {
    const [event] = new WebSocketParser().feed(clientFrame(OPCODE.binary, Buffer.alloc(length, 7)));
    expect(event?.type === "message" && event.data.length).toBe(length);
  }
});

test("what a client must not send is refused", () => {
  const unmasked = encodeWebSocketFrame(OPCODE.binary, Buffer.from("x"));
  const reserved = clientFrame(OPCODE.binary, Buffer.from("x"));
  reserved[0] = (reserved[0] ?? 0) | 0x40;
  const huge = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4]);
  const cases: [string, Buffer][] = [
    ["unmasked", unmasked],
    ["reserved bit", reserved],
    ["reserved opcode", clientFrame(3, Buffer.from("x"))],
    ["fragmented ping", clientFrame(OPCODE.ping, Buffer.from("x"), false)],
    ["long ping", clientFrame(OPCODE.ping, Buffer.alloc(126))],
    ["lone continuation", clientFrame(OPCODE.continuation, Buffer.from("x"))],
    ["message in a message", Buffer.concat([clientFrame(OPCODE.text, Buffer.from("x"), false), clientFrame(OPCODE.text, Buffer.from("y"))])],
    ["too long", huge],
    ["close code of one byte", clientFrame(OPCODE.close, Buffer.from([3]))],
  ];
  for (const [name, bytes] of cases) expect(() => new WebSocketParser().feed(bytes), name).toThrow("WebSocket");
});

test("garbage never does worse than an error of the protocol", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        new WebSocketParser().feed(bytes);
      } catch (error) {
        expect(error).toMatchObject({ code: "STREAM_PROTOCOL" });
      }
    }),
  );
});
