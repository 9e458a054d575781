import { expect, test } from "bun:test";
import { FakeClock } from "../../base/index.ts";
import { RateLimit } from "./rate-limit.ts";

test("a burst passes, then as many as the rate allows, each key for itself", () => {
  const clock = new FakeClock(0);
  const limit = new RateLimit({ burst: 3, perSecond: 2, clock });
  const passed = (key: string, tries: number): number => Array.from({ length: tries }, () => limit.take(key)).filter(Boolean).length;
  expect(passed("a", 10)).toBe(3);
  expect(limit.exhausted("a")).toBe(true);
  expect(passed("b", 1)).toBe(1);
  clock.advance(1_000);
  expect(limit.exhausted("a")).toBe(false);
  expect(passed("a", 10)).toBe(2);
  clock.advance(60_000);
  expect(passed("a", 10)).toBe(3);
});

test("many addresses fill no memory, and the busy one is not forgotten", () => {
  const limit = new RateLimit({ burst: 1, perSecond: 0, clock: new FakeClock(0) });
  limit.take("busy");
  for (let i = 0; i < 30_000; i++) {
    limit.take(`flood-${i}`);
    if (i % 1_000 === 0) expect(limit.take("busy")).toBe(false);
  }
});
