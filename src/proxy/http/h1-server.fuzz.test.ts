import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { CollectingServer } from "../test-support/collecting-server.ts";

/**
 * Requests that are nearly right, read by us and by Node's llhttp. We may refuse more than llhttp; what we accept it must
 * accept too, and both must see the same requests: two readers that differ are how requests are smuggled.
 */

interface OracleResult {
  readonly failed: boolean;
  readonly reason?: string;
  readonly requests: readonly { readonly method: string; readonly url: string; readonly body: string; readonly complete: boolean }[];
}

const node = Bun.which("node");
const oracle = node
  ? Bun.spawn([node, "--no-deprecation", new URL("../test-support/llhttp-oracle.cjs", import.meta.url).pathname], { stdin: "pipe", stdout: "pipe" })
  : undefined;
const reader = oracle?.stdout.getReader();
let held = "";

async function askOracle(bytes: Buffer): Promise<OracleResult> {
  void oracle?.stdin.write(`${bytes.toString("base64")}\n`);
  void oracle?.stdin.flush();
  while (!held.includes("\n")) held += new TextDecoder().decode((await reader?.read())?.value);
  const end = held.indexOf("\n");
  const line = held.slice(0, end);
  held = held.slice(end + 1);
  return JSON.parse(line) as OracleResult;
}

afterAll(() => oracle?.kill());

const eol = fc.constantFrom("\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n");
const space = fc.constantFrom(" ", " ", " ", "", "  ", "\t", "\x0b");
const header = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("Content-Length: 3", "Content-Length: 0", "Transfer-Encoding: chunked", "Host: a", "X: y", "Connection: keep-alive") },
  { weight: 1, arbitrary: fc.constantFrom("Content-Length: 3, 3", "Content-Length: +3", "Content-Length:3", "content-length: 03", "Content-Length: 3 ", "Content-Length : 3", "Content-Length: 0x3", "Content-Length: 3abc") },
  { weight: 1, arbitrary: fc.constantFrom("Transfer-Encoding: Chunked", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: x, chunked", "Transfer-Encoding: chunked ", "Transfer-Encoding:\tchunked", "Transfer_Encoding: chunked", "Transfer-Encoding : chunked", " Transfer-Encoding: chunked", "Transfer-Encoding: identity", "X: a\r\n\tb", "X: \x00", "X: \x7f", "\u00e9: a", ": a", "X") },
);
const requestLine = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("GET / HTTP/1.1", "POST /p HTTP/1.1") },
  { weight: 1, arbitrary: fc.constantFrom("GET  / HTTP/1.1", "GET / HTTP/1.1 ", "get / HTTP/1.1", "GET /\u00e9 HTTP/1.1", "GET / HTTP/1.10", "GET / http/1.1", "GET http://b/ HTTP/1.1", "GET /a b HTTP/1.1", "GET /") },
);
const body = fc.oneof(
  fc.constantFrom("", "abc", "3\r\nabc\r\n0\r\n\r\n", "0\r\n\r\n"),
  fc.tuple(fc.constantFrom("3", "03", "3 ", "3;x", "3;x=\"\n\"", "0x3", "-3", "3\t", ""), eol, fc.constantFrom("abc", "ab", "abcd"), eol, fc.constantFrom("0", "00", "0;x"), eol, fc.constantFrom("", "T: 1\r\n", "T : 1\r\n", "T\r\n"), eol).map((parts) => parts.join("")),
);
const message = fc
  .tuple(requestLine, eol, fc.array(fc.tuple(header, eol), { maxLength: 4 }), eol, body, space)
  .map(([line, lineEnd, headers, headEnd, content]) => line + lineEnd + headers.map(([text, end]) => text + end).join("") + headEnd + content);

test.skipIf(!oracle)("what we take for requests, llhttp takes for the same requests", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 3 }), fc.array(fc.nat(200), { maxLength: 3 }), async (messages, cuts) => {
      const bytes = Buffer.from(messages.join(""), "latin1");
      const ours = new CollectingServer({ acceptHttp10: true });
      await ours.receive(bytes, cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b));
      const theirs = await askOracle(bytes);
      const complete = ours.requests.filter((request) => request.complete);
      // A connection that one side has closed is not read further by it; up to there both must agree.
      const seen = theirs.requests.filter((request) => request.complete);
      expect(complete.length).toBeLessThanOrEqual(seen.length);
      complete.forEach((request, index) => {
        expect(request.head.method).toBe(seen[index]?.method as string);
        expect(request.body).toBe(seen[index]?.body as string);
      });
      // Whoever still waits for more has accepted nothing yet.
      if (!ours.error && ours.codec.idle && !ours.codec.draining) expect(theirs.failed).toBe(false);
    }),
    { numRuns: 800, seed: 20_260_801 },
  );
}, 20_000);

test("no bytes make the server throw, and it answers or waits", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(fc.uint8Array({ maxLength: 60 }), message.map((text) => Buffer.from(text, "latin1"))), { maxLength: 4 }), async (parts) => {
      const server = new CollectingServer();
      await server.receive(Buffer.concat(parts));
      if (server.error) expect(server.channel.events.length).toBeGreaterThan(0);
    }),
    { numRuns: 500, seed: 7 },
  );
});
