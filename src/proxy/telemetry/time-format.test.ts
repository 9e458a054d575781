import { expect, test } from "bun:test";
import type { StreamInfo } from "./stream-info.ts";
import { formatTime } from "./time-format.ts";

const info = {} as StreamInfo;
/** 2026-11-24T15:06:32.710737Z, of which a real Envoy wrote what stands below. */
const at = (): number => 1_795_532_792_710.737;

test("the words of strftime, as Envoy writes them", () => {
  const CASES = [
    [
      "%a %A %b %B %C %d %D %e %F %h %H %I %j %k %l %m %M %p %r %R %S %T %u %w %y %Y %Z %z %Ez %E4Y %%",
      "Tue Tuesday Nov November 20 24 11/24/26 24 2026-11-24 Nov 15 03 328 15  3 11 06 PM 03:06:32 PM 15:06 32 15:06:32 2 2 26 2026 UTC +0000 +00:00 2026 %",
    ],
    ["%s.%3f %3f", "1795532792.710 710"],
    ["%9f", "710737000"],
    [
      "%f %E3S %E*S %E*f %E3f %ET %G %g %U %V %W %c %x %X %P %q",
      "710737000 32.710 32.710737 710737 710 T 2026 26 47 48 47 Tue Nov 24 15:06:32 2026 11/24/26 15:06:32 pm %q",
    ],
  ] as const;
  for (const [format, text] of CASES) expect(formatTime(format, at)(info)).toBe(text);
});

test("weeks around a new year", () => {
  const week = formatTime("%G-%V %U %W", () => Date.UTC(2027, 0, 2));
  expect(week(info)).toBe("2026-53 00 00");
});

test("without a format, ISO 8601 with milliseconds", () => {
  expect(formatTime(undefined, at)(info)).toBe("2026-11-24T15:06:32.710Z");
});
