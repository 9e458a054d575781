import { expect, test } from "bun:test";
import { parseSchedule } from "./cron-schedule.ts";

const next = (schedule: string, after: string, zone?: string) => {
  const at = parseSchedule(schedule, zone).next(Date.parse(after));
  return at === undefined ? undefined : new Date(at).toISOString().slice(0, 16);
};

test("the next time of a schedule", () => {
  const cases: [string, string, string | undefined, string?][] = [
    ["*/5 * * * *", "2026-11-24T09:13:20Z", "2026-11-24T09:15"],
    ["*/5 * * * *", "2026-11-24T09:15:00Z", "2026-11-24T09:20"],
    ["0 3 * * *", "2026-11-24T09:13:00Z", "2026-11-25T03:00"],
    ["30 8-10/2 * * mon-fri", "2026-11-27T10:30:00Z", "2026-11-30T08:30"],
    ["0 0 13 * 5", "2026-11-24T00:00:00Z", "2026-11-27T00:00"], // either kind of day
    ["0 0 29 2 *", "2026-11-24T00:00:00Z", "2028-02-29T00:00"],
    ["0 0 31 2 *", "2026-11-24T00:00:00Z", undefined],
    ["@hourly", "2026-11-24T09:13:00Z", "2026-11-24T10:00"],
    ["0 12 * * 7", "2026-11-24T09:13:00Z", "2026-11-29T12:00"],
    ["0 9 * * *", "2026-11-24T09:13:00Z", "2026-11-25T08:00", "Europe/Berlin"],
    ["15 0 1 jan,jul *", "2026-11-24T09:13:00Z", "2027-01-01T00:15"],
  ];
  for (const [schedule, after, expected, zone] of cases) expect([schedule, next(schedule, after, zone)]).toEqual([schedule, expected]);
});

test("what cannot be read is said", () => {
  for (const bad of ["* * * *", "60 * * * *", "* * * foo *", "*/0 * * * *", "5-1 * * * *", "1/2/3 * * * *"])
    expect(() => parseSchedule(bad)).toThrow("cannot be read");
  expect(() => parseSchedule("* * * * *", "Nowhere/Land")).toThrow("no time zone");
});
