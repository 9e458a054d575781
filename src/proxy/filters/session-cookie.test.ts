import { describe, expect, test } from "bun:test";
import { sessionCookieAddress, sessionCookieValue } from "./session-cookie.ts";

const read = (text: string, now = 0): string | undefined => sessionCookieAddress(Buffer.from(text, "base64"), now);

describe("a session's cookie", () => {
  test("keeps the address, and its end where it has one", () => {
    expect(read(sessionCookieValue("10.0.0.1:8080", 0))).toBe("10.0.0.1:8080");
    const value = sessionCookieValue("10.0.0.1:8080", 1_800_000_000);
    expect(read(value, 1_800_000_000)).toBe("10.0.0.1:8080");
    expect(read(value, 1_800_000_001)).toBeUndefined();
  });

  test("in its older form is the address alone", () => {
    expect(read(Buffer.from("10.0.0.1:80").toString("base64"))).toBe("10.0.0.1:80");
  });

  test("of nonsense names no host that there is", () => {
    expect(sessionCookieAddress(Buffer.alloc(0), 0)).toBeUndefined();
    expect(sessionCookieAddress(Buffer.from([0x0a, 200, 1]), 0)).toBe("\n\xc8\x01");
    expect(sessionCookieAddress(Buffer.from([0x0a, 1, 65, 0x10, ...Buffer.alloc(30, 0xff)]), 0)).toBe("A");
  });
});
