import { expect, test } from "bun:test";
import { FakeClock } from "../base/index.ts";
import { shrinkWhenQuiet } from "./shrink.ts";

const MB = 1024 * 1024;

/** A process that holds 20 MB after each time that memory is given back. */
function start() {
  const clock = new FakeClock();
  const process = { cpuMs: 0, bytes: 30 * MB, shrunk: 0 };
  const stop = shrinkWhenQuiet(
    clock,
    () => process.cpuMs,
    () => process.bytes,
    () => {
      process.shrunk++;
      process.cpuMs += 15;
      process.bytes = 20 * MB;
    },
  );
  return { clock, process, stop };
}

test("memory is given back in a quiet moment, and again when there is more of it", () => {
  const { clock, process, stop } = start();
  process.cpuMs += 500;
  clock.advance(3_000);
  expect(process.shrunk).toBe(0);
  process.cpuMs += 10;
  clock.advance(3_000);
  expect(process.shrunk).toBe(1);
  process.bytes += 0.5 * MB;
  clock.advance(600_000);
  expect(process.shrunk).toBe(1);
  process.bytes += 0.5 * MB;
  clock.advance(3_000);
  expect(process.shrunk).toBe(2);
  stop();
  process.bytes += 10 * MB;
  clock.advance(600_000);
  expect(process.shrunk).toBe(2);
});

test("a busy process is left alone until it is not", () => {
  const { clock, process } = start();
  for (let i = 0; i < 100; i++) {
    process.cpuMs += 1_000;
    clock.advance(3_000);
  }
  expect(process.shrunk).toBe(0);
  clock.advance(3_000);
  expect(process.shrunk).toBe(1);
});
