import fc from "fast-check";

/** HTTP/1 messages that are nearly right, and bytes that are not. */

const eol = fc.constantFrom("\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n", "\n\r\n");

const goodHeader = fc.constantFrom(
  "Content-Length: 3",
  "Content-Length: 3",
  "Content-Length: 0",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: chunked",
  "Host: a",
  "X: y",
  "Connection: keep-alive",
  "X:",
  "Cookie: a=b; c=d",
);
const oddHeader = fc.constantFrom(
  "Content-Length: 3, 3",
  "Content-Length: +3",
  "Content-Length:3",
  "content-length: 03",
  "Content-Length: 3 ",
  "Content-Length : 3",
  "Content-Length: 0x3",
  "Content-Length: 3abc",
  "Content-Length: -1",
  "Content-Length:",
  "Content-Length: 3\t",
  "Content-Length: 99999999999999999999",
  "Content-Length: 3_0",
  "Content-Length: 3.0",
  "Content_Length: 3",
  "Content-Length: \u00b3",
  "Transfer-Encoding: Chunked",
  "Transfer-Encoding: chunked, chunked",
  "Transfer-Encoding: x, chunked",
  "Transfer-Encoding: chunked ",
  "Transfer-Encoding:\tchunked",
  "Transfer_Encoding: chunked",
  "Transfer-Encoding : chunked",
  " Transfer-Encoding: chunked",
  "Transfer-Encoding: identity",
  "Transfer-Encoding: chunked, identity",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: chunked;q=1",
  "Transfer-Encoding: \x0bchunked",
  'Transfer-Encoding: "chunked"',
  "Transfer-Encoding:\r\n chunked",
  "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
  "Transfer-Encoding:",
  "TRANSFER-ENCODING: CHUNKED",
  "X: a\r\n\tb",
  "X: a\r\n b",
  "X: \x00",
  "X: \x7f",
  "X: a\x00b",
  "X\x00: a",
  "\u00e9: a",
  ": a",
  "X",
  "X a: b",
  "X:a\rb",
  "X: \u00e9",
  "X(: a",
  "Host: a\r\nHost: b",
  "Host:",
  "Host : a",
  "Connection: close",
  "Connection: upgrade\r\nUpgrade: x",
  "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
  "Connection: content-length",
  "Expect: 100-continue",
);
const header = fc.oneof({ weight: 3, arbitrary: goodHeader }, { weight: 1, arbitrary: oddHeader });

const requestLine = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("GET / HTTP/1.1", "POST /p HTTP/1.1", "HEAD / HTTP/1.1") },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "GET  / HTTP/1.1",
      "GET / HTTP/1.1 ",
      "get / HTTP/1.1",
      "GET /\u00e9 HTTP/1.1",
      "GET / HTTP/1.10",
      "GET / http/1.1",
      "GET http://b/ HTTP/1.1",
      "GET /a b HTTP/1.1",
      "GET /",
      "GET\t/ HTTP/1.1",
      "GET / HTTP/1.0",
      "GET / HTTP/2.0",
      "GET / HTTP/0.9",
      "GET /\x00 HTTP/1.1",
      "GET /# HTTP/1.1",
      " GET / HTTP/1.1",
      "CONNECT a:1 HTTP/1.1",
      "OPTIONS * HTTP/1.1",
      "GET * HTTP/1.1",
      "GET a HTTP/1.1",
      "FOO / HTTP/1.1",
      "PRI * HTTP/2.0",
      "GET / HTTP/1.1\r\n",
      "\r\nGET / HTTP/1.1",
      "\nGET / HTTP/1.1",
      "GET / HTTP/1,1",
      "GET / HTTP/11",
      "GET / ICE/1.0",
      "SOURCE / HTTP/1.1",
    ),
  },
);

