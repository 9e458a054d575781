import { expect, test } from "bun:test";
import { createLogger, FakeClock } from "../../base/index.ts";
import { ApiError } from "../../kube/index.ts";
import { WorkQueue } from "./work-queue.ts";

const settle = () => new Promise((resolve) => setTimeout(resolve, 1));

test("bursts are one run, keys do not run twice at once, a change during a run comes again", async () => {
  const runs: string[] = [];
  let release = () => {};
  const queue = new WorkQueue({
    name: "t",
    clock: new FakeClock(),
    log: createLogger("t", { level: "none" }),
    async process(key) {
      runs.push(key);
      if (key === "slow") await new Promise<void>((resolve) => (release = resolve));
    },
  });
  queue.add("a");
  queue.add("a");
  queue.add("slow");
  await settle();
  expect(runs).toEqual(["a", "slow"]);
  queue.add("slow");
  queue.add("slow");
  await settle();
  expect(runs.length).toBe(2);
  release();
  await settle();
  expect(runs).toEqual(["a", "slow", "slow"]);
  queue.stop();
});

test("failures are retried with growing pauses; conflicts are not reported", async () => {
  const clock = new FakeClock();
  const lines: string[] = [];
  let fail = 3;
  let runs = 0;
  const queue = new WorkQueue({
    name: "t",
    clock,
    log: createLogger("t", { write: (line) => lines.push(line) }),
    async process() {
      runs++;
      if (fail-- > 0) throw fail === 2 ? new ApiError(409, { kind: "Status", reason: "Conflict" }) : new Error("no");
    },
  });
  queue.add("a");
  await settle();
  for (const wait of [5, 10, 20]) {
    clock.advance(wait - 1);
    await settle();
    const before = runs;
    clock.advance(1);
    await settle();
    expect(runs).toBe(before + 1);
  }
  expect(lines.length).toBe(2);
  queue.stop();
});

test("what is due in a month does not come at once", async () => {
  const waits: number[] = [];
  const clock = { now: () => 0, after: (ms: number) => (waits.push(ms), () => {}) };
  const queue = new WorkQueue({ name: "t", clock, log: createLogger("t", { level: "none" }), process: () => Promise.resolve() });
  queue.addAfter("a", 40 * 24 * 3_600_000);
  expect(waits).toEqual([2 ** 31 - 1]);
});
