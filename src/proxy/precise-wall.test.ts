import { expect, test } from "bun:test";
import { preciseWall } from "./precise-wall.ts";

test("steps between milliseconds come from the monotonic clock", () => {
  let wall = 1_700_000_000_000;
  const at = preciseWall(() => wall);
  const first = at(5.25);
  expect(Math.floor(first)).toBe(wall);
  expect(at(5.75)).toBeLessThan(wall + 1);
  wall += 2;
  const later = at(7.5);
  expect(Math.floor(later)).toBe(wall);
  expect(at(7.75) - later).toBeCloseTo(0.25, 3);
});

test("the wall clock is followed wherever it goes", () => {
  let wall = 1_700_000_000_000;
  const at = preciseWall(() => wall);
  at(1);
  for (const set of [wall + 3_600_000, wall - 60_000]) {
    wall = set;
    expect(Math.floor(at(2))).toBe(set);
  }
});
