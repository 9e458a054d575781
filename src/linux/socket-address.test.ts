import { describe, expect, test } from "bun:test";
import { formatIPv4, isIPv4, isIPv6, parseIPv4, writeSocketAddress } from "./socket-address.ts";

describe("addresses", () => {
  test.each(["0.0.0.0", "10.244.0.1", "255.255.255.255"])("%s is IPv4 and survives a round trip", (text) => {
    expect(isIPv4(text)).toBe(true);
    expect(formatIPv4(parseIPv4(text))).toBe(text);
  });

  test.each(["", "1.2.3", "1.2.3.4.", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ", "a.b.c.d", "::1"])("%p is not IPv4", (text) => {
    expect(isIPv4(text)).toBe(false);
  });

  test.each(["::", "::1", "fe80::1", "2001:db8:0:0:0:0:0:1", "::ffff:10.0.0.1"])("%s is IPv6", (text) => expect(isIPv6(text)).toBe(true));

  test.each(["", ":", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "::1%lo", "1.2.3.4"])("%p is not IPv6", (text) => {
    expect(isIPv6(text)).toBe(false);
  });

  test("a sockaddr holds family, port and address in network order", () => {
    const bytes = new Uint8Array(28);
    expect(writeSocketAddress(bytes, "10.1.2.3", 0x1234)).toBe(16);
    expect([...bytes.subarray(0, 8)]).toEqual([2, 0, 0x12, 0x34, 10, 1, 2, 3]);
    expect(writeSocketAddress(bytes, "::ffff:10.0.0.1", 80)).toBe(28);
    expect([...bytes.subarray(8, 24)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1]);
    expect(() => writeSocketAddress(bytes, "localhost", 80)).toThrow("not an IP address");
    expect(() => writeSocketAddress(bytes, "10.0.0.1", 65536)).toThrow("not a port");
  });
});
