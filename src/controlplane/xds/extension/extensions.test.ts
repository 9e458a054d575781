import { expect, test } from "bun:test";
import { fromBinary } from "@bufbuild/protobuf";
import type { TrafficExtension, TrafficExtensionSpec, WasmPlugin } from "../../../resources/index.ts";
import { RBAC_Action } from "../../../proto/gen/envoy/config/rbac/v3/rbac_pb.ts";
import { RBACSchema } from "../../../proto/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts";
import { parseNode } from "../node.ts";
import { extensionsFor, matches } from "./extensions.ts";
import { extensionConfig, extensionFilter } from "./filters.ts";

const extension = (name: string, spec: TrafficExtensionSpec, namespace = "shop"): TrafficExtension => ({
  apiVersion: "extensions.istio.io/v1alpha1",
  kind: "TrafficExtension",
  metadata: { name, namespace },
  spec,
});
const plugin = (name: string, url: string, more: Partial<WasmPlugin["spec"]> = {}): WasmPlugin => ({
  apiVersion: "extensions.istio.io/v1alpha1",
  kind: "WasmPlugin",
  metadata: { name, namespace: "istio-system" },
  spec: { url, ...more },
});
const node = (metadata: Record<string, string> = {}) => parseNode("sidecar~10.0.0.1~a.shop~shop.svc.cluster.local", { LABELS: { app: "a" }, ...metadata });
const lua = { inlineCode: "function envoy_on_request(h) end" };

test("the own namespace's and the root's, the highest priority first, those without one last", () => {
  const TrafficExtension = [
    extension("none", { lua }),
    extension("low", { lua, priority: -5 }),
    extension("high", { lua, priority: 7 }),
    extension("other", { lua }, "elsewhere"),
    extension("selected", { lua, selector: { matchLabels: { app: "b" } } }),
  ];
  const found = extensionsFor({ TrafficExtension, WasmPlugin: [plugin("root", "oci://x/y:1", { priority: 1 })] }, node(), "istio-system");
  expect(found.map(({ resourceName }) => resourceName.replace("extensions.istio.io/trafficextension/", ""))).toEqual([
    "shop.high",
    "istio-system.root~istio-translated-wasmplugin",
    "shop.low",
    "shop.none",
  ]);
});

test("code that cannot be used is left out, and takes nothing else along", () => {
  const TrafficExtension = [
    extension("empty", {}),
    extension("long", { lua: { inlineCode: "x".repeat(65_537) } }),
    extension("bad", { wasm: { url: "http://" } }),
    extension("good", { lua }),
  ];
  expect(extensionsFor({ TrafficExtension, WasmPlugin: [plugin("nowhere", "")] }, node(), "istio-system").map(({ name }) => name)).toEqual(["good"]);
});

test("a plain Envoy is told of Lua only", () => {
  const configs = { TrafficExtension: [extension("lua", { lua })], WasmPlugin: [plugin("wasm", "x/y:1")] };
  expect(extensionsFor(configs, node({ CHAINMAIL_DIALECT: "envoy" }), "istio-system").map(({ name }) => name)).toEqual(["lua"]);
});

test("where modules do not run, those that must not be left out refuse everything in their place", () => {
  const WasmPlugin = [
    plugin("closed", "x/y:1"),
    plugin("open", "x/y:1", { failStrategy: "FAIL_OPEN" }),
    plugin("bytes", "x/y:1", { type: "NETWORK", failStrategy: "FAIL_CLOSE" }),
  ];
  const found = extensionsFor({ TrafficExtension: [extension("lua", { lua })], WasmPlugin }, node({ CHAINMAIL_PROXY: "true" }), "istio-system");
  expect(found.map(({ code }) => code)).toEqual([{ refusal: "network" }, { refusal: "http" }]);
  const [bytes, http] = found.map((one) => extensionFilter(one).typedConfig);
  expect([bytes?.typeUrl, http?.typeUrl].map((type) => type?.split(".").slice(-4).join("."))).toEqual(["network.rbac.v3.RBAC", "http.rbac.v3.RBAC"]);
  expect(fromBinary(RBACSchema, http?.value ?? new Uint8Array()).rules).toMatchObject({ action: RBAC_Action.ALLOW, policies: {} });
  expect(found.map((one) => extensionConfig(one))).toEqual([undefined, undefined]);
});

test("by the side of the traffic and the port", () => {
  const [first] = extensionsFor(
    { TrafficExtension: [extension("m", { lua, match: [{ mode: "SERVER", ports: [{ number: 80 }] }, { mode: "CLIENT" }] })], WasmPlugin: [] },
    node(),
    "istio-system",
  );
  const fits = (side: "inbound" | "outbound" | "gateway", port: number) => first && matches(first, side, port);
  expect([fits("inbound", 80), fits("inbound", 81), fits("inbound", 0), fits("outbound", 81), fits("gateway", 1)]).toEqual([true, false, false, true, true]);
});
