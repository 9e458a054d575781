import { expect, test } from "bun:test";
import { isFor, nameOf, serverNameOf } from "./request-name.ts";

const peer = (dnsSans: string[], ipSans: string[] = []) => ({ dnsSans, ipSans, uriSans: [], subject: "", issuer: "", serialNumber: "", sha256: "", pem: "" });

test.each([
  ["a.test", "a.test", "a.test"],
  ["A.test:8443", "a.test", "a.test"],
  ["10.0.0.1:80", "10.0.0.1", undefined],
  ["[fd00::1]:80", "fd00::1", undefined],
  ["", "", undefined],
])("the name of %p", (authority, name, serverName) => {
  expect(nameOf(authority)).toBe(name);
  expect(serverNameOf(name)).toBe(serverName);
});

test("a certificate is for its names, for one label under a wildcard, and for its addresses", () => {
  expect(isFor(peer(["a.test"]), "a.test")).toBe(true);
  expect(isFor(peer(["*.test"]), "a.test")).toBe(true);
  expect(isFor(peer(["*.test"]), "a.b.test")).toBe(false);
  expect(isFor(peer(["*.test"]), "test")).toBe(false);
  expect(isFor(peer(["b.test"]), "a.test")).toBe(false);
  expect(isFor(peer([], ["10.0.0.1"]), "10.0.0.1")).toBe(true);
  expect(isFor(peer(["10.0.0.1"]), "10.0.0.1")).toBe(false);
  expect(isFor(peer([]), "")).toBe(false);
});
