import { expect, test } from "bun:test";
import { jsonPath } from "./json-path.ts";

const object = {
  metadata: { name: "x", annotations: { "a.b/c": "dotted" } },
  spec: {
    hosts: ["a", "b"],
    ports: [
      { name: "http", port: 80 },
      { name: "https", port: 443 },
    ],
    count: 0,
  },
  status: {
    conditions: [
      { type: "Ready", status: "True" },
      { type: "Other", status: "False" },
    ],
  },
};

test("what printer columns use", () => {
  const cases: [string, unknown[]][] = [
    [".metadata.name", ["x"]],
    [".spec.count", [0]],
    [".spec.hosts", [["a", "b"]]],
    [".spec.hosts[1]", ["b"]],
    [".spec.hosts[-1]", ["b"]],
    [".spec.ports[*].port", [80, 443]],
    [".spec.ports[0].name", ["http"]],
    [".metadata.annotations['a.b/c']", ["dotted"]],
    [".metadata.annotations['a\\.b/c']", ["dotted"]],
    [".metadata.annotations.a\\.b/c", ["dotted"]],
    ['.status.conditions[?(@.type=="Ready")].status', ["True"]],
    [".status.conditions[?(@.type != 'Ready')].status", ["False"]],
    [".spec.ports[?(@.port==443)].name", ["https"]],
    ["{.metadata.name}", ["x"]],
    [".spec.missing.deeper", []],
    [".spec.hosts[7]", []],
  ];
  for (const [path, expected] of cases) expect([path, jsonPath(path)(object)]).toEqual([path, expected]);
});

test("nonsense is refused", () => {
  for (const path of [".spec[", ".a[?(@.x=", "[?]", ".a]b"]) expect(() => jsonPath(path)).toThrow("JSON path");
});
