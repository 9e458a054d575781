import { expect, test } from "bun:test";
import { namedObjects } from "./proxy-container.ts";

test("volumes of an annotation by name, or as a list of those that name themselves", () => {
  expect(namedObjects('{"v":{"emptyDir":{}}}', "x")).toEqual({ v: { emptyDir: {} } });
  expect(namedObjects('[{"name":"v","emptyDir":{}}]', "x")).toEqual({ v: { name: "v", emptyDir: {} } });
  expect(namedObjects(undefined, "x")).toEqual({});
  for (const bad of ["[7]", '[{"emptyDir":{}}]', "null", '{"v":1}', '"v"']) expect(() => namedObjects(bad, "x")).toThrow("invalid annotation: x");
});
