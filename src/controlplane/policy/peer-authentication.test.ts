import { describe, expect, test } from "bun:test";
import type { MutualTlsMode, PeerAuthentication } from "../../resources/index.ts";
import { modeForPort, PeerAuthenticationPolicies } from "./peer-authentication.ts";

const WEB = { namespace: "shop", labels: { app: "web" } };

/** Mesh, namespace, workload, port; what holds for port 80 of the workload. */
const LEVELS: [MutualTlsMode | undefined, MutualTlsMode | undefined, MutualTlsMode | undefined, MutualTlsMode | undefined, string][] = [
  [undefined, undefined, undefined, undefined, "PERMISSIVE"],
  ["STRICT", undefined, undefined, undefined, "STRICT"],
  ["STRICT", "PERMISSIVE", undefined, undefined, "PERMISSIVE"],
  ["STRICT", "UNSET", undefined, undefined, "STRICT"],
  ["DISABLE", "STRICT", undefined, undefined, "STRICT"],
  ["STRICT", "DISABLE", "UNSET", undefined, "DISABLE"],
  ["PERMISSIVE", "DISABLE", "STRICT", undefined, "STRICT"],
  ["STRICT", "STRICT", "STRICT", "DISABLE", "DISABLE"],
  ["DISABLE", "DISABLE", "DISABLE", "STRICT", "STRICT"],
  ["PERMISSIVE", "DISABLE", "STRICT", "UNSET", "STRICT"],
];

describe("the narrowest level that says anything counts", () => {
  for (const [mesh, namespace, workload, port, expected] of LEVELS) {
    test(`mesh ${mesh}, namespace ${namespace}, workload ${workload}, port ${port}: ${expected}`, () => {
      const policies = [policy("istio-system", mesh), policy("shop", namespace), policy("shop", workload, { app: "web" }, port)].filter(
        ({ spec }) => spec?.mtls || spec?.portLevelMtls,
      );
      const effective = new PeerAuthenticationPolicies(policies, "istio-system").effective(WEB);
      expect(modeForPort(effective, 80)).toBe(expected as "STRICT");
    });
  }
});

test("of several at one level the oldest counts", () => {
  const policies = new PeerAuthenticationPolicies([policy("shop", "STRICT"), policy("shop", "DISABLE")], "istio-system");
  expect(policies.namespaceMode("shop")).toBe("STRICT");
});

test("a selector in the root namespace reaches nobody", () => {
  const policies = new PeerAuthenticationPolicies([policy("istio-system", "DISABLE", { app: "web" })], "istio-system");
  expect(policies.effective(WEB).mode).toBe("PERMISSIVE");
});

test("a mode that does not exist does not open what a wider policy closes", () => {
  const policies = new PeerAuthenticationPolicies([policy("istio-system", "STRICT"), policy("shop", "OPEN" as MutualTlsMode)], "istio-system");
  expect(policies.effective(WEB).mode).toBe("STRICT");
});

test("clients only depend on policies where one turns mutual TLS off", () => {
  expect(new PeerAuthenticationPolicies([policy("istio-system", "STRICT")], "istio-system").disabling).toBeUndefined();
  expect(new PeerAuthenticationPolicies([policy("shop", undefined, { app: "web" }, "DISABLE")], "istio-system").disabling).toBeDefined();
});

function policy(namespace: string, mode: MutualTlsMode | undefined, matchLabels?: Record<string, string>, port?: MutualTlsMode): PeerAuthentication {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { name: "p", namespace },
    spec: { ...(matchLabels && { selector: { matchLabels } }), ...(mode && { mtls: { mode } }), ...(port && { portLevelMtls: { 80: { mode: port } } }) },
  };
}
