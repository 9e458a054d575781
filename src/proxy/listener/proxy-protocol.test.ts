import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FUZZ_TIMEOUT_MS, fuzz } from "../test-support/fuzz.ts";
import { readProxyHeader } from "./proxy-protocol.ts";

const text = (line: string) => readProxyHeader(Buffer.from(line, "latin1"));
const V4 = Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 0x03, 0xe8, 0, 80]);

function v2(versionCommand: number, family: number, payload: Uint8Array): Buffer {
  const head = Buffer.from([...Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1"), versionCommand, family, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([head, payload]);
}

// What an Envoy 1.40 lets in and what it resets, tried with each of these lines.
describe("version 1", () => {
  const source = { address: "1.2.3.4", port: 1000 };
  const destination = { address: "5.6.7.8", port: 80 };

  test("names both ends", () => {
    for (const line of [
      "PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\r\n",
      "PROXY TCP4 1.2.3.4 5.6.7.8 01000 80\r\n",
      "PROXY TCP4 1.2.3.4 5.6.7.8 1000 80 \r\n",
      "PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\r\r\n",
    ]) {
      expect(text(`${line}GET`)).toEqual({ kind: "done", length: line.length, source, destination });
    }
    expect(text("PROXY TCP6 1:2::3 ::ffff:1.2.3.4 0 80\r\n")).toMatchObject({
      kind: "done",
      source: { address: "1:2::3", port: 0 },
      destination: { address: "::ffff:1.2.3.4" },
    });
  });

  test("or nobody", () => {
    for (const line of ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN a b c\r\n", `PROXY UNKNOWN ${"a".repeat(92)}\r\n`])
      expect(text(line)).toMatchObject({ kind: "done", length: line.length, source: undefined });
  });

  test("or is refused", () => {
    const bad = [
      "TCP4 1.2.3.4 5.6.7.8 1000 80 x",
      "TCP4 01.2.3.4 5.6.7.8 1000 80",
      "TCP4 1.2.3.4 5.6.7.8 65536 80",
      "TCP6 :::: 5:6::8 1000 80",
      "TCP6 1.2.3.4 5:6::8 1000 80",
      "TCP4 1:: 5:: 1 2",
      "UNKNOWNX",
      " TCP4 1.2.3.4 5.6.7.8 1000 80",
      "TCP4 1.2.3.4 5.6.7.8 1000",
    ];
    for (const line of bad) expect(text(`PROXY ${line}\r\n`).kind).toBe("invalid");
    expect(text("proxy TCP4 1.2.3.4 5.6.7.8 1000 80\r\n").kind).toBe("invalid");
    expect(text("GET / HTTP/1.1\r\n").kind).toBe("invalid");
    expect(text(`PROXY UNKNOWN ${"a".repeat(93)}\r\n`).kind).toBe("invalid");
  });
});

describe("version 2", () => {
  test("names both ends, with further values behind", () => {
    const tlv = Uint8Array.of(1, 0, 2, 0x68, 0x32);
    for (const family of [0x11, 0x12])
      expect(readProxyHeader(v2(0x21, family, Buffer.concat([V4, tlv])))).toEqual({
        kind: "done",
        length: 33,
        source: { address: "1.2.3.4", port: 1000 },
        destination: { address: "5.6.7.8", port: 80 },
      });
    expect(readProxyHeader(v2(0x21, 0x21, Buffer.alloc(36, 1)))).toMatchObject({
      kind: "done",
      source: { address: "101:101:101:101:101:101:101:101", port: 257 },
    });
  });

  test("or nobody, when the balancer itself calls", () => {
    for (const payload of [new Uint8Array(0), V4, Uint8Array.of(9)])
      expect(readProxyHeader(v2(0x20, 0x11, payload))).toMatchObject({ kind: "done", length: 16 + payload.length, source: undefined });
  });

  test("or is refused", () => {
    const bad: [number, number, Uint8Array][] = [
      [0x21, 0x10, V4],
      [0x21, 0x13, V4],
      [0x21, 0, new Uint8Array(0)],
      [0x22, 0x11, V4],
      [0x11, 0x11, V4],
      [0x21, 0x31, Buffer.alloc(216)],
      [0x21, 0x41, V4],
      [0x21, 0x11, V4.subarray(0, 8)],
      [0x21, 0x11, Buffer.concat([V4, Uint8Array.of(1, 0, 9, 1)])],
    ];
    for (const [versionCommand, family, payload] of bad) expect(readProxyHeader(v2(versionCommand, family, payload)).kind).toBe("invalid");
  });
});

test(
  "a header says the same however much has come behind it, and waits for its end",
  () => {
    const port = fc.nat(65_535);
    const v1 = fc
      .tuple(fc.ipV4(), fc.ipV4(), port, port)
      .map(([a, b, c, d]) => ({ bytes: Buffer.from(`PROXY TCP4 ${a} ${b} ${c} ${d}\r\n`), source: { address: a, port: c } }));
    const binary = fc.tuple(fc.uint8Array({ minLength: 12, maxLength: 12 }), fc.uint8Array({ maxLength: 300 })).map(([addresses, value]) => {
      const bytes = Buffer.from(addresses);
      return {
        bytes: v2(0x21, 0x11, Buffer.concat([bytes, Uint8Array.of(4, value.length >> 8, value.length & 255), value])),
        source: { address: bytes.subarray(0, 4).join("."), port: bytes.readUInt16BE(8) },
      };
    });
    fc.assert(
      fc.property(fc.oneof(v1, binary), fc.uint8Array({ maxLength: 200 }), ({ bytes, source }, behind) => {
        expect(readProxyHeader(Buffer.concat([bytes, behind]))).toMatchObject({ kind: "done", length: bytes.length, source });
        for (let length = 0; length < bytes.length; length++) expect(readProxyHeader(bytes.subarray(0, length)).kind).toBe("incomplete");
      }),
      fuzz("PROXY headers", 100, 8),
    );
  },
  FUZZ_TIMEOUT_MS,
);

test(
  "no bytes make the reader throw, or read what has not come",
  () => {
    const begin = fc.constantFrom(Buffer.alloc(0), Buffer.from("PROXY TCP4 1.2.3.4 "), v2(0x21, 0x11, V4).subarray(0, 14), v2(0x21, 0x21, V4).subarray(0, 13));
    fc.assert(
      fc.property(begin, fc.uint8Array({ maxLength: 120 }), (first, rest) => {
        const bytes = Buffer.concat([first, rest]);
        const result = readProxyHeader(bytes);
        if (result.kind === "done") expect(result.length).toBeLessThanOrEqual(bytes.length);
        // A reader that waits must not wait for ever for what can never come.
        if (result.kind === "incomplete") expect(bytes.length).toBeLessThan(16 + 65_536);
      }),
      fuzz("bytes for PROXY", 2000, 9),
    );
  },
  FUZZ_TIMEOUT_MS,
);
