import { describe, expect, test } from "bun:test";
import { HAS_CLUSTER, must, sh } from "./shell.ts";

const peerAuthentication = (spec: string) => `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: bad
spec:
${spec.replace(/^/gm, "  ")}
`;

/** What is refused, and a part of what kubectl must say; the whole texts are in test/golden/validation. */
const REFUSED: [string, string, string][] = [
  ["unknown field", "mtls:\n  mode: STRICT\nfoo: bar", 'unknown field "spec.foo"'],
  ["bad mode", "mtls:\n  mode: HARD", 'spec.mtls.mode: Unsupported value: "HARD": supported values: "UNSET", "DISABLE", "PERMISSIVE", "STRICT"'],
  ["portLevelMtls without selector", "portLevelMtls:\n  8080:\n    mode: STRICT", "portLevelMtls requires selector"],
  ["port 0", "selector:\n  matchLabels:\n    app: x\nportLevelMtls:\n  0:\n    mode: STRICT", "port must be between 1-65535"],
];

describe.if(HAS_CLUSTER)("a bad PeerAuthentication", () => {
  for (const [title, spec, message] of REFUSED) {
    test(`with ${title} is refused and not stored`, async () => {
      const result = await sh("kubectl apply -n istioinaction -f -", { input: peerAuthentication(spec) });
      expect(result.exitCode).toBe(1);
      expect(result.stderr).toContain(message);
      expect(await must("kubectl get peerauthentication bad -n istioinaction --ignore-not-found -o name")).toBe("");
    });
  }
});
