import { afterAll, beforeAll, expect, test } from "bun:test";
import { startTestServer, type TestServer } from "../testing.ts";

let api: TestServer;
beforeAll(async () => {
  api = await startTestServer();
  await api.call("POST", "/api/v1/namespaces/default/serviceaccounts", { body: { metadata: { name: "default" } } });
});
afterAll(() => api.close());

const warning = (answer: { headers: Headers }) => answer.headers.get("warning");

test("a write of a kind that nothing acts on says so; reads and deletes do not", async () => {
  const path = "/apis/node.k8s.io/v1/runtimeclasses";
  const created = await api.call("POST", path, { body: { metadata: { name: "q" }, handler: "h" } });
  expect([created.status, warning(created)]).toEqual([201, '299 - "RuntimeClasses are stored, and pods of all of them run alike in this cluster"']);
  expect(warning(await api.call("PATCH", `${path}/q`, { body: { metadata: { labels: { a: "b" } } }, type: "application/merge-patch+json" }))).toContain(
    "run alike",
  );
  expect(warning(await api.call("GET", `${path}/q`))).toBeNull();
  expect(warning(await api.call("DELETE", `${path}/q`))).toBeNull();
});

test("a deprecated version warns with every answer, and comes before what else is to say", async () => {
  expect(warning(await api.call("GET", "/api/v1/endpoints"))).toBe('299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"');
  const version = { served: true, storage: false, schema: { openAPIV3Schema: { type: "object", properties: { spec: { type: "object" } } } } };
  await api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
    body: {
      metadata: { name: "olds.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { plural: "olds", kind: "Old" },
        versions: [
          { ...version, name: "v1", storage: true },
          { ...version, name: "v1beta1", deprecated: true },
          { ...version, name: "v1alpha1", deprecated: true, deprecationWarning: "go away" },
        ],
      },
    },
  });
  expect(warning(await api.call("GET", "/apis/example.com/v1/olds"))).toBeNull();
  expect(warning(await api.call("GET", "/apis/example.com/v1beta1/olds"))).toBe('299 - "example.com/v1beta1 Old is deprecated"');
  const created = await api.call("POST", "/apis/example.com/v1alpha1/namespaces/default/olds", { body: { metadata: { name: "o" }, spec: { x: 1 } } });
  expect(warning(created)).toBe('299 - "go away", 299 - "unknown field \\"spec.x\\""');
});

test("an eviction is refused when the budget's pods would be too few", async () => {
  const pods = "/api/v1/namespaces/default/pods";
  for (const name of ["a", "b"]) {
    await api.call("POST", pods, { body: { metadata: { name, labels: { app: "x" } }, spec: { containers: [{ name: "c", image: "x" }] } } });
    await api.call("PATCH", `${pods}/${name}/status`, {
      body: { status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] } },
      type: "application/merge-patch+json",
    });
  }
  await api.call("POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", {
    body: { metadata: { name: "b" }, spec: { maxUnavailable: "50%", selector: { matchLabels: { app: "x" } } } },
  });
  const evict = (name: string) => api.call("POST", `${pods}/${name}/eviction`, { body: { metadata: { name } } });
  expect((await evict("a")).status).toBe(201);
  await api.call("POST", pods, { body: { metadata: { name: "a", labels: { app: "x" } }, spec: { containers: [{ name: "c", image: "x" }] } } });
  const refused = await evict("b");
  expect([refused.status, refused.body.details]).toEqual([
    429,
    { causes: [{ reason: "DisruptionBudget", message: "The disruption budget b needs 1 healthy pods and has 1 currently" }] },
  ]);
});
