import { describe, expect, test } from "bun:test";
import { createServer, type AddressInfo } from "node:net";
import { connect as tlsConnect } from "node:tls";
import fc from "fast-check";
import { FUZZ_TIMEOUT_MS, fuzz } from "../test-support/fuzz.ts";
import { readClientHello } from "./client-hello.ts";

/** The first bytes that a real TLS client sends. */
function realHello(servername: string, alpn: string[]): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      const chunks: Buffer[] = [];
      socket.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        if (readClientHello(Buffer.concat(chunks)).kind === "incomplete") return;
        resolve(Buffer.concat(chunks));
        socket.destroy();
        server.close();
      });
      socket.on("error", () => {});
    });
    server.listen(0, "127.0.0.1", () => {
      tlsConnect({ host: "127.0.0.1", port: (server.address() as AddressInfo).port, servername, ALPNProtocols: alpn }).on("error", () => {});
    });
  });
}

describe("ClientHello", () => {
  test("of a real client shows server name and protocols", async () => {
    const bytes = await realHello("Outbound_.8080_._.web-api.ns.svc.cluster.local", ["istio-http/1.1", "istio"]);
    expect(readClientHello(bytes)).toEqual({
      kind: "hello",
      hello: { serverName: "outbound_.8080_._.web-api.ns.svc.cluster.local", alpn: ["istio-http/1.1", "istio"] },
    });
  });

  test("is waited for, byte by byte, and in records of any size", async () => {
    const bytes = await realHello("a.b", ["h2"]);
    for (let length = 1; length < bytes.length; length++) expect(readClientHello(bytes.subarray(0, length)).kind).toBe("incomplete");
    const handshake = bytes.subarray(5);
    const records: Buffer[] = [];
    for (const size of [1, 3, 100, 1000]) {
      for (let at = 0; at < handshake.length; at += size) {
        const part = handshake.subarray(at, at + size);
        records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part);
      }
      const whole = Buffer.concat(records.splice(0));
      expect(readClientHello(whole)).toMatchObject({ kind: "hello", hello: { serverName: "a.b", alpn: ["h2"] } });
      expect(readClientHello(whole.subarray(0, -1)).kind).toBe("incomplete");
    }
  });

  test("without extensions is one without names", () => {
    const body = Buffer.concat([Buffer.from([3, 3]), Buffer.alloc(32), Buffer.from([0, 0, 2, 0x13, 1, 1, 0])]);
    const message = Buffer.concat([Buffer.from([1, 0, 0, body.length]), body]);
    expect(readClientHello(Buffer.concat([Buffer.from([22, 3, 1, 0, message.length]), message]))).toEqual({
      kind: "hello",
      hello: { serverName: "", alpn: [] },
    });
  });

  test("is not what begins otherwise", () => {
    for (const text of ["GET / HTTP/1.1\r\n", "\x16\x02\x01\x00\x05hello", "\x16\x03\x01\x00\x05\x02ello", "\x16\x03\x01\x00\x00"]) {
      expect(readClientHello(Buffer.from(text, "latin1")).kind).toBe("not_tls");
    }
  });

  test("of more than 16 KB is none", () => {
    const big = Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0, 1, 0, 0x80, 0]), Buffer.alloc(17_000)]);
    expect(readClientHello(big).kind).toBe("not_tls");
  });

  test("is read to its end and no further", async () => {
    const bytes = await realHello("a.b", ["h2"]);
    const alone = readClientHello(bytes);
    for (const behind of ["\x16\x03\x01\x00\x05hello", "GET / HTTP/1.1\r\n", "\x17\x03\x03"])
      expect(readClientHello(Buffer.concat([bytes, Buffer.from(behind, "latin1")]))).toEqual(alone);
  });

  test("in records of a byte costs no more than its bytes", async () => {
    // A message that announces 16,000 bytes, each in a record of its own, looked at anew with each segment.
    const records = Buffer.concat([Buffer.from([22, 3, 1, 0, 4, 1, 0, 0x3e, 0x80]), ...Array.from({ length: 2700 }, () => Buffer.from([22, 3, 1, 0, 1, 3]))]);
    const before = performance.now();
    for (let i = 0; i < 200; i++) expect(readClientHello(records).kind).toBe("incomplete");
    expect(performance.now() - before).toBeLessThan(1000);
  });

  test(
    "no bytes make the parser throw",
    async () => {
      const real = await realHello("a.b", ["h2", "http/1.1"]);
      fc.assert(
        fc.property(fc.array(fc.tuple(fc.nat(real.length - 1), fc.nat(255)), { maxLength: 6 }), fc.nat(real.length), (changes, length) => {
          const bytes = Buffer.from(real.subarray(0, length));
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
          expect(["hello", "incomplete", "not_tls"]).toContain(readClientHello(bytes).kind);
        }),
        fuzz("changed ClientHellos", 1000, 3),
      );
    },
    FUZZ_TIMEOUT_MS,
  );
});
