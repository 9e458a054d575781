import { describe, expect, test } from "bun:test";
import { AddressPool, parseCidr } from "./address-pool.ts";

describe("AddressPool", () => {
  test("the first address is the node's, the next the pods'", () => {
    const pool = new AddressPool(parseCidr("10.244.0.0/16"));
    expect(pool.nodeIp).toBe("10.244.0.1");
    expect([pool.allocate(), pool.allocate()]).toEqual(["10.244.0.2", "10.244.0.3"]);
  });

  test("a freed address comes back only after all others", () => {
    const pool = new AddressPool(parseCidr("10.0.0.0/29"));
    const first = pool.allocate();
    pool.free(first);
    const next = Array.from({ length: 4 }, () => pool.allocate());
    expect(next).toEqual(["10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
    expect(pool.allocate()).toBe(first);
    expect(() => pool.allocate()).toThrow("all 5 pod addresses are in use");
  });

  test.each(["10.0.0.0", "10.0.0.1/24", "10.0.0.0/31", "10.0.0.0/0", "x/8", "10.0.0.0/8a"])("%s is not a range", (text) => {
    expect(() => parseCidr(text)).toThrow();
  });
});
