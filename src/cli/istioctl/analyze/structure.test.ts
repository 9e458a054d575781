import { expect, test } from "bun:test";
import type { KubeObject } from "../../../resources/types.ts";
import { messageAt } from "./message-names.ts";
import { structureProblem, unknownFields } from "./structure.ts";

const object = (group: string, kind: string, spec: object, version = "v1"): KubeObject => ({ apiVersion: `${group}.istio.io/${version}`, kind, metadata: { name: "x" }, spec });

test("unknown fields are told by the message that lacks them, through lists and maps", () => {
  const fields = (group: string, kind: string, spec: object, version = "v1"): string[] => unknownFields(object(group, kind, spec, version));
  expect(fields("networking", "VirtualService", { hosts: ["a"], nope: 1, http: [{ match: [{ headers: { "x.y": { exactt: "a" } } }], fault: { delay: { fixed: "1s" } } }] })).toEqual([
    'unknown field "nope" in istio.networking.v1alpha3.VirtualService',
    'unknown field "exactt" in istio.networking.v1alpha3.StringMatch',
    'unknown field "fixed" in istio.networking.v1alpha3.HTTPFaultInjection.Delay',
  ]);
  expect(fields("security", "PeerAuthentication", { selector: { labels: {} }, portLevelMtls: { 8080: { node: "STRICT" } } })).toEqual([
    'unknown field "labels" in istio.type.v1beta1.WorkloadSelector',
    'unknown field "node" in istio.security.v1beta1.PeerAuthentication.MutualTLS',
  ]);
  expect(fields("networking", "ProxyConfig", { concurency: 1 }, "v1beta1")).toEqual(['unknown field "concurency" in istio.networking.v1beta1.ProxyConfig']);
  expect(fields("networking", "Gateway", { servers: [{ hosts: ["a"] }] })).toEqual([]);
});

test("words that are none of an enumeration's are told by its name, other types by the field", () => {
  expect(structureProblem(object("security", "PeerAuthentication", { mtls: { mode: 'ST"RICT' } }))).toBe(`unknown value ${JSON.stringify(JSON.stringify('ST"RICT'))} for enum istio.security.v1beta1.PeerAuthentication.MutualTLS.Mode`);
  expect(structureProblem(object("networking", "DestinationRule", { host: "a", trafficPolicy: { loadBalancer: { simple: "NOPE" } } }))).toBe('unknown value "\\"NOPE\\"" for enum istio.networking.v1alpha3.LoadBalancerSettings.SimpleLB');
  expect(structureProblem(object("networking", "Gateway", { servers: [{ hosts: "a" }] }))).toContain("spec.servers[0].hosts: ");
  expect(structureProblem(object("networking", "Gateway", { servers: null }))).toBeUndefined();
});

test("types by path", () => {
  expect(messageAt("networking.istio.io", "VirtualService", "http[0].route[0].destination")).toBe("istio.networking.v1alpha3.Destination");
  expect(messageAt("networking.istio.io", "VirtualService", "http[0].timeout")).toBeUndefined();
  expect(messageAt("telemetry.istio.io", "Telemetry", "metrics[0].overrides[0].tagOverrides[a.b].operation")).toBe("istio.telemetry.v1alpha1.MetricsOverrides.TagOverride.Operation");
  // The API server's paths name keys as they name fields.
  expect(messageAt("security.istio.io", "PeerAuthentication", "portLevelMtls.8080.mode")).toBe("istio.security.v1beta1.PeerAuthentication.MutualTLS.Mode");
});
