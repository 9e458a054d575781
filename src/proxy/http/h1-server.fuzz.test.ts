import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { CollectingServer } from "../test-support/collecting-server.ts";
import { FUZZ_TIMEOUT_MS, fuzz } from "../test-support/fuzz.ts";
import type { LlhttpAnswer, LlhttpMessage } from "../test-support/llhttp.ts";
import { cutPoints, cutsOf, requestBytes } from "../test-support/message-bytes.ts";
import { Oracle } from "../test-support/oracle.ts";

/**
 * Requests that are nearly right, read by us and by Node's llhttp. We may refuse more than llhttp; what we accept it must
 * accept too, and both must see the same requests: two readers that differ are how requests are smuggled.
 */

const oracle = Oracle.start("llhttp-oracle.cjs");
afterAll(() => oracle?.stop());

test.skipIf(!oracle)(
  "what we take for requests, llhttp takes for the same requests",
  async () => {
    await fc.assert(
      fc.asyncProperty(requestBytes, cutPoints, async (bytes, cuts) => {
        const ours = new CollectingServer({ acceptHttp10: true });
        await ours.receive(bytes, cutsOf(bytes, cuts));
        const theirs = await (oracle as Oracle).ask<LlhttpAnswer>({ kind: "request", bytes: bytes.toString("base64") });
        // llhttp reads no further than a request that asks for another protocol, which a server may decline.
        const upgrade = ours.requests.findIndex(({ head }) => head.headers.has("upgrade") && head.headers.has("connection"));
        const complete = ours.requests.slice(0, upgrade < 0 ? undefined : upgrade).filter((request) => request.complete);
        // A connection that one side has closed is not read further by it; up to there both must agree.
        const seen = theirs.messages.filter((request) => request.complete);
        expect(complete.length).toBeLessThanOrEqual(seen.length);
        complete.forEach(({ head, body }, index) => {
          const { method, url, body: theirBody } = seen[index] as LlhttpMessage;
          expect({ method: head.method, body }).toEqual({ method, body: theirBody });
          // Of an absolute target we have made its parts.
          if (!/^https?:/i.test(url)) expect(method === "CONNECT" ? head.authority : head.path).toBe(url);
        });
        // Whoever still waits for more has accepted nothing yet.
        if (upgrade < 0 && !ours.error && ours.codec.idle && !ours.codec.draining) expect(theirs.failed).toBe(false);
      }),
      fuzz("requests against llhttp", 1500, 20_260_801),
    );
  },
  FUZZ_TIMEOUT_MS,
);

test(
  "requests are the same however they are cut",
  async () => {
    await fc.assert(
      fc.asyncProperty(requestBytes, cutPoints, async (bytes, cuts) => {
        const whole = new CollectingServer();
        await whole.receive(bytes);
        const cut = new CollectingServer();
        await cut.receive(bytes, cutsOf(bytes, cuts));
        expect(cut.requests).toEqual(whole.requests);
        expect(cut.error?.status).toEqual(whole.error?.status);
      }),
      fuzz("requests in pieces", 700, 3),
    );
  },
  FUZZ_TIMEOUT_MS,
);

test(
  "no bytes make the server throw, and it answers or waits",
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(fc.uint8Array({ maxLength: 60 }), requestBytes), { maxLength: 4 }), async (parts) => {
        const server = new CollectingServer();
        await server.receive(Buffer.concat(parts));
        if (server.error) expect(server.channel.events.length).toBeGreaterThan(0);
      }),
      fuzz("bytes at an HTTP/1 server", 500, 7),
    );
  },
  FUZZ_TIMEOUT_MS,
);
