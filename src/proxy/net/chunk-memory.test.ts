import { expect, test } from "bun:test";
import { giveBack } from "./chunk-memory.ts";

test("a chunk with memory of its own is empty afterwards", () => {
  const chunk = Buffer.from(new ArrayBuffer(32 * 1024));
  giveBack(chunk);
  expect(chunk.length).toBe(0);
});

test("views of a part and small chunks are left alone", () => {
  const whole = Buffer.from(new ArrayBuffer(64 * 1024));
  const part = whole.subarray(0, 40 * 1024);
  const small = Buffer.from(new ArrayBuffer(1024));
  giveBack(part);
  giveBack(small);
  expect([whole.length, part.length, small.length]).toEqual([64 * 1024, 40 * 1024, 1024]);
});
