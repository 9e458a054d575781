import { expect, test } from "bun:test";
import { HpackDecoder, hpackEncode, type HeaderList } from "./hpack.ts";

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));

test("RFC 7541 C.4: Huffman strings and the dynamic table across three requests", () => {
  const decoder = new HpackDecoder();
  const base: HeaderList = [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
  ];
  expect(decoder.decode(hex("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"), 4096)).toEqual(base);
  expect(decoder.decode(hex("8286 84be 5886 a8eb 1064 9cbf"), 4096)).toEqual([...base, ["cache-control", "no-cache"]]);
  expect(decoder.decode(hex("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"), 4096)).toEqual([
    [":method", "GET"],
    [":scheme", "https"],
    [":path", "/index.html"],
    [":authority", "www.example.com"],
    ["custom-key", "custom-value"],
  ]);
});

test("RFC 7541 C.6: entries are evicted when the table shrinks", () => {
  const decoder = new HpackDecoder();
  const first = decoder.decode(
    hex("3fe1 01 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3"),
    4096,
  );
  expect(first).toEqual([
    [":status", "302"],
    ["cache-control", "private"],
    ["date", "Mon, 21 Oct 2013 20:13:21 GMT"],
    ["location", "https://www.example.com"],
  ]);
  expect(decoder.decode(hex("4883 640e ffc1 c0bf"), 4096)[0]).toEqual([":status", "307"]);
  expect(() => new HpackDecoder().decode(hex("be"), 4096)).toThrow("no table entry");
});

test("what the encoder writes the decoder reads", () => {
  const headers: HeaderList = [
    [":method", "POST"],
    [":path", "/a.B/c"],
    ["authorization", `Bearer ${"x".repeat(3000)}`],
    ["x-bytes", "\u00e9\u00ff"],
  ];
  expect(new HpackDecoder().decode(hpackEncode(headers), 65536)).toEqual(headers);
});

test("malformed input is refused", () => {
  const decode = (text: string) => () => new HpackDecoder().decode(hex(text), 4096);
  expect(decode("00")).toThrow("ends early");
  expect(decode("0085ff")).toThrow("past the block");
  expect(decode("7fffffffffff0f")).toThrow("integer too large");
  expect(decode("3fe2ffff03")).toThrow("above what was announced");
  expect(decode("0084ffffffff0161")).toThrow("HPACK");
  expect(() => new HpackDecoder().decode(hpackEncode([["a", "b".repeat(5000)]]), 4096)).toThrow("above 4096");
});
