import { expect, test } from "bun:test";
import { ChainmailError } from "../../base/index.ts";
import { parseNode } from "./node.ts";

const ID = "sidecar~10.0.0.1~web-1.shop~shop.svc.cluster.local";

test("reads type, addresses, pod and namespace", () => {
  const node = parseNode(ID, { NAMESPACE: "shop", INSTANCE_IPS: "10.0.0.1, fd00::1", LABELS: { app: "web", odd: 1 }, ISTIO_VERSION: "1.31.0" });
  expect(node).toMatchObject({
    type: "sidecar",
    addresses: ["10.0.0.1", "fd00::1"],
    podName: "web-1",
    namespace: "shop",
    labels: { app: "web" },
    dialect: "istio",
    clusterId: "Kubernetes",
  });
});

test("a plain Envoy says so", () => {
  expect(parseNode(ID, { CHAINMAIL_DIALECT: "envoy" }).dialect).toBe("envoy");
});

test("odd metadata counts as none", () => {
  for (const metadata of [undefined, null, "text", [], { LABELS: "x", NAMESPACE: 7 }])
    expect(parseNode(ID, metadata)).toMatchObject({ namespace: "shop", labels: {} });
});

test("refuses ids of another form, without repeating all of a long one", () => {
  for (const id of ["", "sidecar", "pod~1~a.b~c", "sidecar~~a.b~c", `sidecar~1~${"a".repeat(100_000)}~c`]) {
    expect(() => parseNode(id, {})).toThrow(ChainmailError);
    try {
      parseNode(id, {});
    } catch (thrown) {
      expect((thrown as Error).message.length).toBeLessThan(500);
    }
  }
});
