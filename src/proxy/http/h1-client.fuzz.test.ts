import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { FUZZ_TIMEOUT_MS, fuzz } from "../test-support/fuzz.ts";
import type { LlhttpAnswer } from "../test-support/llhttp.ts";
import { MemoryChannel } from "../test-support/memory-channel.ts";
import { cutPoints, cutsOf, responseBytes } from "../test-support/message-bytes.ts";
import { Oracle } from "../test-support/oracle.ts";
import { Http1Client } from "./h1-client.ts";
import { HeaderMap, type RequestHead } from "./header-map.ts";

/**
 * Responses that are nearly right, read by us and by Node's llhttp. A connection that we would use again must be at the
 * same place for both: a response that is longer for one than for the other answers somebody else's request.
 */

const oracle = Oracle.start("llhttp-oracle.cjs");
afterAll(() => oracle?.stop());

interface Outcome {
  readonly status: number;
  readonly headers: [string, string][];
  readonly body: string;
  readonly end: "end" | "reset" | "open";
  readonly reusable: boolean;
}

/** What becomes of a request when these bytes come back. */
function receive(method: string, bytes: Buffer, cuts: readonly number[]): Outcome {
  const channel = new MemoryChannel();
  let status = 0;
  let body = "";
  let headers: [string, string][] = [];
  let end: Outcome["end"] = "open";
  let reusable = false;
  const client = new Http1Client(channel, { onReusable: () => void (reusable = true), onGone() {} });
  const head: RequestHead = { method, path: "/", authority: "a", scheme: "http", protocol: "HTTP/1.1", headers: new HeaderMap(), upgrade: undefined };
  client.send(head, true, {
    onInformational() {},
    onResponseHead(code, fields, ended) {
      status = code;
      headers = [...fields];
      if (ended) end = "end";
    },
    onResponseBody(chunk, from, to) {
      body += chunk.toString("latin1", from, to);
      return true;
    },
    onResponseEnd: () => void (end = "end"),
    onBatchEnd() {},
    onUpstreamReset: () => void (end = "reset"),
    onUpstreamWritable() {},
  });
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    // What comes after a response is read as somebody's who talks out of turn: only the first one is looked at here.
    if (cut > from && end === "open") client.onData(bytes.subarray(from, cut));
    from = Math.max(from, cut);
  }
  return { status, headers, body, end, reusable };
}

test.skipIf(!oracle)(
  "what we take for a response, llhttp takes for the same response",
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom("GET", "HEAD"), responseBytes, cutPoints, async (method, bytes, cuts) => {
        const ours = receive(method, bytes, cutsOf(bytes, cuts));
        if (ours.end !== "end") return;
        const theirs = await (oracle as Oracle).ask<LlhttpAnswer>({ kind: method === "HEAD" ? "head-response" : "response", bytes: bytes.toString("base64") });
        const final = theirs.messages.find(({ status }) => status >= 200);
        expect({ status: final?.status, body: final?.body }).toEqual({ status: ours.status, body: ours.body });
        expect(final?.complete).toBe(true);
      }),
      fuzz("responses against llhttp", 1500, 4),
    );
  },
  FUZZ_TIMEOUT_MS,
);

test(
  "responses are the same however they are cut, and no bytes make the client throw",
  () => {
    fc.assert(
      fc.property(responseBytes, cutPoints, (bytes, cuts) => {
        const whole = receive("GET", bytes, []);
        const cut = receive("GET", bytes, cutsOf(bytes, cuts));
        // With all bytes in one read, those beyond the response are seen: then the connection is not used again.
        expect({ ...cut, reusable: whole.reusable }).toEqual(whole);
      }),
      fuzz("responses in pieces", 1000, 5),
    );
  },
  FUZZ_TIMEOUT_MS,
);
