import { expect, test } from "bun:test";
import fc from "fast-check";
import { FUZZ_TIMEOUT_MS, fuzz } from "../test-support/fuzz.ts";
import { cutPoints, cutsOf } from "../test-support/message-bytes.ts";
import { BodyReader } from "./body-reader.ts";
import { CHUNKED, DEFAULT_LIMITS } from "./head-parser.ts";
import { MessageError } from "./message-error.ts";

/** What came out of a body that was read in pieces. */
interface Read {
  /** With framing, when that shall pass: pieces that come without are chunks of their own. */
  passed: string;
  /** Body bytes that the sink was told of. */
  size: number;
  end: "done" | "more" | "refused";
  trailers: string[] | undefined;
}

function read(bytes: Buffer, cuts: readonly number[], framed: boolean): Read {
  const reader = new BodyReader(DEFAULT_LIMITS);
  reader.begin(CHUNKED);
  if (framed) reader.passFraming();
  const found: Read = { passed: "", size: 0, end: "more", trailers: undefined };
  const pass = (chunk: Buffer, start: number, end: number, size: number): void => {
    found.passed += chunk.toString("latin1", start, end);
    found.size += size;
  };
  const bare = (chunk: Buffer, start: number, end: number): void => {
    if (framed) found.passed += `${(end - start).toString(16)}\r\n`;
    pass(chunk, start, end, end - start);
    if (framed) found.passed += "\r\n";
  };
  let from = 0;
  try {
    for (const cut of [...cuts, bytes.length]) {
      if (cut <= from || reader.done) continue;
      reader.read(bytes.subarray(from, cut), 0, { onBody: bare, onFramed: pass });
      from = cut;
    }
    if (reader.done) found.end = "done";
  } catch (error) {
    if (!(error instanceof MessageError)) throw error;
    found.end = "refused";
  }
  found.trailers = reader.trailers && [...reader.trailers].map(([name, value]) => `${name}: ${value}`);
  return found;
}

/** The strictest reader of chunks: lower or upper case digits without leading zeros, nothing else, no last chunk. */
function strict(text: string): string {
  let body = "";
  for (let at = 0; at < text.length;) {
    const size = /^([1-9a-fA-F][0-9a-fA-F]*)\r\n/.exec(text.slice(at));
    if (!size) throw new Error(`no chunk at ${at} of ${JSON.stringify(text)}`);
    const start = at + size[0].length;
    const end = start + Number.parseInt(size[1] as string, 16);
    body += text.slice(start, end);
    if (text.slice(end, end + 2) !== "\r\n") throw new Error(`a chunk of ${JSON.stringify(text)} does not end at ${end}`);
    at = end + 2;
  }
  return body;
}

const chunk = fc
  .record({
    data: fc.oneof(
      { weight: 9, arbitrary: fc.string({ minLength: 1, maxLength: 40, unit: fc.constantFrom("a", "0", "\r", "\n", ";", "5") }) },
      { weight: 1, arbitrary: fc.nat(9).map((more) => "y".repeat(16 * 1024 + more)) },
    ),
    zeros: fc.nat(3),
    upper: fc.boolean(),
    extension: fc.constantFrom("", "", ";a=b", ';q="x"', " ;x"),
  })
  .map(({ data, zeros, upper, extension }) => {
    const digits = data.length.toString(16);
    return `${"0".repeat(zeros)}${upper ? digits.toUpperCase() : digits}${extension}\r\n${data}\r\n`;
  });
const body = fc
  .record({
    chunks: fc.array(chunk, { maxLength: 6 }),
    last: fc.constantFrom("0", "000", "0;end"),
    trailers: fc.constantFrom("", "a: b\r\n"),
    noise: fc.option(fc.record({ at: fc.nat(), with: fc.constantFrom("x", "\r", "\n", "0", "") }), { freq: 3 }),
  })
  .map(({ chunks, last, trailers, noise }) => {
    const text = `${chunks.join("")}${last}\r\n${trailers}\r\n`;
    if (!noise) return Buffer.from(text, "latin1");
    const at = noise.at % text.length;
    return Buffer.from(text.slice(0, at) + noise.with + text.slice(at + 1), "latin1");
  });

test(
  "framing that passes holds the same body and nothing but the plainest chunks, however it is cut",
  () => {
    fc.assert(
      fc.property(body, cutPoints, (bytes, points) => {
        const cuts = cutsOf(bytes, points);
        const plain = read(bytes, cuts, false);
        const framed = read(bytes, cuts, true);
        expect({ end: framed.end, trailers: framed.trailers }).toEqual({ end: plain.end, trailers: plain.trailers });
        if (plain.end !== "done") return;
        expect(strict(framed.passed)).toBe(plain.passed);
        expect(framed.size).toBe(plain.size);
      }),
      fuzz("chunk framing that passes", 800),
    );
  },
  FUZZ_TIMEOUT_MS,
);

/** Where the pieces with framing and those without are, in one read. */
function pieces(text: string): { framed: [number, number, number][]; bare: [number, number][]; at: number } {
  const reader = new BodyReader(DEFAULT_LIMITS);
  reader.begin(CHUNKED);
  reader.passFraming();
  const framed: [number, number, number][] = [];
  const bare: [number, number][] = [];
  const at = reader.read(Buffer.from(text, "latin1"), 0, {
    onBody: (_bytes, start, end) => void bare.push([start, end]),
    onFramed: (_bytes, start, end, size) => void framed.push([start, end, size]),
  });
  return { framed, bare, at };
}

test("whole chunks of a read pass in one piece", () => {
  expect(pieces("3\r\nabc\r\n2\r\nde\r\n4\r\nfg")).toEqual({ framed: [[0, 15, 5]], bare: [[18, 20]], at: 20 });
});

test("a large chunk passes before its end has come", () => {
  expect(pieces(`1\r\na\r\n4000\r\n${"x".repeat(100)}`)).toEqual({ framed: [[0, 112, 101]], bare: [], at: 112 });
});

test("a body with a length has no framing to pass", () => {
  const reader = new BodyReader(DEFAULT_LIMITS);
  reader.begin(5);
  reader.passFraming();
  let passed = "";
  reader.read(Buffer.from("5\r\nab", "latin1"), 0, {
    onBody: (bytes, start, end) => void (passed += bytes.toString("latin1", start, end)),
    onFramed: () => expect.unreachable(),
  });
  expect({ passed, done: reader.done }).toEqual({ passed: "5\r\nab", done: true });
});
