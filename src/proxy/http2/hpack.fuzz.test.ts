import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { HeaderMap } from "../http/header-map.ts";
import { FUZZ_TIMEOUT_MS, fuzz } from "../test-support/fuzz.ts";
import { MemoryChannel } from "../test-support/memory-channel.ts";
import { Oracle } from "../test-support/oracle.ts";
import { FrameWriter } from "./frame-writer.ts";
import { ConnectionError, Flag, Frame, FRAME_HEADER, PREFACE, unpad } from "./frames.ts";
import { HpackDecoder } from "./hpack-decoder.ts";

/** Header compression against Node's nghttp2: what it writes we read, and what we write it reads. */

const oracle = Oracle.start("hpack-oracle.cjs");
afterAll(() => oracle?.stop());

const name = fc.oneof(
  fc.constantFrom("accept", "cookie-x", "user-agent", "x-request-id", "grpc-timeout", "authorization", "etag"),
  fc.stringMatching(/^x[a-z0-9-]{0,30}$/),
);
const value = fc.oneof(
  fc.constantFrom("", "gzip, deflate", "1", "trailers"),
  fc.stringMatching(/^[!-~]{1,60}$/),
  fc.stringMatching(/^[!-~]$/).map((char) => char.repeat(5000)),
);
const fields = fc.uniqueArray(fc.tuple(name, value), { maxLength: 12, selector: ([key]) => key });

test.skipIf(!oracle)(
  "what nghttp2 writes we read, with its dynamic table, Huffman codes and changes of the table's size",
  async () => {
    const request = fc.record({ tableSize: fc.option(fc.constantFrom(0, 64, 200, 1000, 4096), { nil: undefined }), fields });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 6 }), async (requests) => {
        const headers = requests.map((each): [string, string][] => [
          [":method", "GET"],
          [":scheme", "http"],
          [":path", "/"],
          [":authority", "a"],
          ...each.fields,
        ]);
        const { frames } = await (oracle as Oracle).ask<{ frames: string }>({
          encode: requests.map(({ tableSize }, index) => ({ tableSize, headers: headers[index] })),
        });
        const decoder = new HpackDecoder();
        const read = headerBlocks(Buffer.from(frames, "base64")).map((block) => [...(decoder.decode(block, 0, block.length, 1_000_000) ?? [])]);
        expect(read.map(sorted)).toEqual(headers.map(sorted));
      }),
      fuzz("HPACK of nghttp2", 120, 20_260_802),
    );
  },
  FUZZ_TIMEOUT_MS,
);

test.skipIf(!oracle)(
  "what we write nghttp2 reads",
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fields, { minLength: 1, maxLength: 6 }), async (responses) => {
        const channel = new MemoryChannel();
        const writer = new FrameWriter(channel, { tx_reset: 0, goaway_sent: 0 });
        writer.settings([]);
        responses.forEach((each, index) => writer.fields(2 * index + 1, [[":status", "200"]], HeaderMap.from(each), true));
        writer.flush();
        const answer = await (oracle as Oracle).ask<{ responses: [string, string][][]; error?: string }>({
          decode: Buffer.concat(channel.written).toString("base64"),
        });
        expect(answer.error).toBeUndefined();
        expect(answer.responses).toEqual(responses.map((each) => [[":status", "200"], ...each]));
      }),
      fuzz("HPACK for nghttp2", 120, 20_260_803),
    );
  },
  FUZZ_TIMEOUT_MS,
);

test(
  "a block that is not whole, or was changed, is an error or other fields, and nothing worse",
  () => {
    const real = Buffer.from(
      "828684410a6578616d706c652e636f6d3f01203f21400a637573746f6d2d6b65790c637573746f6d2d76616c7565be408825a849e95ba97d7f8925a849e95bb8e8b4bf",
      "hex",
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(real.length - 1), fc.nat(255)), { maxLength: 4 }), fc.nat(real.length), (changes, length) => {
        const bytes = Buffer.from(real.subarray(0, length));
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        const decoder = new HpackDecoder();
        try {
          // What stands behind the block is not its own.
          const read = decoder.decode(Buffer.concat([bytes, Buffer.alloc(300, 0x61)]), 0, bytes.length, 4096);
          for (const [key, text] of read ?? []) expect(key.length + text.length).toBeLessThan(600);
        } catch (error) {
          if (!(error instanceof ConnectionError)) throw error;
        }
      }),
      fuzz("changed HPACK blocks", 1500, 6),
    );
  },
  FUZZ_TIMEOUT_MS,
);

/** The header blocks in what a client has sent. */
function headerBlocks(bytes: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  for (let at = PREFACE.length; at < bytes.length;) {
    const end = at + FRAME_HEADER + bytes.readUIntBE(at, 3);
    const type = bytes[at + 3] as number;
    let [from, to] = unpad(type === Frame.HEADERS ? (bytes[at + 4] as number) : 0, bytes, at + FRAME_HEADER, end);
    if (type === Frame.HEADERS && (bytes[at + 4] as number) & Flag.PRIORITY) from += 5;
    if (type === Frame.HEADERS) blocks.push(bytes.subarray(from, to));
    else if (type === Frame.CONTINUATION) blocks.push(Buffer.concat([blocks.pop() as Buffer, bytes.subarray(from, to)]));
    at = end;
  }
  return blocks;
}

/** Node sends pseudo-fields in an order of its own. */
function sorted(list: readonly (readonly [string, string])[]): string[] {
  return list.map(([key, text]) => `${key}: ${text}`).sort();
}
