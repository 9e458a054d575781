import { expect, test } from "bun:test";
import { parseDuration } from "./duration.ts";

const GOOD: [string, bigint, number][] = [
  ["10s", 10n, 0],
  ["1.5s", 1n, 500_000_000],
  ["1m30s", 90n, 0],
  ["100ms", 0n, 100_000_000],
  ["0.000000001s", 0n, 1],
  ["2h", 7200n, 0],
  ["-1.5s", -1n, -500_000_000],
];

for (const [text, seconds, nanos] of GOOD) test(text, () => expect(parseDuration(text)).toEqual({ seconds, nanos }));

test("what is no duration is undefined", () => {
  for (const text of ["", "10", "s", "1d", "1s2", "1 s", "1s; drop"]) expect(parseDuration(text)).toBeUndefined();
});
