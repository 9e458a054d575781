import { expect, test } from "bun:test";
import { EarlyCollection } from "./collect-early.ts";

function collections(): { early: EarlyCollection; count: () => number } {
  let count = 0;
  return { early: new EarlyCollection(() => void count++), count: () => count };
}

test("a small configuration is collected after with each kilobyte", () => {
  const { early, count } = collections();
  for (let i = 0; i < 20; i++) early.taken(512);
  expect(count()).toBe(10);
});

test("a large one is not collected after more than some hundred times", () => {
  const { early, count } = collections();
  for (let i = 0; i < 20_000; i++) early.taken(1_000);
  expect(count()).toBeGreaterThan(50);
  expect(count()).toBeLessThan(300);
});

test("a proxy that serves is left to the collector", () => {
  const { early, count } = collections();
  early.taken(2_000);
  early.end();
  early.taken(2_000);
  expect(count()).toBe(1);
});
