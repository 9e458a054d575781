import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { inspectHttp } from "./http-inspector.ts";
import { readProxyHeader } from "./proxy-protocol.ts";

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

describe("HTTP inspector", () => {
  test("knows versions by a whole request line", () => {
    expect(inspectHttp(bytes("GET / HTTP/1.1\r\nHost"))).toEqual({ kind: "http", protocol: "http/1.1" });
    expect(inspectHttp(bytes("\r\nGET / HTTP/1.0\r\n"))).toEqual({ kind: "http", protocol: "http/1.0" });
    expect(inspectHttp(bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))).toEqual({ kind: "http", protocol: "h2c" });
  });

  test("waits while it could still become one", () => {
    for (const text of ["", "G", "GET", "GET /x HTTP/1.1", "PRI * HT", "\r\n"]) expect(inspectHttp(bytes(text)).kind).toBe("incomplete");
  });

  test("gives other protocols up at once", () => {
    for (const text of [
      "hello\n",
      "SSH-2.0-x\r\n",
      "\x00\x00\x00",
      "get / HTTP/1.1\r\n",
      "GETX / HTT",
      "GET / HTTP/2.0\r\n",
      "GET /\r\n",
      `GET /${"a".repeat(9000)}`,
    ]) {
      expect(inspectHttp(bytes(text)).kind).toBe("not_http");
    }
  });

  test("a method that nobody knows is one in a whole request line", () => {
    expect(inspectHttp(bytes("BREW / HTTP/1.1\r\n"))).toEqual({ kind: "http", protocol: "http/1.1" });
  });
});

describe("PROXY protocol", () => {
  test("version 1", () => {
    expect(readProxyHeader(bytes("PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\r\nGET"))).toEqual({
      kind: "done",
      length: 36,
      source: { address: "1.2.3.4", port: 1000 },
      destination: { address: "5.6.7.8", port: 80 },
    });
    expect(readProxyHeader(bytes("PROXY UNKNOWN\r\n"))).toMatchObject({ kind: "done", length: 15, source: undefined });
    expect(readProxyHeader(bytes("PROXY TCP4 1.2."))).toEqual({ kind: "incomplete" });
    for (const bad of ["GET / HTTP/1.1\r\n", "PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n", "PROXY TCP4 1.2.3.4 5.6.7.8 1 70000\r\n", `PROXY ${"x".repeat(200)}`])
      expect(readProxyHeader(bytes(bad)).kind).toBe("invalid");
  });

  test("version 2", () => {
    const head = bytes("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x03\xe8\0\x50");
    expect(readProxyHeader(Buffer.concat([head, bytes("data")]))).toEqual({
      kind: "done",
      length: 28,
      source: { address: "1.2.3.4", port: 1000 },
      destination: { address: "5.6.7.8", port: 80 },
    });
    for (let cut = 1; cut < head.length; cut++) expect(readProxyHeader(head.subarray(0, cut)).kind).toBe("incomplete");
    expect(readProxyHeader(bytes("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")).kind).toBe("done");
    expect(readProxyHeader(bytes("\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c____________")).kind).toBe("invalid");
  });

  test("no bytes make it throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (tail, v2) => {
        const all = Buffer.concat([bytes(v2 ? "\r\n\r\n\0\r\nQUIT\n" : "PROXY "), tail]);
        expect(["done", "incomplete", "invalid"]).toContain(readProxyHeader(all).kind);
      }),
      { numRuns: 500, seed: 1 },
    );
  });
});
