import { expect, test } from "bun:test";
import type { KubeObject } from "../../../resources/types.ts";
import { readStructure } from "./structure.ts";

const object = (group: string, kind: string, spec: unknown, version = "v1"): KubeObject => ({
  apiVersion: `${group}.istio.io/${version}`,
  kind,
  metadata: { name: "x" },
  spec,
});
const problem = (group: string, kind: string, spec: unknown, version = "v1"): string | undefined =>
  readStructure(object(group, kind, spec, version), false).problem;

test("unknown fields are told by the message that lacks them, through lists and maps", () => {
  expect(problem("networking", "VirtualService", { hosts: ["a"], nope: 1 })).toBe('unknown field "nope" in istio.networking.v1alpha3.VirtualService');
  // What is below comes first.
  expect(problem("networking", "VirtualService", { nope: 1, http: [{ match: [{ headers: { "x.y": { exactt: "a" } } }] }] })).toBe(
    'unknown field "exactt" in istio.networking.v1alpha3.StringMatch',
  );
  expect(problem("networking", "VirtualService", { http: [{ fault: { delay: { fixed: "1s" } } }] })).toBe(
    'unknown field "fixed" in istio.networking.v1alpha3.HTTPFaultInjection.Delay',
  );
  expect(problem("security", "PeerAuthentication", { portLevelMtls: { 8080: { node: "STRICT" } } })).toBe(
    'unknown field "node" in istio.security.v1beta1.PeerAuthentication.MutualTLS',
  );
  expect(problem("networking", "ProxyConfig", { concurency: 1 }, "v1beta1")).toBe('unknown field "concurency" in istio.networking.v1beta1.ProxyConfig');
  expect(problem("networking", "Gateway", { servers: [{ hosts: ["a"] }] })).toBeUndefined();
  expect(readStructure(object("networking", "VirtualService", { hosts: ["a"], nope: 1 }), true)).toEqual({
    object: object("networking", "VirtualService", { hosts: ["a"] }),
  });
});

test("words that are none of an enumeration's are told by its name", () => {
  expect(problem("security", "PeerAuthentication", { mtls: { mode: 'ST"RICT' } })).toBe(
    `unknown value ${JSON.stringify(JSON.stringify('ST"RICT'))} for enum istio.security.v1beta1.PeerAuthentication.MutualTLS.Mode`,
  );
  expect(problem("networking", "DestinationRule", { host: "a", trafficPolicy: { loadBalancer: { simple: "NOPE" } } })).toBe(
    'unknown value "\\"NOPE\\"" for enum istio.networking.v1alpha3.LoadBalancerSettings.SimpleLB',
  );
});

test("values of another type, in the words of each reader", () => {
  const hosts = object("networking", "Gateway", { servers: [{ hosts: "a" }] });
  expect(readStructure(hosts, false).problem).toBe("json: cannot unmarshal string into Go value of type []json.RawMessage");
  expect(readStructure(hosts, true).problem).toBe("json: cannot unmarshal string into Go struct field Gateway.spec of type []json.RawMessage");
  expect(problem("networking", "DestinationRule", { host: 1 })).toBe("json: cannot unmarshal number into Go value of type string");
  expect(problem("networking", "Gateway", { servers: [{ port: { number: 80.5 } }] })).toBe("json: cannot unmarshal number 80.5 into Go value of type uint32");
  expect(problem("networking", "VirtualService", { http: [{ timeout: "5" }] })).toBe('bad Duration: time: missing unit in duration "5"');
  expect(problem("security", "PeerAuthentication", { portLevelMtls: { "8080a": {} } })).toBe("invalid character 'a' after top-level value");
  // Not a mismatch of its own any more: the same for both.
  expect(readStructure(object("networking", "EnvoyFilter", { configPatches: [{ patch: { value: "x" } }] }), true).problem).toBe(
    "bad StructValue: json: cannot unmarshal string into Go value of type map[string]json.RawMessage",
  );
});

test("both names of a field, numbers as strings and enumerations by number are read", () => {
  const spec = { host: "a", traffic_policy: { tls: { mode: 2 }, connectionPool: { tcp: { max_connections: "5" } } }, exportTo: null };
  expect(readStructure(object("networking", "DestinationRule", spec), false)).toEqual({
    object: object("networking", "DestinationRule", { host: "a", trafficPolicy: { tls: { mode: "MUTUAL" }, connectionPool: { tcp: { maxConnections: 5 } } } }),
  });
});
