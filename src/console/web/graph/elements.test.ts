import { expect, test } from "bun:test";
import { buildGraph } from "../../../telemetry/graph/build.ts";
import type { MeshState } from "../model.ts";
import { withIdleNodes } from "./elements.ts";

const workload = (name: string, app: string, version: string, more: Partial<MeshState["workloads"][number]> = {}): MeshState["workloads"][number] => ({
  namespace: "shop",
  workload: name,
  kind: "Deployment",
  app,
  version,
  sidecar: true,
  gateway: false,
  ready: 1,
  pods: 1,
  restarts: 0,
  mode: "STRICT",
  policy: undefined,
  ports: {},
  serviceAccount: app,
  ...more,
});
const mesh = {
  workloads: [
    workload("web-v1", "web", "v1"),
    workload("web-v2", "web", "v2"),
    workload("db", "db", "latest"),
    workload("out", "out", "v1", { sidecar: false }),
    workload("far", "far", "v1", { namespace: "other" }),
  ],
} as MeshState;
const labels = {
  source_workload: "web-v1",
  source_workload_namespace: "shop",
  source_canonical_service: "web",
  source_canonical_revision: "v1",
  destination_workload: "db",
  destination_workload_namespace: "shop",
  destination_canonical_service: "db",
  destination_canonical_revision: "latest",
  destination_service_name: "db",
  destination_service_namespace: "shop",
};

test.each([
  ["workload", ["workload/shop/db", "workload/shop/web-v1", "workload/shop/web-v2"]],
  ["app", ["app/shop/db/", "app/shop/web/"]],
  ["versionedApp", ["app/shop/db/latest", "app/shop/web/v1", "app/shop/web/v2"]],
] as const)("idle nodes of a %s graph are those that traffic would bring, each once", (graphType, ids) => {
  const busy = buildGraph(
    { "http-destination": [{ labels, value: 1 }] },
    { graphType, injectServiceNodes: false, workloadByIp: () => undefined, workloadByPod: () => undefined },
  );
  for (const graph of [busy, { nodes: [], edges: [] }])
    expect(
      withIdleNodes(graph, mesh, ["shop"], graphType)
        .nodes.map(({ id }) => id)
        .sort(),
    ).toEqual([...ids]);
});

test("idle services are those that objects tell of", () => {
  const trait = { labels: {}, features: [] };
  const traits = { "service/shop/db": trait, "service/other/far": trait, "workload/shop/db": trait };
  expect(withIdleNodes({ nodes: [], edges: [] }, mesh, ["shop"], "service", traits).nodes).toEqual([
    { id: "service/shop/db", type: "service", cluster: "", namespace: "shop", service: "db" },
  ]);
});
