import { expect, test } from "bun:test";
import type { KubeObject } from "../../../resources/types.ts";
import { ANALYZERS, analyze, findingsText } from "./analyze.ts";
import { HARMFUL } from "./harmful.ts";
import { explodes } from "./regex.ts";
import { World } from "./world.ts";

const SYSTEM = { istioNamespace: "istio-system" };
const of = (kind: string, name: string, spec: object, apiVersion = "networking.istio.io/v1"): KubeObject =>
  ({ apiVersion, kind, metadata: { name, namespace: "ns" }, spec }) as KubeObject;
const external = (name: string, externalName: string): KubeObject => of("Service", name, { type: "ExternalName", externalName, ports: [] }, "v1");
const told = (...objects: KubeObject[]): string[] =>
  analyze(new World(objects, SYSTEM), HARMFUL, () => true).map(({ code, about, message }) => `${code} ${about.metadata.name}: ${message}`);
const route = { route: [{ destination: { host: "a" } }] };

test("hosts that lead to each other in a circle", () => {
  const found = told(
    external("a", "b.ns.svc.cluster.local"),
    external("b", "c.ns.svc.cluster.local."),
    external("c", "a.ns.svc.cluster.local"),
    external("d", "a.ns.svc.cluster.local"),
    external("e", "example.com"),
  );
  expect(found.map((line) => line.slice(0, 9))).toEqual(["CHM0001 a", "CHM0001 b", "CHM0001 c"]);
  expect(found[0]).toContain("a.ns.svc.cluster.local -> b.ns.svc.cluster.local -> c.ns.svc.cluster.local -> a.ns.svc.cluster.local");
  const entry = (name: string, host: string, address: string): KubeObject =>
    of("ServiceEntry", name, { hosts: [host], resolution: "DNS", endpoints: [{ address }] });
  expect(
    told(entry("x", "x.com", "y.com"), entry("y", "y.com", "x.com"), entry("own", "own.com", "own.com"), entry("out", "out.com", "elsewhere.com")).map((line) =>
      line.slice(0, 9),
    ),
  ).toEqual(["CHM0001 x", "CHM0001 y"]);
});

test("delegates in a circle, also with themselves", () => {
  const delegating = (name: string, to: string): KubeObject => of("VirtualService", name, { http: [{ delegate: { name: to } }] });
  const found = told(
    delegating("a", "b"),
    delegating("b", "a"),
    delegating("self", "self"),
    delegating("root", "leaf"),
    of("VirtualService", "leaf", { http: [route] }),
  );
  expect(found).toEqual([
    "CHM0002 a: The VirtualServices ns/a -> ns/b -> ns/a delegate to each other in a circle: these routes are left out.",
    "CHM0002 b: The VirtualServices ns/b -> ns/a -> ns/b delegate to each other in a circle: these routes are left out.",
    "CHM0002 self: The VirtualServices ns/self -> ns/self delegate to each other in a circle: these routes are left out.",
  ]);
});

test("regular expressions that explode", () => {
  for (const bad of ["(a+)+$", "^(a*)*", "(?:[a-z]+)*x", "((a|b+))+", "(x?a+)+", "(a+|b)*", "(.*)*", "([0-9]+){2,}", "(?P<n>\\w+)+"])
    expect([bad, explodes(bad)]).toEqual([bad, true]);
  for (const good of [".*", "/api/v[0-9]+/.*", "(/[^/]+)+", "(a+b)*", "(ab)+", "[(a+)+]", "\\(a+\\)+", "(a{2,3})+", "(a+)?", "((", "[", ""])
    expect([good, explodes(good)]).toEqual([good, false]);
  const found = told(
    of("VirtualService", "v", {
      hosts: ["a"],
      http: [
        {
          match: [{ uri: { regex: "(a+)+$" } }, { headers: { x: { regex: ".*" } } }],
          rewrite: { uriRegexRewrite: { match: "^(a*)*$", rewrite: "/" } },
          ...route,
        },
      ],
    }),
  );
  expect(found).toHaveLength(2);
  expect(found[0]).toStartWith('CHM0003 v: The regular expression "(a+)+$" repeats what repeats itself already');
});

test("a megabyte in one resource", () => {
  const http = Array.from({ length: 1_000 }, (_, index) => ({ match: [{ uri: { prefix: `/${"x".repeat(1_000)}/${index}` } }], ...route }));
  expect(
    told(of("VirtualService", "large", { hosts: ["a"], http }), of("VirtualService", "small", { hosts: ["b"], http: http.slice(0, 9) })).map((line) =>
      line.replace(/\d+ KiB/, "N KiB").slice(0, 55),
    ),
  ).toEqual(["CHM0004 large: This resource has N KiB: what becomes of"]);
});

test("what Istio has analyzers for is told by them: rivals, and secrets that are not there", () => {
  const rival = (name: string): KubeObject => of("VirtualService", name, { hosts: ["a"], http: [route] });
  const gateway = of("Gateway", "g", {
    selector: { istio: "ingress" },
    servers: [{ hosts: ["*"], port: { number: 443, name: "https", protocol: "HTTPS" }, tls: { mode: "SIMPLE", credentialName: "nowhere" } }],
  });
  const pod: KubeObject = { apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "ns", labels: { istio: "ingress" } }, spec: { containers: [] } };
  const codes = analyze(new World([rival("v1"), rival("v2"), gateway, pod], SYSTEM), ANALYZERS, () => true).map(
    ({ code, about }) => `${code} ${about.metadata.name}`,
  );
  expect(codes).toContain("IST0109 v1");
  expect(codes).toContain("IST0101 g");
});

test("findings of Chainmail's own link to no page of Istio's", () => {
  const [finding] = analyze(new World([of("VirtualService", "self", { http: [{ delegate: { name: "self" } }] })], SYSTEM), HARMFUL, () => true);
  expect(finding && JSON.parse(findingsText([finding], { format: "json" }))).toEqual([
    { code: "CHM0002", level: "Warning", message: finding?.message, origin: "VirtualService ns/self" },
  ]);
});
