import { expect, test } from "bun:test";
import { isObject } from "../json.ts";
import { decodeProtobuf } from "./index.ts";
// Objects as client-go writes them, in protobuf and in JSON.
import objects from "./testdata/objects.json";

/** Go writes null for empty lists and zero times; the server's decoder drops both. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, item]) => (item === null ? [] : [[key, withoutNulls(item)]])));
}

for (const { protobuf, json } of objects) {
  test(`${json.kind} in protobuf is the same object as in JSON`, () => {
    expect(withoutNulls(decodeProtobuf(Buffer.from(protobuf, "base64")))).toEqual(withoutNulls(json));
  });
}

test("what is no protobuf is refused, never crashed on", () => {
  const [first] = objects;
  const good = Buffer.from(first?.protobuf ?? "", "base64");
  expect(() => decodeProtobuf(Buffer.from("{}"))).toThrow("does not appear to be a protobuf message");
  // Every truncation and many damaged bytes: an object or a refusal, nothing else.
  for (let i = 0; i < good.length; i++) {
    for (const bytes of [good.subarray(0, i), Buffer.from(good.map((byte, at) => (at === i ? byte ^ 0xff : byte)))]) {
      try {
        decodeProtobuf(bytes);
      } catch (error) {
        expect(error).toMatchObject({ code: "API_BAD_REQUEST" });
      }
    }
  }
});
