import { expect, test } from "bun:test";
import { createQueryCache } from "./query-cache.ts";

test("the last queries are remembered, mistakes are not", () => {
  const parse = createQueryCache(2);
  const [a, b] = [parse("a"), parse("b")];
  expect(parse("a")).toBe(a);
  parse("c");
  expect(parse("a")).toBe(a);
  expect(parse("b")).not.toBe(b);
  expect(() => parse("sum(")).toThrow(/parse error/);
  expect(() => parse("sum(")).toThrow(/parse error/);
});
