import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { FakeClock } from "../../base/index.ts";
import type { ServerHandler, UpstreamStream } from "../http/codec.ts";
import { Http1Client } from "../http/h1-client.ts";
import { removeHopByHop } from "../http/request-mutation.ts";
import { FUZZ_TIMEOUT_MS, fuzz } from "../test-support/fuzz.ts";
import { frame } from "../test-support/http2-frames.ts";
import type { LlhttpAnswer } from "../test-support/llhttp.ts";
import { MemoryChannel } from "../test-support/memory-channel.ts";
import { Oracle } from "../test-support/oracle.ts";
import { Flag, Frame, PREFACE } from "./frames.ts";
import { fieldBound, writeField } from "./hpack-encoder.ts";
import { sessionOptions } from "./options.ts";
import { Http2Server } from "./server.ts";

/**
 * HTTP/2 carries bytes that HTTP/1 cannot. Whatever a client sends, the HTTP/1 server behind us must read one request
 * for each that we have let in, and the same one.
 */

const oracle = Oracle.start("llhttp-oracle.cjs");
afterAll(() => oracle?.stop());

type Field = [name: string, value: string];

const SMUGGLED = "a\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: b\r\n\r\n";
const evil = fc.constantFrom(
  SMUGGLED,
  "a\r\nx: y",
  "a\nb",
  "a\rb",
  "a\0",
  " a",
  "a ",
  "\x7f",
  "a b",
  "\u00e9",
  "",
  "a:b",
  "/",
  "*",
  "http://b/",
  "a HTTP/1.1",
  "\t",
);
const rarely = (good: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.oneof({ weight: 8, arbitrary: good }, { weight: 1, arbitrary: evil });

const method = rarely(fc.constantFrom("GET", "POST", "HEAD", "OPTIONS", "CONNECT", "DELETE"));
const header = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(rarely(fc.constantFrom("x", "cookie", "accept", "te", "user-agent")), rarely(fc.constantFrom("a", "b; c", "trailers"))) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Field>(
      ["content-length", "3"],
      ["content-length", "0"],
      ["content-length", "5"],
      ["content-length", "3, 3"],
      ["transfer-encoding", "chunked"],
      ["connection", "close"],
      ["host", "a"],
      ["host", "b"],
      ["upgrade", "h2c"],
      ["expect", "100-continue"],
      [":path", "/x"],
      ["keep-alive", "1"],
    ),
  },
);
const pseudo = fc
  .record({
    method,
    path: rarely(fc.constantFrom("/", "/p?q", "/a%20b")),
    scheme: rarely(fc.constantFrom("http", "https")),
    authority: rarely(fc.constantFrom("a", "a:80", "[::1]:80")),
    plainConnect: fc.boolean(),
  })
  .map((each): Field[] =>
    each.method === "CONNECT" && each.plainConnect
      ? [
          [":method", each.method],
          [":authority", each.authority],
        ]
      : [
          [":method", each.method],
          [":scheme", each.scheme],
          [":path", each.path],
          [":authority", each.authority],
        ],
  );
const request = fc.record({
  head: fc.tuple(pseudo, fc.array(header, { maxLength: 4 })).map(([first, rest]): Field[] => [...first, ...(rest as Field[])]),
  body: fc.constantFrom(undefined, "", "abc", "abcde"),
  trailers: fc.option(fc.array(header, { minLength: 1, maxLength: 2 }), { nil: undefined }),
});

function block(fields: readonly Field[]): Buffer {
  const out = Buffer.alloc(fields.reduce((sum, [name, value]) => sum + fieldBound(name, value), 0));
  let at = 0;
  for (const [name, value] of fields) at = writeField(out, at, name, value);
  return out.subarray(0, at);
}

test.skipIf(!oracle)(
  "a request of HTTP/2 is one request of HTTP/1, or none",
  async () => {
    await fc.assert(
      fc.asyncProperty(request, async ({ head, body, trailers }) => {
        const written = new MemoryChannel();
        let letIn: { method: string; target: string; body: string; ended: boolean } | undefined;
        const handler: ServerHandler = {
          onRequest(asked, _stream, endStream) {
            removeHopByHop(asked.headers, asked.upgrade !== undefined);
            const client: UpstreamStream = new Http1Client(written, { onReusable() {}, onGone() {} });
            const seen = (letIn = { method: asked.method, target: asked.method === "CONNECT" ? asked.authority : asked.path, body: "", ended: endStream });
            client.send(asked, endStream, {
              onInformational() {},
              onResponseHead() {},
              onResponseBody: () => true,
              onResponseEnd() {},
              onBatchEnd() {},
              onUpstreamReset() {},
              onUpstreamWritable() {},
            });
            return {
              onBody(bytes, start, end) {
                seen.body += bytes.toString("latin1", start, end);
                return client.writeBody(bytes, start, end);
              },
              onRequestEnd(fields) {
                seen.ended = true;
                client.writeEnd(fields);
              },
              onRequestReset: () => client.flush(),
              onWritable() {},
            };
          },
          onBadRequest() {},
          onHeadTimeout() {},
          onIdle() {},
          onConnectionClosed() {},
        };
        const channel = new MemoryChannel();
        void new Http2Server(channel, handler, { ...sessionOptions(undefined), clock: new FakeClock() });
        const frames = [
          PREFACE,
          frame(Frame.SETTINGS, 0, 0, Buffer.alloc(0)),
          frame(Frame.HEADERS, Flag.END_HEADERS | (body === undefined && !trailers ? Flag.END_STREAM : 0), 1, block(head)),
        ];
        if (body !== undefined) frames.push(frame(Frame.DATA, trailers ? 0 : Flag.END_STREAM, 1, Buffer.from(body)));
        if (trailers) frames.push(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, block(trailers as Field[])));
        for (const each of frames) if (!channel.closed) channel.handler.onData(each);
        if (!letIn || letIn.method === "CONNECT") {
          // A tunnel's request has only a head; what follows is the tunnel's.
          const text = written.text.split("\r\n\r\n", 1)[0] as string;
          if (letIn) expect(text).toMatch(/^CONNECT [\x21-\x7e\x80-\xff]* HTTP\/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*(?:\r\n|$))+$/);
          return;
        }
        const theirs = await (oracle as Oracle).ask<LlhttpAnswer>({ kind: "request", bytes: Buffer.from(written.text, "latin1").toString("base64") });
        // A method that llhttp does not know ends its reading: nothing is smuggled by it.
        if (theirs.reason === "HPE_INVALID_METHOD") return;
        expect(theirs.failed).toBe(false);
        expect(theirs.messages.length).toBe(1);
        expect(theirs.messages[0]).toMatchObject({ method: letIn.method, url: letIn.target, body: letIn.body });
        // What was given up on the way may be whole or not; the connection behind us ends with it.
        if (letIn.ended) expect(theirs.messages[0]?.complete).toBe(true);
        expect(theirs.messages[0]?.headers.filter(([name]) => name === "host").length).toBe(1);
      }),
      fuzz("HTTP/2 to HTTP/1", 1500, 20_260_804),
    );
  },
  FUZZ_TIMEOUT_MS,
);
