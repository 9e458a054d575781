import { expect, test } from "bun:test";
import { compareSubsetKeys } from "./subset-key.ts";

test("clusters of one host stand by subset before port", () => {
  const sorted = ["outbound|9000|v1|a", "outbound|80|v2|a", "outbound|80|v1|a", "outbound|9000||a", "outbound|80||a", "inbound|80||", "BlackHoleCluster"].sort(
    compareSubsetKeys,
  );
  expect(sorted).toEqual([
    "inbound|80||",
    "BlackHoleCluster",
    "outbound|80||a",
    "outbound|9000||a",
    "outbound|80|v1|a",
    "outbound|9000|v1|a",
    "outbound|80|v2|a",
  ]);
});
