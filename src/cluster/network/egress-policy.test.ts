import { describe, expect, test } from "bun:test";
import { refusesEgress } from "./egress-policy.ts";

const RANGES = [
  { ip: "10.244.0.0", prefixLength: 16 },
  { ip: "10.96.0.0", prefixLength: 12 },
];
const refuses = (ip: string) => refusesEgress(ip, ["192.0.2.10"], RANGES) !== undefined;

describe("egress policy", () => {
  test.each([
    "127.0.0.1",
    "127.77.3.1",
    "169.254.169.254",
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.2.10",
    "10.244.9.9",
    "10.111.0.1",
    "::1",
    "example.test",
  ])("%s is refused", (ip) => expect(refuses(ip)).toBe(true));
  test.each(["192.0.2.11", "203.0.113.1", "10.243.255.255", "10.112.0.1", "126.255.255.255", "128.0.0.1", "169.253.1.1"])("%s is the outside", (ip) => {
    expect(refuses(ip)).toBe(false);
  });
});