const statusLine = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom("HTTP/1.1 200 OK", "HTTP/1.1 204 No Content", "HTTP/1.1 304 x", "HTTP/1.1 404 Not Found", "HTTP/1.1 200", "HTTP/1.1 200 "),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "HTTP/1.0 200 OK",
      "HTTP/1.1 20 OK",
      "HTTP/1.1 2000 OK",
      "HTTP/1.1  200 OK",
      "HTTP/1.1 200\tOK",
      "HTTP/1.1 200 O\x00K",
      "HTTP/2.0 200 OK",
      "http/1.1 200 OK",
      "HTTP/1.1 2x0 OK",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
      "HTTP/1.1 099 x",
      "HTTP/1.1 999 x",
    ),
  },
);

const chunkSize = fc.constantFrom(
  "3",
  "3",
  "3",
  "03",
  "3 ",
  "3;x",
  "3;x=y",
  '3;x="y"',
  '3;x="\n"',
  "3;x=\n",
  "3;\r",
  "0x3",
  "-3",
  "+3",
  "3\t",
  "",
  " 3",
  "3\x00",
  "3g",
  "0000000000000000003",
  "fffffffffffffffff",
  "3;x=\u00e9",
  "3;;",
  "3 ;x",
);
const chunk = fc.tuple(chunkSize, eol, fc.constantFrom("abc", "abc", "abc", "ab", "abcd"), eol).map((parts) => parts.join(""));
const lastChunk = fc
  .tuple(
    fc.constantFrom("0", "0", "0", "00", "0;x", "0 ", "-0"),
    eol,
    fc.constantFrom("", "", "T: 1\r\n", "T : 1\r\n", "T\r\n", " T: 1\r\n", "T: 1\r\n 2\r\n", "Content-Length: 5\r\n", "T: \x00\r\n"),
    eol,
  )
  .map((parts) => parts.join(""));
const body = fc.oneof(
  fc.constantFrom("", "abc", "3\r\nabc\r\n0\r\n\r\n", "0\r\n\r\n"),
  fc.tuple(fc.array(chunk, { maxLength: 2 }), lastChunk).map(([chunks, last]) => chunks.join("") + last),
);

function message(first: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(first, eol, fc.array(fc.tuple(header, eol), { maxLength: 4 }), eol, body)
    .map(([line, lineEnd, headers, headEnd, content]) => line + lineEnd + headers.map(([text, end]) => text + end).join("") + headEnd + content);
}

/** Some bytes of it are others, are missing or are there twice. */
function mutated(text: fc.Arbitrary<string>): fc.Arbitrary<Buffer> {
  const change = fc.tuple(
    fc.nat(400),
    fc.constantFrom("replace", "delete", "insert"),
    fc.oneof(fc.constantFrom(0, 9, 10, 11, 13, 32, 44, 48, 58, 59, 127, 128, 255), fc.nat(255)),
  );
  return fc.tuple(text, fc.array(change, { maxLength: 2 })).map(([whole, changes]) => {
    let bytes = Buffer.from(whole, "latin1");
    for (const [position, kind, byte] of changes) {
      const at = position % (bytes.length + 1);
      const tail = bytes.subarray(kind === "insert" ? at : at + 1);
      bytes = Buffer.concat([bytes.subarray(0, at), kind === "delete" ? Buffer.alloc(0) : Buffer.from([byte]), tail]);
    }
    return bytes;
  });
}

/** One to three requests one after another. */
export const requestBytes = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: message(requestLine).map((text) => Buffer.from(text, "latin1")) },
      { weight: 1, arbitrary: mutated(message(requestLine)) },
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map((all) => Buffer.concat(all));

/** A response, and perhaps what looks like another. */
export const responseBytes = fc
  .array(
    fc.oneof({ weight: 3, arbitrary: message(statusLine).map((text) => Buffer.from(text, "latin1")) }, { weight: 1, arbitrary: mutated(message(statusLine)) }),
    { minLength: 1, maxLength: 2 },
  )
  .map((all) => Buffer.concat(all));

/** Where a reader gets the bytes cut. */
export const cutPoints = fc.array(fc.nat(200), { maxLength: 4 });

/** In ascending order and inside of the bytes. */
export function cutsOf(bytes: Buffer, cuts: readonly number[]): number[] {
  return cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b);
}
