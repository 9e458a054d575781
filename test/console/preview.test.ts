import { describe, expect, test } from "bun:test";
import { affectedBy, clientsRefused } from "../../src/console/api/preview.ts";
import type { PeerAuthenticationView } from "../../src/console/server/mesh-view.ts";
import { STRICT, fakeMesh } from "./fake-mesh.ts";

const names = (list: { workload: string }[]) => list.map(({ workload }) => workload);
const open: PeerAuthenticationView = {
  apiVersion: "security.istio.io/v1",
  kind: "PeerAuthentication",
  metadata: { name: "open", namespace: "istioinaction", creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: { selector: { matchLabels: { app: "web-api" } }, mtls: { mode: "PERMISSIVE" } },
};
const flow = (source: string, destination: string, value: number) => ({
  labels: {
    source_workload: source,
    source_workload_namespace: source === "unknown" ? "unknown" : "istioinaction",
    destination_workload: destination,
    destination_workload_namespace: "istioinaction",
  },
  value,
});
const nothing = { plaintext: [], sent: [], mutual: [], connections: [], logged: [] };

describe("before you apply", () => {
  test("which workloads would change, by the level of the policy and those closer by", () => {
    const mesh = { level: "mesh", namespace: "", workload: "" } as const;
    expect(names(affectedBy(fakeMesh(), mesh, "STRICT"))).toEqual(["istio-ingressgateway", "purchase-history-v1", "recommendation", "sleep", "web-api"]);
    expect(affectedBy(fakeMesh({ policies: [STRICT] }), mesh, "STRICT")).toEqual([]);
    expect(names(affectedBy(fakeMesh({ policies: [open] }), mesh, "STRICT"))).not.toContain("web-api");
    expect(affectedBy(fakeMesh({ policies: [STRICT] }), { level: "workload", namespace: "istioinaction", workload: "web-api" }, "PERMISSIVE")).toEqual([
      { namespace: "istioinaction", workload: "web-api", now: "STRICT", becomes: "PERMISSIVE", openPorts: [] },
    ]);
    expect(names(affectedBy(fakeMesh(), { level: "namespace", namespace: "istio-system", workload: "" }, "STRICT"))).toHaveLength(5);
  });

  test("clients are named by the log where metrics know no name", () => {
    const mesh = fakeMesh();
    const affected = affectedBy(mesh, { level: "mesh", namespace: "", workload: "" }, "STRICT");
    const logged = [{ ip: "10.244.0.9", to: { namespace: "istioinaction", workload: "web-api" }, count: 7, lastSeen: "2026-11-24T06:23:50Z" }];
    expect(clientsRefused(affected, { ...nothing, plaintext: [flow("unknown", "web-api", 7)], logged }, mesh)).toEqual([
      {
        from: "sleep.default",
        because: "no-sidecar",
        to: { namespace: "istioinaction", workload: "web-api" },
        requests: 7,
        source: "access log",
        lastSeen: "2026-11-24T06:23:50Z",
      },
    ]);
    expect(clientsRefused(affected, { ...nothing, plaintext: [flow("unknown", "web-api", 7)] }, mesh)).toMatchObject([{ from: undefined, requests: 7 }]);
  });

  test("clients are named by the proxies' own count of connections where no log is written, and share what came", () => {
    const mesh = fakeMesh();
    const affected = affectedBy(mesh, { level: "mesh", namespace: "", workload: "" }, "STRICT");
    const to = { namespace: "istioinaction", workload: "web-api" };
    const connections = [
      { ip: "10.244.0.9", to, count: 3 },
      { ip: "192.0.2.7", to, count: 1 },
    ];
    expect(clientsRefused(affected, { ...nothing, plaintext: [flow("unknown", "web-api", 8)], connections }, mesh)).toMatchObject([
      { from: "sleep.default", because: "no-sidecar", requests: 6, source: "metrics" },
      { from: "192.0.2.7", because: "unknown", requests: 2, source: "metrics" },
    ]);
    // A connection that was opened long ago and is silent would be cut off as well.
    expect(clientsRefused(affected, { ...nothing, connections: [{ ip: "10.244.0.9", to, count: 1 }] }, mesh)).toMatchObject([
      { from: "sleep.default", requests: 1 },
    ]);
  });

  test("a sidecar that was told to speak plaintext is found, one that speaks mutual TLS is not", () => {
    const mesh = fakeMesh();
    const affected = affectedBy(mesh, { level: "mesh", namespace: "", workload: "" }, "STRICT");
    const found = clientsRefused(
      affected,
      {
        ...nothing,
        plaintext: [flow("unknown", "web-api", 5)],
        sent: [flow("sleep", "web-api", 5), flow("recommendation", "web-api", 9)],
        mutual: [flow("recommendation", "web-api", 9)],
      },
      mesh,
    );
    expect(found).toMatchObject([{ from: "sleep.istioinaction", because: "sidecar-in-plaintext" }]);
  });

  test("nobody is refused by what stays as it is", () => {
    const mesh = fakeMesh({ policies: [open] });
    expect(
      clientsRefused(
        affectedBy(mesh, { level: "mesh", namespace: "", workload: "" }, "STRICT"),
        { ...nothing, plaintext: [flow("unknown", "web-api", 7)] },
        mesh,
      ),
    ).toEqual([]);
  });
});
