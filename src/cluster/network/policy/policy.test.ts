import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { KubeObject } from "../../../resources/index.ts";
import { selectorMatches } from "../../../resources/index.ts";
import { formatIPv4, parseIPv4 } from "../../../linux/index.ts";
import { emptyState, policyChanges } from "./diff.ts";
import { parsePolicy } from "./parse.ts";
import { formatRange, parseBlock, subtract, union } from "./ranges.ts";
import { policyState, type PolicyInput, type PolicyPod } from "./rules.ts";
import { parseSelector } from "./selector.ts";

const policy = (spec: object, name = "p", namespace = "default"): KubeObject =>
  ({ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name, namespace }, spec: { podSelector: {}, ...spec } }) as KubeObject;
const pod = (ip: string, labels: Record<string, string> = {}, namespace = "default", ports: PolicyPod["ports"] = []): PolicyPod => ({
  namespace,
  labels,
  ip,
  ports,
});
const input = (more: Partial<PolicyInput>): PolicyInput => ({ pods: [], others: [], unknown: [], namespaces: new Map(), policies: [], ...more });

describe("address ranges", () => {
  test.each([
    ["10.0.0.0/8", "10.0.0.0-10.255.255.255"],
    ["10.1.2.3/32", "10.1.2.3"],
    ["0.0.0.0/0", "0.0.0.0-255.255.255.255"],
    ["10.0.0.77/24", "10.0.0.0-10.0.0.255"],
  ])("%s", (text, range) => {
    expect(formatRange(parseBlock(text)!)).toBe(range);
  });
  test.each(["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "a/8", "10.0.0.0/8/8", "10.0.0.0/-1", "fd00::/129", "x:y/8"])("%p is none", (text) => {
    expect(() => parseBlock(text)).toThrow("no address range");
  });
  test("IPv6 is of no pod here", () => expect(parseBlock("fd00::/8")).toBeUndefined());
  test("union and difference hold the addresses they should", () => {
    const range = fc.tuple(fc.nat(60), fc.nat(60)).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }));
    const holds = (ranges: { first: number; last: number }[], at: number) => ranges.some(({ first, last }) => first <= at && at <= last);
    fc.assert(
      fc.property(fc.array(range, { maxLength: 6 }), fc.array(range, { maxLength: 6 }), (ranges, holes) => {
        const all = union(ranges);
        for (let i = 1; i < all.length; i++) expect(all[i]!.first).toBeGreaterThan(all[i - 1]!.last + 1);
        const rest = union(all.flatMap((each) => subtract(each, holes)));
        for (let at = 0; at <= 61; at++) {
          expect(holds(all, at)).toBe(holds(ranges, at));
          expect(holds(rest, at)).toBe(holds(ranges, at) && !holds(holes, at));
        }
      }),
    );
  });
});

test("selectors", () => {
  const selector = parseSelector({
    matchLabels: { a: "1" },
    matchExpressions: [
      { key: "b", operator: "NotIn", values: ["x"] },
      { key: "c", operator: "Exists" },
      { key: "toString", operator: "DoesNotExist" },
    ],
  })!;
  expect(selectorMatches(selector, { a: "1", c: "" })).toBe(true);
  expect(selectorMatches(selector, { a: "1", b: "x", c: "" })).toBe(false);
  expect(selectorMatches(selector, { a: "1" })).toBe(false);
  expect(selectorMatches({}, {})).toBe(true);
  for (const bad of [
    null,
    [],
    "x",
    { matchLabels: { a: 1 } },
    { matchLabels: [] },
    { matchExpressions: [{ key: "a", operator: "Like" }] },
    { matchExpressions: [{ key: "a", operator: "In" }] },
    { matchExpressions: [{ key: "a", operator: "Exists", values: ["x"] }] },
  ])
    expect(parseSelector(bad)).toBeUndefined();
});

