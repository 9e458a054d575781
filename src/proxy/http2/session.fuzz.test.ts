import { expect, test } from "bun:test";
import fc from "fast-check";
import { FakeClock } from "../../base/index.ts";
import type { ServerHandler } from "../http/codec.ts";
import { HeaderMap } from "../http/header-map.ts";
import { FUZZ_TIMEOUT_MS, fuzz } from "../test-support/fuzz.ts";
import { frame } from "../test-support/http2-frames.ts";
import { MemoryChannel } from "../test-support/memory-channel.ts";
import { PREFACE } from "./frames.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { fieldBound, writeField } from "./hpack-encoder.ts";
import { sessionOptions } from "./options.ts";
import { Http2Server } from "./server.ts";

const anyFrame = fc
  .tuple(fc.nat(10), fc.constantFrom(0, 1, 4, 5, 8, 0x20, 0x2d, 0xff), fc.nat(7), fc.uint8Array({ maxLength: 40 }))
  .map(([type, flags, stream, payload]) => frame(type, flags, stream, payload));
// :method GET, :scheme http, :path /, :authority a
const request = fc
  .tuple(fc.constantFrom(1, 3, 5), fc.boolean())
  .map(([stream, end]) => frame(1, end ? 5 : 4, stream, Uint8Array.of(0x82, 0x86, 0x84, 0x01, 1, 0x61)));

test(
  "no frames make a session throw, and each request is answered at most once",
  () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(anyFrame, request), { maxLength: 12 }), fc.nat(80), (frames, cut) => {
        const channel = new MemoryChannel();
        let open = 0;
        const handler: ServerHandler = {
          onRequest(_head, stream, endStream) {
            open++;
            const answer = (): void => {
              open--;
              stream.writeHead(200, new HeaderMap(), true, false);
            };
            if (endStream) answer();
            return { onBody: () => true, onRequestEnd: answer, onRequestReset: () => void open--, onWritable() {} };
          },
          onBadRequest() {},
          onHeadTimeout() {},
          onIdle() {},
          onConnectionClosed() {},
        };
        const server = new Http2Server(channel, handler, { ...sessionOptions(undefined), clock: new FakeClock() });
        const bytes = Buffer.concat([PREFACE, frame(4, 0, 0, new Uint8Array(0)), ...frames]);
        channel.handler.onData(bytes.subarray(0, cut));
        if (!channel.closed) channel.handler.onData(bytes.subarray(cut));
        expect(open).toBe(server.session.streams.size === 0 ? 0 : open);
        expect(open).toBeGreaterThanOrEqual(0);
        if (!channel.closed) channel.socketClosed(undefined);
        expect(open).toBe(0);
      }),
      fuzz("HTTP/2 frames", 1500, 11),
    );
  },
  FUZZ_TIMEOUT_MS,
);

test(
  "fields come back as they were written",
  () => {
    const decoder = new HpackDecoder();
    const name = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
    const value = fc.oneof(fc.stringMatching(/^[ -~]{0,200}$/), fc.constantFrom("GET", "200", "gzip, deflate"));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.oneof(name, fc.constantFrom(":method", ":status", "cookie", "authorization", "accept-encoding")), value), { maxLength: 20 }),
        (fields) => {
          const out = Buffer.alloc(fields.reduce((sum, [key, text]) => sum + fieldBound(key, text), 0));
          let at = 0;
          for (const [key, text] of fields) at = writeField(out, at, key, text);
          expect([...(decoder.decode(out, 0, at, 1_000_000) ?? [])]).toEqual(fields);
        },
      ),
      fuzz("HPACK both ways", 300, 5),
    );
  },
  FUZZ_TIMEOUT_MS,
);

test(
  "no bytes make the HPACK decoder throw anything but its own error",
  () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          new HpackDecoder().decode(Buffer.from(bytes), 0, bytes.length, 4096);
        } catch (error) {
          expect((error as Error).message).toStartWith("HPACK: ");
        }
      }),
      fuzz("bytes for HPACK", 1000, 9),
    );
  },
  FUZZ_TIMEOUT_MS,
);
