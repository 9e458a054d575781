import { expect, test } from "bun:test";
import type { ServiceEntry } from "../../resources/index.ts";
import { planAddresses } from "./address-plan.ts";

type Status = NonNullable<ServiceEntry["status"]>["addresses"];
const entry = (name: string, spec: Partial<NonNullable<ServiceEntry["spec"]>>, addresses?: Status, second = 0): ServiceEntry => ({
  apiVersion: "networking.istio.io/v1",
  kind: "ServiceEntry",
  metadata: { name, namespace: "shop", creationTimestamp: `2026-11-24T05:00:${String(second).padStart(2, "0")}Z` },
  spec: { hosts: [`${name}.example.com`], resolution: "DNS", ...spec },
  ...(addresses && { status: { addresses } }),
});
const planned = (entries: ServiceEntry[], from = 0) =>
  Object.fromEntries(
    planAddresses(entries, from).changes.map(({ entry: { metadata }, addresses }) => [metadata.name, addresses.map(({ value, host }) => `${host} ${value}`)]),
  );
const status = (name: string, number: number): Status => [
  { value: `240.240.0.${number}`, host: `${name}.example.com` },
  { value: `2001:2::${number}`, host: `${name}.example.com` },
];

test("each host gets an address of each family, from where the last one was", () => {
  expect(planned([entry("a", { hosts: ["x.example.com", "y.example.com", "x.example.com"] })])).toEqual({
    a: ["x.example.com 240.240.0.1", "x.example.com 2001:2::1", "y.example.com 240.240.0.2", "y.example.com 2001:2::2"],
  });
  expect(planned([entry("a", {})], 255)).toEqual({ a: ["a.example.com 240.240.1.0", "a.example.com 2001:2::100"] });
});

test("who has addresses keeps them, and a further host gets its own", () => {
  expect(planned([entry("a", {}, status("a", 1))])).toEqual({});
  expect(planned([entry("a", { hosts: ["a.example.com", "b.example.com"] }, status("a", 1))])).toEqual({
    a: ["a.example.com 240.240.0.1", "a.example.com 2001:2::1", "b.example.com 240.240.0.2", "b.example.com 2001:2::2"],
  });
});

test("of two with the same address the younger gets another, and what somebody wrote into a spec is not given away", () => {
  expect(planned([entry("b", {}, status("b", 1), 9), entry("a", {}, status("a", 1), 1)])).toEqual({
    b: ["b.example.com 240.240.0.2", "b.example.com 2001:2::2"],
  });
  expect(planned([entry("own", { addresses: ["240.240.0.1", "2001:0002::2"] }), entry("a", {})])).toEqual({
    a: ["a.example.com 240.240.0.3", "a.example.com 2001:2::3"],
  });
  expect(planned([entry("own", { addresses: ["240.240.0.1"] }), entry("a", {}, status("a", 1)?.slice(0, 1))])).toEqual({
    a: ["a.example.com 240.240.0.2", "a.example.com 2001:2::2"],
  });
});

test("none for entries that resolve nothing, have addresses, opt out, or are for any name; stale ones are taken back", () => {
  const optedOut = entry("out", {}, status("out", 1));
  optedOut.metadata.labels = { "networking.istio.io/enable-autoallocate-ip": "FALSE" };
  expect(
    planned([
      optedOut,
      entry("none", { resolution: "NONE" }),
      entry("own", { addresses: ["10.0.0.1"] }, status("own", 2)),
      entry("wild", { hosts: ["*.example.com"] }),
    ]),
  ).toEqual({ out: [], own: [] });
});

test("when all are taken, the rest goes without", () => {
  const all = entry("all", { hosts: Array.from({ length: 65_534 }, (_, index) => `h${index}.example.com`) });
  const { changes } = planAddresses([all, entry("late", {}, undefined, 9)], 0);
  expect(changes.map(({ entry: { metadata }, addresses }) => [metadata.name, addresses.length])).toEqual([["all", 131_068]]);
});