describe("reading policies", () => {
  test("directions: as said, else ingress, and egress where there are rules", () => {
    const closed = (spec: object) => {
      const { ingress, egress } = parsePolicy(policy(spec));
      return [ingress !== undefined, egress !== undefined];
    };
    expect([{}, { egress: [{}] }, { policyTypes: ["Egress"] }, { policyTypes: ["Ingress", "Egress"] }, { policyTypes: [], egress: [] }].map(closed)).toEqual([
      [true, false],
      [true, true],
      [false, true],
      [true, true],
      [true, false],
    ]);
  });

  test("empty lists mean everybody; lists of which nothing is understood mean nobody", () => {
    const [all, nobody] = [
      { from: [], ports: [] },
      { from: [{ ipBlock: { cidr: "x" } }], ports: [{ port: 0 }] },
    ].map((rule) => parsePolicy(policy({ ingress: [rule] })));
    expect(all?.ingress).toEqual([{ peers: undefined, ports: undefined }]);
    expect([nobody?.ingress, nobody?.problem]).toEqual([
      [{ peers: [], ports: [] }],
      "spec.ingress[0].from holds what is none; spec.ingress[0].ports holds what is none",
    ]);
  });

  test("whatever an object holds, reading never throws, and what is odd never opens a pod", () => {
    const words = fc.constantFrom(
      "podSelector",
      "ingress",
      "egress",
      "from",
      "to",
      "ports",
      "port",
      "endPort",
      "protocol",
      "ipBlock",
      "cidr",
      "except",
      "policyTypes",
      "matchLabels",
      "matchExpressions",
      "namespaceSelector",
    );
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom<unknown>("TCP", "10.0.0.0/8", "Ingress", 80, -1, null, true, "a"),
        fc.array(tie("any"), { maxLength: 3 }),
        fc.dictionary(words, tie("any"), { maxKeys: 4 }),
      ),
    })).any;
    fc.assert(
      fc.property(value, (spec) => {
        const read = parsePolicy({ ...policy({}), spec } as KubeObject);
        expect(read.ingress ?? read.egress).toBeDefined();
      }),
      { numRuns: 500 },
    );
  });
});

describe("rules", () => {
  const a = pod("10.244.0.2", { app: "a" });
  const b = pod("10.244.0.3", { app: "b" }, "default", [{ name: "web", protocol: "tcp", port: 8080 }]);
  const c = pod("10.244.0.4", { app: "c" }, "other");
  const namespaces = new Map([["other", { team: "blue" }]]);

  test("pods that no policy selects are in no map; each direction by itself", () => {
    const state = policyState(
      input({
        pods: [a, b, c],
        policies: [parsePolicy(policy({ podSelector: { matchLabels: { app: "a" } }, policyTypes: ["Egress"] })), parsePolicy(policy({}, "q", "other"))],
      }),
    );
    expect([...state.maps.np_ingress.keys()]).toEqual([c.ip]);
    expect([...state.maps.np_egress.keys(), ...state.maps.np_local.keys()]).toEqual([a.ip, a.ip]);
    expect(new Set(state.chains.values())).toEqual(new Set(["counter drop"]));
  });

  test("peers are sets, ports are ranges, names are looked up in the pod that is reached", () => {
    const rule = {
      from: [
        { podSelector: { matchLabels: { app: "a" } } },
        { namespaceSelector: { matchLabels: { team: "blue" } } },
        { ipBlock: { cidr: "10.0.0.0/30", except: ["10.0.0.1/32"] } },
      ],
      ports: [{ port: "web" }, { port: 8081 }, { port: 9000, endPort: 9009 }, { port: 53, protocol: "UDP" }],
    };
    const state = policyState(
      input({ pods: [a, b, c], namespaces, policies: [parsePolicy(policy({ podSelector: { matchLabels: { app: "b" } }, ingress: [rule] }))] }),
    );
    const sets = [...state.sets];
    expect(sets.map(([, { elements }]) => [...elements])).toEqual([
      [a.ip, c.ip],
      ["10.0.0.0", "10.0.0.2-10.0.0.3"],
    ]);
    const ports = ["meta l4proto tcp th dport { 8080-8081, 9000-9009 } return", "meta l4proto udp th dport { 53 } return"];
    expect(state.chains.get(state.maps.np_ingress.get(b.ip)!)!.split("\n")).toEqual([
      ...sets.flatMap(([name]) => ports.map((port) => `ip saddr @${name} ${port}`)),
      "counter drop",
    ]);
  });

  test("a rule for everybody is one line; all addresses are everybody", () => {
    for (const rule of [{}, { from: [{ ipBlock: { cidr: "0.0.0.0/0" } }] }]) {
      const state = policyState(input({ pods: [a], policies: [parsePolicy(policy({ ingress: [rule] }))] }));
      expect([...state.chains.values()]).toEqual(["return\ncounter drop"]);
    }
  });

  test("unknown addresses are closed; equal pods share a chain; names do not depend on the order of things", () => {
    const one = parsePolicy(policy({ ingress: [{ from: [{ podSelector: {} }] }] }));
    const two = parsePolicy(policy({ policyTypes: ["Ingress"] }, "two"));
    const state = policyState(input({ pods: [a, b], unknown: ["10.244.0.9"], policies: [one, two] }));
    expect(state.maps.np_ingress.get(a.ip)).toBe(state.maps.np_ingress.get(b.ip));
    expect(Object.values(state.maps).map((map) => map.get("10.244.0.9"))).toEqual(["np_deny", "np_deny", "np_deny"]);
    expect(policyState(input({ pods: [b, a], unknown: ["10.244.0.9"], policies: [two, one] })).chains).toEqual(state.chains);
  });
});

