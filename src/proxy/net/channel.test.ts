import { expect, test } from "bun:test";
import type { BunSocket } from "./bun-socket.ts";
import { Channel } from "./channel.ts";

/** A socket whose kernel buffer has so much room; `room` is set anew by hand. */
class NarrowSocket {
  readonly fd = -1;
  room = 0;
  readonly written: Buffer[] = [];
  write(data: Uint8Array, offset = 0, length = data.length - offset): number {
    const taken = Math.min(this.room, length);
    this.room -= taken;
    if (taken > 0) this.written.push(Buffer.from(data.subarray(offset, offset + taken)));
    return taken;
  }
  get text(): string {
    return Buffer.concat(this.written).toString("latin1");
  }
}

function channel(room: number): { socket: NarrowSocket; channel: Channel } {
  const socket = new NarrowSocket();
  socket.room = room;
  return { socket, channel: new Channel(socket as unknown as BunSocket, (error) => expect(error).toBeUndefined()) };
}

test("what the kernel does not take goes out in order when there is room", () => {
  const { socket, channel: c } = channel(10);
  let drained = 0;
  c.handler = { onData: () => true, onEnd() {}, onClose() {}, onDrain: () => void drained++ };
  const large = Buffer.alloc(40_000, "a");
  c.writeText("head\r\n");
  expect(c.write(large)).toBe(false);
  expect(c.write(Buffer.from("xtailx"), 1, 5)).toBe(false);
  expect(c.congested).toBe(true);
  socket.room = 20_000;
  c.socketDrained();
  expect(drained).toBe(0);
  socket.room = 1e6;
  c.socketDrained();
  expect(drained).toBe(1);
  expect(c.congested).toBe(false);
  expect(socket.text).toBe(`head\r\n${"a".repeat(40_000)}tail`);
  expect(c.bytesWritten).toBe(40_010);
});

test("a lent buffer may change at once, also while its bytes wait", () => {
  const { socket, channel: c } = channel(5);
  const lent = Buffer.alloc(30_000, "b");
  c.writeText("head ");
  expect(c.writeLent(lent, 100, 20_100)).toBe(false);
  lent.fill("z");
  socket.room = 1e6;
  c.socketDrained();
  expect(socket.text).toBe(`head ${"b".repeat(20_000)}`);
});

test("a large chunk's memory is given back when nobody keeps it, and only then", () => {
  const { channel: c } = channel(0);
  const chunks = [Buffer.from(new ArrayBuffer(15_000)), Buffer.from(new ArrayBuffer(20_000)), Buffer.from(new ArrayBuffer(20_000))];
  const seen: number[] = [];
  c.handler = { onData: (chunk) => seen.push(chunk.length) < 3, onEnd() {}, onClose() {}, onDrain() {} };
  for (const chunk of chunks) c.socketData(chunk);
  expect(seen).toEqual([15_000, 20_000, 20_000]);
  expect(chunks.map(({ length }) => length)).toEqual([15_000, 0, 20_000]);
  expect(c.bytesRead).toBe(55_000);
});
