import { expect, test } from "bun:test";
import { FakeClock } from "../../base/index.ts";
import { PastAddresses } from "./past-addresses.ts";

test("an address is its last owner's for a quarter of an hour, and the oldest are forgotten first", () => {
  const clock = new FakeClock(0);
  const past = new PastAddresses(clock);
  const owner = (workload: string) => ({ cluster: "c", namespace: "n", workload, app: workload, version: "v1" });
  past.left("10.0.0.1", owner("first"));
  past.left("10.0.0.1", owner("second"));
  expect(past.of("10.0.0.1")?.workload).toBe("second");
  expect(past.of("10.0.0.2")).toBeUndefined();
  clock.advance(15 * 60_000 + 1);
  expect(past.of("10.0.0.1")).toBeUndefined();
  for (let i = 0; i < 2_001; i++) past.left(`address ${i}`, owner("many"));
  expect([past.of("address 0"), past.of("address 1")?.workload]).toEqual([undefined, "many"]);
});
