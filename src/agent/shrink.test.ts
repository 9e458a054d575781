import { expect, test } from "bun:test";
import { FakeClock } from "../base/index.ts";
import { shrinkWhenQuiet } from "./shrink.ts";

test("memory is given back once, in the first quiet moment", () => {
  const clock = new FakeClock();
  let cpu = 0;
  let shrunk = 0;
  shrinkWhenQuiet(clock, () => cpu, () => void shrunk++);
  cpu += 500;
  clock.advance(3_000);
  expect(shrunk).toBe(0);
  cpu += 10;
  clock.advance(3_000);
  expect(shrunk).toBe(1);
  clock.advance(600_000);
  expect(shrunk).toBe(1);
});

test("a busy process is left alone after a minute", () => {
  const clock = new FakeClock();
  let cpu = 0;
  let shrunk = 0;
  shrinkWhenQuiet(clock, () => (cpu += 1_000), () => void shrunk++);
  clock.advance(600_000);
  expect(shrunk).toBe(0);
  expect(cpu).toBeLessThan(25_000);
});
