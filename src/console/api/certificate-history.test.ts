import { expect, test } from "bun:test";
import { certificatesOf } from "./certificate-history.ts";

test("a jump of the time left is a new certificate; counting down and a scrape's delay are none", () => {
  expect(
    certificatesOf([
      [1_000, 500],
      [1_300, 201],
      [1_600, 86_400],
      [1_900, 86_099],
    ]),
  ).toEqual([
    { since: 1_600_000, until: 87_999_000 },
    { since: 1_000_000, until: 1_500_000 },
  ]);
  // A value that was not renewed for some minutes is not a certificate that was.
  expect(
    certificatesOf([
      [1_000, 500_000],
      [1_300, 500_000],
      [1_600, 499_400],
    ]),
  ).toEqual([{ since: 1_000_000, until: 501_000_000 }]);
  expect(certificatesOf([])).toEqual([]);
});
