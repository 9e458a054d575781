import { expect, test } from "bun:test";
import type { PeerAuthenticationView, PodView } from "../server/mesh-view.ts";
import { effectiveMode, meshStatus, namespaceStatus, portModes } from "./mtls.ts";

const policy = (
  namespace: string,
  mode: string,
  more: Partial<PeerAuthenticationView["spec"]> = {},
  created = "2026-01-01T00:00:00Z",
): PeerAuthenticationView => ({
  apiVersion: "security.istio.io/v1",
  kind: "PeerAuthentication",
  metadata: { name: `p-${mode}`.toLowerCase(), namespace, creationTimestamp: created },
  spec: { mtls: { mode }, ...more },
});
const pod: PodView = { apiVersion: "v1", kind: "Pod", metadata: { name: "web-1", namespace: "shop", labels: { app: "web" } } };
const webOnly = { selector: { matchLabels: { app: "web" } } };

test("the mesh's status follows the root namespace's policy without a selector", () => {
  expect(meshStatus([])).toBe("MTLS_NOT_ENABLED");
  expect(meshStatus([policy("istio-system", "STRICT")])).toBe("MTLS_ENABLED");
  expect(meshStatus([policy("istio-system", "PERMISSIVE")])).toBe("MTLS_PARTIALLY_ENABLED");
  expect(meshStatus([policy("istio-system", "STRICT", webOnly)])).toBe("MTLS_NOT_ENABLED");
  expect(meshStatus([policy("shop", "STRICT")])).toBe("MTLS_NOT_ENABLED");
});

test("a namespace has its own status or says what it inherits", () => {
  expect(namespaceStatus("shop", [policy("shop", "STRICT")])).toBe("MTLS_ENABLED");
  expect(namespaceStatus("shop", [policy("istio-system", "STRICT")])).toBe("UNSET_INHERITED_STRICT");
  expect(namespaceStatus("shop", [policy("istio-system", "PERMISSIVE")])).toBe("UNSET_INHERITED_PERMISSIVE");
  expect(namespaceStatus("shop", [])).toBe("UNSET");
});

test("a workload's mode: the closest level decides, the oldest policy of a level, UNSET passes on", () => {
  expect(effectiveMode(pod, [])).toEqual({ mode: "PERMISSIVE", policy: undefined });
  expect(effectiveMode(pod, [policy("istio-system", "STRICT"), policy("shop", "DISABLE")]).mode).toBe("DISABLE");
  expect(effectiveMode(pod, [policy("shop", "DISABLE"), policy("shop", "STRICT", webOnly)]).policy).toBe("shop/p-strict");
  expect(effectiveMode(pod, [policy("shop", "STRICT", {}, "2026-01-02T00:00:00Z"), policy("shop", "DISABLE")]).mode).toBe("DISABLE");
  expect(effectiveMode(pod, [policy("istio-system", "STRICT"), policy("shop", "UNSET", webOnly)]).mode).toBe("STRICT");
  expect(portModes(pod, [policy("shop", "STRICT", { ...webOnly, portLevelMtls: { 8080: { mode: "DISABLE" } } })])).toEqual({ "8080": "DISABLE" });
});