test("changes lead from any state to any other, and are the fewer the less has changed", () => {
  const ips = fc.integer({ min: 2, max: 9 }).map((n) => formatIPv4(parseIPv4("10.244.0.0") + n));
  const label = fc.constantFrom("a", "b", "c");
  const pods = fc
    .uniqueArray(fc.record({ ip: ips, app: label }), { selector: ({ ip }) => ip, maxLength: 6 })
    .map((list) => list.map(({ ip, app }) => pod(ip, { app }, "default", [{ name: "web", protocol: "tcp", port: 80 }])));
  const rule = fc.record({
    peers: fc.array(
      fc.oneof(
        label.map((app) => ({ podSelector: { matchLabels: { app } } })),
        fc.constant({ ipBlock: { cidr: "10.1.0.0/16" } }),
      ),
      { maxLength: 2 },
    ),
    ports: fc.array(fc.constantFrom({ port: 80 }, { port: "web" }), { maxLength: 2 }),
  });
  const spec = fc.record({ app: label, ingress: fc.array(rule, { maxLength: 2 }), egress: fc.array(rule, { maxLength: 2 }) });
  const state = fc.tuple(pods, fc.array(spec, { maxLength: 3 })).map(([list, specs]) =>
    policyState(
      input({
        pods: list,
        policies: specs.map(({ app, ingress, egress }, index) =>
          parsePolicy(
            policy(
              {
                podSelector: { matchLabels: { app } },
                policyTypes: ["Ingress", "Egress"],
                ingress: ingress.map(({ peers, ports }) => ({ from: peers, ports })),
                egress: egress.map(({ peers, ports }) => ({ to: peers, ports })),
              },
              `p${index}`,
            ),
          ),
        ),
      }),
    ),
  );
  fc.assert(
    fc.property(state, state, (from, to) => {
      const applied = emptyState();
      for (const target of [from, to, from, emptyState()]) {
        for (const change of policyChanges(applied, target)) change.apply(applied);
        expect(applied).toEqual(target);
        expect(policyChanges(applied, target)).toEqual([]);
      }
    }),
    { numRuns: 60 },
  );
});
