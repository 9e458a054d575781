import { expect, test } from "bun:test";
import { FakeClock } from "../../base/index.ts";
import { BatchQueue } from "./batch-queue.ts";

function queue(limit = 10) {
  const clock = new FakeClock();
  const sent: number[][] = [];
  const answers: ((delivered: boolean) => void)[] = [];
  let dropped = 0;
  const batches = new BatchQueue<number>({
    batchWeight: 3,
    intervalMs: 100,
    limit,
    clock,
    send: (batch, done) => (sent.push([...batch]), answers.push(done)),
    onDropped: (count) => (dropped += count),
  });
  return { clock, sent, answers, batches, dropped: () => dropped };
}

test("a full batch leaves at once, a part of one after the interval", () => {
  const { clock, sent, answers, batches } = queue();
  for (const record of [1, 2, 3, 4]) batches.push(record);
  expect(sent).toEqual([[1, 2, 3]]);
  answers[0]?.(true);
  clock.advance(99);
  expect(sent).toHaveLength(1);
  clock.advance(1);
  expect(sent).toEqual([[1, 2, 3], [4]]);
});

test("one batch is under way at a time; what comes meanwhile goes when that has ended", () => {
  const { sent, answers, batches } = queue();
  for (const record of [1, 2, 3, 4, 5, 6]) batches.push(record);
  expect(sent).toEqual([[1, 2, 3]]);
  answers[0]?.(true);
  expect(sent).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ]);
});

test("a collector that does not answer costs records, not memory; lost batches count too", () => {
  const { answers, batches, dropped } = queue(4);
  for (let record = 0; record < 20; record++) batches.push(record);
  expect(dropped()).toBe(20 - 3 - 4);
  answers[0]?.(false);
  expect(dropped()).toBe(20 - 3 - 4 + 3);
});

test("records may count by their size", () => {
  const sent: string[][] = [];
  const batches = new BatchQueue<string>({
    weigh: (text) => text.length,
    batchWeight: 5,
    intervalMs: 100,
    limit: 10,
    clock: new FakeClock(),
    send: (batch, done) => (sent.push([...batch]), done(true)),
    onDropped: () => {},
  });
  for (const record of ["ab", "cd", "e", "a long one", "x"]) batches.push(record);
  batches.flush();
  expect(sent).toEqual([["ab", "cd", "e"], ["a long one"], ["x"]]);
});
