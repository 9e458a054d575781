import { expect, test } from "bun:test";
import { formatSpiffeId, isTrustDomain, parseSpiffeId } from "./spiffe.ts";

const id = { trustDomain: "cluster.local", namespace: "istioinaction", serviceAccount: "web-api" };

test("format and parse are inverse", () => {
  expect(formatSpiffeId(id)).toBe("spiffe://cluster.local/ns/istioinaction/sa/web-api");
  expect(parseSpiffeId(formatSpiffeId(id))).toEqual(id);
});

test("anything else is no workload id", () => {
  for (const bad of [
    "",
    "spiffe://cluster.local",
    "spiffe://cluster.local/ns/a",
    "spiffe://cluster.local/ns/a/sa/b/c",
    "spiffe://cluster.local/ns//sa/b",
    "spiffe://cluster.local/ns/../sa/b",
    "spiffe://Cluster.Local/ns/a/sa/b",
    "spiffe://cluster.local/ns/a%2fb/sa/b",
    "https://cluster.local/ns/a/sa/b",
    `spiffe://cluster.local/ns/a/sa/${"b".repeat(2048)}`,
  ]) {
    expect(parseSpiffeId(bad)).toBeUndefined();
  }
});

test("a part that would break out of its place is refused", () => {
  expect(() => formatSpiffeId({ ...id, namespace: "a/sa/admin" })).toThrow("is not a SPIFFE id");
  expect(isTrustDomain("td.example")).toBe(true);
  expect(isTrustDomain("td/example")).toBe(false);
});
