import { expect, test } from "bun:test";
import type { KubeObject } from "../../resources/index.ts";
import { checkShape } from "./shape.ts";

const problem = (kind: string, spec: unknown): string | undefined => {
  const shape = checkShape({ apiVersion: "networking.istio.io/v1", kind, metadata: { name: "a", namespace: "b" }, spec } as KubeObject);
  return "problem" in shape ? shape.problem : undefined;
};

test("values of another type are named with their path", () => {
  expect(problem("Gateway", { selector: { a: 1 } })).toBe("spec.selector.a: must be a string");
  expect(problem("Gateway", { servers: [{ hosts: ["a"], port: { number: "80", name: "x", protocol: "HTTP" } }] })).toBe(
    "spec.servers[0].port.number: must be an integer from 0 to 4294967295",
  );
  expect(problem("Gateway", { servers: [null] })).toBe("spec.servers[0]: must not be null");
  expect(problem("Gateway", { servers: [{ port: { number: 80, name: "x", protocol: "HTTP" } }] })).toBe("spec.servers[0].hosts: is required");
  expect(problem("VirtualService", { hosts: ["a"], http: [{ route: [{ destination: { host: "a" }, weight: 1e12 }] }] })).toContain(
    "weight: must be an integer",
  );
  expect(problem("VirtualService", "x")).toBe("spec: must be an object");
  expect(problem("Sidecar", { egress: [{ hosts: ["*/*"], captureMode: true }] })).toContain("captureMode: must be a string");
});

test("what a definition does not know, or leaves open, passes", () => {
  expect(problem("Gateway", { newField: [1] })).toBeUndefined();
  expect(problem("EnvoyFilter", { configPatches: [{ applyTo: "CLUSTER", patch: { operation: "MERGE", value: { anything: [null, 7] } } }] })).toBeUndefined();
  expect(problem("ConfigMap", 7)).toBeUndefined();
  expect(problem("Gateway", undefined)).toBeUndefined();
});

test("nulls are dropped from fields, and an object without any stays the same one", () => {
  const object = {
    apiVersion: "networking.istio.io/v1",
    kind: "Gateway",
    metadata: { name: "a" },
    spec: { selector: null, servers: [{ hosts: ["a"], tls: null, port: { number: 80, name: "x", protocol: "HTTP" } }] },
  } as unknown as KubeObject;
  expect(checkShape(object)).toMatchObject({ object: { spec: { servers: [{ hosts: ["a"], port: { number: 80, name: "x", protocol: "HTTP" } }] } } });
  const plain = { ...object, spec: { selector: { a: "b" } } } as KubeObject;
  expect(checkShape(plain)).toEqual({ object: plain });
  expect((checkShape(plain) as { object: KubeObject }).object).toBe(plain);
});
