import { expect, test } from "bun:test";
import { formatGoDuration, parseGoDuration } from "./go-duration.ts";

test("durations are read as Go reads them", () => {
  const cases: [string, number | undefined][] = [
    ["30s", 30_000],
    ["1h2m3.5s", 3_723_500],
    ["250ms", 250],
    ["10us", 0.01],
    ["10µs", 0.01],
    ["0", 0],
    ["-1s", -1000],
    ["30", undefined],
    ["s", undefined],
    ["1 s", undefined],
    ["", undefined],
  ];
  for (const [text, ms] of cases) expect([text, parseGoDuration(text)]).toEqual([text, ms]);
});

test("durations are printed as Go prints them", () => {
  const cases: [number, string][] = [
    [0, "0s"],
    [0.0000015, "2ns"],
    [0.0015, "1.5µs"],
    [1.234567, "1.234567ms"],
    [20, "20ms"],
    [1500, "1.5s"],
    [120_500, "2m0.5s"],
    [3_600_000, "1h0m0s"],
  ];
  for (const [ms, text] of cases) expect(formatGoDuration(ms)).toBe(text);
});
