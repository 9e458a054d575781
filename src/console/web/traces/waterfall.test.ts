import { expect, test } from "bun:test";
import type { JaegerSpan, JaegerTrace } from "../../../telemetry/index.ts";
import { durationText, ticks, waterfall } from "./waterfall.ts";

const span = (spanID: string, parent: string, startTime: number, duration: number, more: Partial<JaegerSpan> = {}): JaegerSpan => ({
  traceID: "t",
  spanID,
  operationName: spanID,
  references: parent ? [{ refType: "CHILD_OF", traceID: "t", spanID: parent }] : [],
  startTime,
  duration,
  tags: [],
  logs: [],
  processID: "p1",
  warnings: null,
  flags: 1,
  ...more,
});
const trace = (spans: JaegerSpan[]): JaegerTrace => ({ traceID: "t", spans, processes: { p1: { serviceName: "web", tags: [] } }, warnings: null });

test("spans stand below who called them, by time, with their share of the whole", () => {
  const { rows, duration } = waterfall(trace([span("c", "a", 60, 20), span("a", "", 0, 100), span("b", "a", 10, 40), span("d", "b", 20, 10)]));
  expect(duration).toBe(100);
  expect(rows.map(({ span: { spanID }, depth, left, width, own }) => [spanID, depth, left, width, own])).toEqual([
    ["a", 0, 0, 1, 40],
    ["b", 1, 0.1, 0.4, 30],
    ["d", 2, 0.2, 0.1, 10],
    ["c", 1, 0.6, 0.2, 20],
  ]);
});

test("overlapping children are counted once; what is beyond the parent is not its time", () => {
  const { rows } = waterfall(trace([span("a", "", 0, 100), span("b", "a", 10, 50), span("c", "a", 20, 50), span("d", "a", 90, 50)]));
  expect(rows[0]!.own).toBe(100 - 60 - 10);
});

test("a lost parent and a ring of parents lose no span", () => {
  expect(waterfall(trace([span("a", "lost", 0, 5)])).rows).toHaveLength(1);
  expect(
    waterfall(trace([span("a", "b", 0, 5), span("b", "a", 1, 2)]))
      .rows.map(({ span: { spanID } }) => spanID)
      .sort(),
  ).toEqual(["a", "b"]);
});

test("times in words and a scale of round numbers", () => {
  expect([durationText(12.4), durationText(2_345), durationText(45_678), durationText(1_234_567)]).toEqual(["12 µs", "2.35 ms", "45.7 ms", "1.23 s"]);
  expect(ticks(100)).toEqual([0, 50, 100]);
  expect(ticks(3_700)).toEqual([0, 1_000, 2_000, 3_000]);
});
