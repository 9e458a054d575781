import { expect, test } from "bun:test";
import { alternativeNames } from "./domains.ts";

test("a service of the same namespace has short names", () => {
  expect(alternativeNames("web.shop.svc.cluster.local", 0, "shop.svc.cluster.local")).toEqual([
    "web.shop.svc.cluster.local.",
    "web",
    "web.shop.svc",
    "web.shop",
  ]);
});

test("a service of another namespace is not called by its name alone", () => {
  expect(alternativeNames("web.bank.svc.cluster.local", 0, "shop.svc.cluster.local")).toEqual(["web.bank.svc.cluster.local.", "web.bank", "web.bank.svc"]);
});

test("hosts outside the cluster are only made absolute", () => {
  expect(alternativeNames("api.example.com", 0, "shop.svc.cluster.local")).toEqual(["api.example.com."]);
  expect(alternativeNames("192.0.2.1", 0, "shop.svc.cluster.local")).toEqual([]);
});

test("outside Kubernetes the part in common with the proxy's domain is left out", () => {
  expect(alternativeNames("web.east.example.com", 80, "east.example.com")).toEqual(["web.east.example.com.", "web.east.example.com.:80", "web", "web:80"]);
});
