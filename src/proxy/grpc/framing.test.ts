import { expect, test } from "bun:test";
import fc from "fast-check";
import { FUZZ_TIMEOUT_MS, fuzz } from "../test-support/fuzz.ts";
import { frameMessage, MessageReader } from "./framing.ts";

test(
  "messages come back whole, however their bytes were cut",
  () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 }), fc.array(fc.nat(1500), { maxLength: 8 }), (messages, cuts) => {
        const bytes = Buffer.concat(messages.map(frameMessage));
        const read: Uint8Array[] = [];
        const reader = new MessageReader((message) => void read.push(Buffer.from(message)), 1000);
        let from = 0;
        for (const cut of [...cuts.filter((each) => each < bytes.length).sort((a, b) => a - b), bytes.length]) {
          reader.push(bytes.subarray(from, cut));
          from = cut;
        }
        expect(read.map((each) => Buffer.from(each).toString("hex"))).toEqual(messages.map((each) => Buffer.from(each).toString("hex")));
        expect(reader.partial).toBe(0);
      }),
      fuzz("gRPC messages", 500, 11),
    );
  },
  FUZZ_TIMEOUT_MS,
);

test(
  "no bytes make the reader do anything but wait, deliver or refuse; a large message is refused by its length",
  () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (parts) => {
        const reader = new MessageReader((message) => expect(message.length).toBeLessThanOrEqual(20), 20);
        try {
          for (const part of parts) reader.push(part);
          expect(reader.partial).toBeLessThanOrEqual(25);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      fuzz("bytes for gRPC", 1000, 12),
    );
    const reader = new MessageReader(() => {}, 1_000_000);
    expect(() => reader.push(Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff))).toThrow("more than 1000000");
  },
  FUZZ_TIMEOUT_MS,
);

test("a message in many pieces costs no more than its bytes", () => {
  const reader = new MessageReader((message) => expect(message.length).toBe(1_000_000), 1_000_000);
  const bytes = frameMessage(new Uint8Array(1_000_000));
  const before = performance.now();
  for (let at = 0; at < bytes.length; at += 100) reader.push(bytes.subarray(at, at + 100));
  expect(performance.now() - before).toBeLessThan(1000);
});
