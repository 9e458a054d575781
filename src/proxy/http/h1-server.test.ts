import { describe, expect, test } from "bun:test";
import { CollectingServer } from "../test-support/collecting-server.ts";

async function read(text: string, cuts: number[] = []): Promise<CollectingServer> {
  const server = new CollectingServer();
  await server.receive(Buffer.from(text, "latin1"), cuts);
  return server;
}

describe("requests", () => {
  test("a request arrives with lower-case names, host taken out, values trimmed", async () => {
    const { requests } = await read("GET /a?b=c HTTP/1.1\r\nHost: x:80\r\nX-Foo:  bar \r\nx-foo: baz\r\n\r\n");
    const [request] = requests;
    expect(request?.head).toMatchObject({ method: "GET", path: "/a?b=c", authority: "x:80", scheme: "", protocol: "HTTP/1.1" });
    expect([...(request?.head.headers ?? [])]).toEqual([
      ["x-foo", "bar"],
      ["x-foo", "baz"],
    ]);
    expect(request?.complete).toBe(true);
  });

  test("an absolute target names host and scheme", async () => {
    const { requests } = await read("GET http://abc.de:99/echo?x HTTP/1.1\r\nHost: a\r\n\r\nGET https://abc.de HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(requests.map(({ head }) => [head.scheme, head.authority, head.path])).toEqual([
      ["http", "abc.de:99", "/echo?x"],
      ["https", "abc.de", "/"],
    ]);
  });

  test("pipelined requests with both framings are told apart, however they are cut", async () => {
    const text =
      'POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcPOST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x="y"\r\nde\r\n1\r\nf\r\n0\r\nT: 1\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n';
    for (let cut = 0; cut <= text.length; cut++) {
      const server = await read(text, [cut]);
      expect(server.requests.map(({ head, body, complete }) => [head.path, body, complete])).toEqual([
        ["/1", "abc", true],
        ["/2", "def", true],
        ["/3", "", true],
      ]);
      expect(server.requests[1]?.trailers?.get("t")).toBe("1");
      expect(server.error).toBeUndefined();
    }
  });

  test("one byte at a time is no different", async () => {
    const text = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n";
    const { requests, channel } = await read(
      text,
      [...text].map((_, index) => index),
    );
    expect(requests.map(({ body, complete }) => [body, complete])).toEqual([["0123456789", true]]);
    expect(channel.text).toBe("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  });

  test("Connection: close ends the connection after its answer", async () => {
    const { channel } = await read("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n");
    expect(channel.events).toEqual(["shutdown"]);
  });

  test("a client that stays after being told to go is cut off", async () => {
    const { channel, clock } = await read("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    clock.advance(1000);
    expect(channel.events).toEqual(["shutdown", "end"]);
  });
});

describe("refused, because readers would differ on it", () => {
  const cases: [name: string, request: string, status: number, detail: string][] = [
    [
      "both framings",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
      "http1.content_length_and_chunked_not_allowed",
    ],
    ["Content-Length twice", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400, "http1.codec_error"],
    ["a list as Content-Length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", 400, "http1.codec_error"],
    ["a sign in Content-Length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", 400, "http1.codec_error"],
    ["an empty Content-Length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400, "http1.codec_error"],
    ["another coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "http1.invalid_transfer_encoding"],
    ["chunked twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501, "http1.invalid_transfer_encoding"],
    ["a hidden coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n", 400, "http1.invalid_characters"],
    ["space before the colon", "GET / HTTP/1.1\r\nHost: a\r\nFoo : b\r\n\r\n", 400, "http1.codec_error"],
    ["a folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400, "http1.codec_error"],
    ["a header without a colon", "GET / HTTP/1.1\r\nHost: a\r\nfoo\r\n\r\n", 400, "http1.codec_error"],
    ["a bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400, "http1.codec_error"],
    ["a bare LF inside", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400, "http1.invalid_characters"],
    ["a bare CR in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400, "http1.invalid_characters"],
    ["NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400, "http1.invalid_characters"],
    ["Host twice", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "http1.codec_error"],
    ["an unknown method", "FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http1.codec_error"],
    ["two spaces in the request line", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http1.codec_error"],
    ["a tab in the request line", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http1.codec_error"],
    ["a target in no form", "GET echo HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http1.codec_error"],
    ["another version", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 426, "low_version"],
    ["HTTP/1.0 where it is not accepted", "GET / HTTP/1.0\r\n\r\n", 426, "low_version"],
    ["a chunk size that is none", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "http1.codec_error"],
    ["an endless chunk size", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n", 400, "http1.codec_error"],
    ["a chunk that is longer than it says", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400, "http1.codec_error"],
    ["a chunk size line with a bare LF", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nab\r\n", 400, "http1.codec_error"],
    ["LF in a chunk extension", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a\nb\r\n", 400, "http1.codec_error"],
    ["more than 60 KB of headers", `GET / HTTP/1.1\r\nHost: a\r\nX: ${"a".repeat(70_000)}\r\n\r\n`, 431, "http1.headers_too_large"],
    ["more than 100 headers", `GET / HTTP/1.1\r\nHost: a\r\n${"a: b\r\n".repeat(101)}\r\n`, 431, "http1.too_many_headers"],
  ];
  for (const [name, request, status, detail] of cases) {
    test(name, async () => {
      const { error, channel } = await read(request);
      expect(error).toMatchObject({ status, detail });
      // Nothing that follows may be read as a request.
      expect(channel.events.at(-1)).toMatch(/shutdown|end|terminate/);
    });
  }
});

test("what follows a refused request is not read", async () => {
  const { requests } = await read(
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
  );
  expect(requests).toHaveLength(0);
});
