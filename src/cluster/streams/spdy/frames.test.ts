import { expect, test } from "bun:test";
import { constants, createDeflate, createInflate } from "node:zlib";
import fc from "fast-check";
import { SPDY_DICTIONARY } from "./dictionary.ts";
import { encodeFrame, FrameParser, type Frame } from "./frames.ts";
import { formatHeaderBlock, HeaderDecoder, HeaderEncoder, parseHeaderBlock, type HeaderMap } from "./headers.ts";

const id = fc.integer({ min: 1, max: 0x7fffffff });
const bytes = fc.uint8Array({ maxLength: 200 }).map((b) => Buffer.from(b));
const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ type: fc.constant("syn_stream" as const), streamId: id, fin: fc.boolean(), unidirectional: fc.boolean(), block: bytes }),
  fc.record({ type: fc.constantFrom("syn_reply" as const, "headers" as const), streamId: id, fin: fc.boolean(), block: bytes }),
  fc.record({ type: fc.constant("rst_stream" as const), streamId: id, status: fc.nat() }),
  fc.record({ type: fc.constant("settings" as const), entries: fc.array(fc.record({ id: fc.nat(0xffffff), value: fc.nat() }), { maxLength: 4 }) }),
  fc.record({ type: fc.constant("ping" as const), id: fc.nat(0xffffffff) }),
  fc.record({ type: fc.constant("goaway" as const), lastStreamId: id, status: fc.nat(2) }),
  fc.record({ type: fc.constant("window_update" as const), streamId: id, delta: id }),
  fc.record({ type: fc.constant("data" as const), streamId: id, fin: fc.boolean(), data: bytes }),
);

test("frames survive any cut of the byte stream", () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 6 }), fc.array(fc.nat(30), { minLength: 1 }), (frames, cuts) => {
      const wire = Buffer.concat(frames.map(encodeFrame));
      const parser = new FrameParser();
      const got: Frame[] = [];
      for (let offset = 0, i = 0; offset < wire.length; i++) {
        const size = 1 + (cuts[i % cuts.length] ?? 0);
        got.push(...parser.feed(wire.subarray(offset, offset + size)));
        offset += size;
      }
      expect(got).toEqual(frames);
    }),
  );
});

test("garbage never does worse than an error of the protocol", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
      try {
        new FrameParser().feed(garbage);
      } catch (error) {
        expect(error).toMatchObject({ code: "STREAM_PROTOCOL" });
      }
    }),
  );
});

test("a frame over the limit is refused before it is there", () => {
  expect(() => new FrameParser().feed(Buffer.from([0, 0, 0, 1, 0, 0xff, 0xff, 0xff]))).toThrow("limit");
});

test("the dictionary is SPDY/3's, by its checksum", () => {
  let [a, b] = [1, 0];
  for (const byte of SPDY_DICTIONARY) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  expect([SPDY_DICTIONARY.length, ((b << 16) | a) >>> 0]).toEqual([1423, 0xe3c6a7c2]);
});

test("blocks of one direction share a context, compressed by zlib or by us", async () => {
  const blocks: HeaderMap[] = [
    { streamtype: "error", port: "15014", requestid: "0" },
    { streamtype: "data", port: "15014", requestid: "0" },
    {},
    { a: "b".repeat(70_000 / 2) },
  ];
  const deflate = createDeflate({ dictionary: SPDY_DICTIONARY });
  let compressed: Buffer[] = [];
  deflate.on("data", (chunk: Buffer) => compressed.push(chunk));
  const decoder = new HeaderDecoder();
  const ours = new HeaderEncoder();
  const ourDecoder = new HeaderDecoder();
  for (const headers of blocks) {
    compressed = [];
    deflate.write(formatHeaderBlock(headers));
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    expect({ ...(await decoder.decode(Buffer.concat(compressed))) }).toEqual(headers);
    expect({ ...(await ourDecoder.decode(ours.encode(headers))) }).toEqual(headers);
  }
  // What we write needs no knowledge of ours: a plain inflate with the dictionary reads it.
  const inflate = createInflate({ dictionary: SPDY_DICTIONARY });
  const first = new Promise<Buffer>((resolve) => inflate.once("data", resolve));
  inflate.write(new HeaderEncoder().encode({ x: "y" }));
  expect(parseHeaderBlock(await first)).toMatchObject({ x: "y" });
});

test("a compression bomb and a damaged block end the connection, not the process", async () => {
  const deflate = createDeflate({ dictionary: SPDY_DICTIONARY });
  const parts: Buffer[] = [];
  deflate.on("data", (chunk: Buffer) => parts.push(chunk));
  deflate.write(formatHeaderBlock({ bomb: "0".repeat(3_000_000) }));
  await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
  await expect(new HeaderDecoder().decode(Buffer.concat(parts))).rejects.toThrow("limit");
  const decoder = new HeaderDecoder();
  await expect(decoder.decode(Buffer.from("not zlib at all"))).rejects.toThrow("decompressed");
  await expect(decoder.decode(Buffer.from("still not"))).rejects.toThrow("decompressed");
});

test("header blocks that lie about their lengths are refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (garbage) => {
      try {
        parseHeaderBlock(Buffer.from(garbage));
      } catch (error) {
        expect(error).toMatchObject({ code: "STREAM_PROTOCOL" });
      }
    }),
  );
});
