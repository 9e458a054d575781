import { afterAll, beforeAll, expect, test } from "bun:test";
import { Store } from "../../store/index.ts";
import { startTestServer, type TestServer } from "../testing.ts";

let api: TestServer;
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const CRONTABS = "/apis/stable.example.com/v1/namespaces/lab/crontabs";

const spec = {
  type: "object",
  required: ["cronSpec"],
  properties: {
    cronSpec: { type: "string", pattern: "^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$" },
    image: { type: "string", default: "busybox" },
    replicas: { type: "integer", minimum: 1, maximum: 10, default: 1 },
    tags: { type: "array", "x-kubernetes-list-type": "set", items: { type: "string" } },
    ports: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["port"],
      items: { type: "object", required: ["port"], properties: { port: { type: "integer" }, name: { type: "string" } } },
    },
    free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    nested: { type: "object", properties: { level: { type: "string", enum: ["low", "high"], default: "low" } } },
  },
  "x-kubernetes-validations": [
    {
      rule: "self.replicas <= 5 || self.image == 'big'",
      messageExpression: "'at most 5 of ' + self.image",
      reason: "FieldValueForbidden",
      fieldPath: ".replicas",
    },
    { rule: "self.cronSpec == oldSelf.cronSpec", message: "cronSpec is immutable" },
  ],
};

const crd = {
  metadata: { name: "crontabs.stable.example.com" },
  spec: {
    group: "stable.example.com",
    scope: "Namespaced",
    names: { plural: "crontabs", kind: "CronTab", shortNames: ["ct"] },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: { spec, status: { type: "object", properties: { replicas: { type: "integer" }, labelSelector: { type: "string" } } } },
          },
        },
        subresources: {
          status: {},
          scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas", labelSelectorPath: ".status.labelSelector" },
        },
        additionalPrinterColumns: [{ name: "Spec", type: "string", jsonPath: ".spec.cronSpec" }],
      },
    ],
  },
};

beforeAll(async () => {
  api = await startTestServer();
  await api.call("POST", "/api/v1/namespaces", { body: { metadata: { name: "lab" } } });
});
afterAll(() => api.close());

const create = (name: string, body: object) => api.call("POST", CRONTABS, { body: { metadata: { name }, spec: { cronSpec: "* * * * *", ...body } } });

test("a definition is served as soon as it is there", async () => {
  expect((await api.call("GET", CRONTABS)).status).toBe(404);
  const created = await api.call("POST", CRDS, { body: crd });
  expect(created.status).toBe(201);
  expect((created.body.status as { conditions: object[] }).conditions).toMatchObject([
    { type: "NamesAccepted", status: "True" },
    { type: "Established", status: "True" },
  ]);
  expect((await api.call("GET", CRONTABS)).body).toMatchObject({ kind: "CronTabList", apiVersion: "stable.example.com/v1", items: [] });
  expect((await api.call("GET", "/apis/stable.example.com/v1")).text).toContain('"shortNames":["ct"]');
  expect((await api.call("GET", "/openapi/v3")).text).toContain("apis/stable.example.com/v1");
});

test("defaults are filled in and unknown fields pruned, but for where they are kept", async () => {
  const { body } = await create("plain", { unknown: 1, free: { any: { thing: true } }, nested: {} });
  expect(body.spec).toEqual({ cronSpec: "* * * * *", image: "busybox", replicas: 1, free: { any: { thing: true } }, nested: { level: "low" } });
  expect(body.metadata).toMatchObject({ generation: 1 });
});

test("what breaks the schema is refused with every cause", async () => {
  const { body } = await create("bad", {
    cronSpec: "x",
    replicas: 0,
    tags: ["a", "a"],
    ports: [{ port: 1 }, { port: 1 }, {}],
    nested: { level: "mid" },
    image: 5,
  });
  const causes = (body.details as { causes: { field: string; message: string }[] }).causes.map(({ field, message }) => `${field}: ${message}`);
  expect(causes.sort()).toEqual(
    [
      `spec.cronSpec: Invalid value: "x": spec.cronSpec in body should match '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$'`,
      "spec.replicas: Invalid value: 0: spec.replicas in body should be greater than or equal to 1",
      'spec.tags[1]: Duplicate value: "a"',
      'spec.ports[1]: Duplicate value: {"port":1}',
      "spec.ports[2].port: Required value",
      'spec.nested.level: Unsupported value: "mid": supported values: "low", "high"',
      'spec.image: Invalid value: "integer": spec.image in body must be of type string: "integer"',
      "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
    ].sort(),
  );
});

test("CEL rules: messages of their own, transitions", async () => {
  expect((await create("many", { replicas: 7 })).body.message).toBe(
    'CronTab.stable.example.com "many" is invalid: spec.replicas: Forbidden: at most 5 of busybox',
  );
  expect((await create("many", { replicas: 7, image: "big" })).status).toBe(201);
  const patched = await api.call("PATCH", `${CRONTABS}/many`, { body: { spec: { cronSpec: "1 * * * *" } }, type: "application/merge-patch+json" });
  expect(patched.body.message).toBe('CronTab.stable.example.com "many" is invalid: spec: Invalid value: "object": cronSpec is immutable');
});

test("status and spec have endpoints of their own, and generation counts the spec", async () => {
  await create("split", {});
  const path = `${CRONTABS}/split`;
  const main = await api.call("PATCH", path, { body: { spec: { replicas: 2 }, status: { replicas: 9 } }, type: "application/merge-patch+json" });
  expect(main.body).toMatchObject({ spec: { replicas: 2 }, metadata: { generation: 2 } });
  expect(main.body).not.toHaveProperty("status");
  const status = await api.call("PATCH", `${path}/status`, {
    body: { metadata: { labels: { a: "b" } }, spec: { replicas: 5 }, status: { replicas: 1, labelSelector: "app=x" } },
    type: "application/merge-patch+json",
  });
  expect(status.body).toMatchObject({ spec: { replicas: 2 }, status: { replicas: 1 }, metadata: { generation: 2 } });
  expect(status.body.metadata).not.toHaveProperty("labels");
  const scale = await api.call("PATCH", `${path}/scale`, { body: { spec: { replicas: 3 } }, type: "application/merge-patch+json" });
  expect(scale.body).toMatchObject({ kind: "Scale", apiVersion: "autoscaling/v1", spec: { replicas: 3 }, status: { replicas: 1, selector: "app=x" } });
  expect((await api.call("GET", path)).body.spec).toMatchObject({ replicas: 3 });
});

test("PUT needs the version; strategic patches and protobuf are for built-in kinds", async () => {
  await create("put", {});
  const put = await api.call("PUT", `${CRONTABS}/put`, { body: { metadata: { name: "put" }, spec: { cronSpec: "* * * * *" } } });
  expect(put.body).toMatchObject({
    code: 422,
    message: 'crontabs.stable.example.com "put" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
  });
  const strategic = await api.call("PATCH", `${CRONTABS}/put`, { body: {}, type: "application/strategic-merge-patch+json" });
  expect([strategic.status, strategic.body.message]).toEqual([
    415,
    "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
  ]);
  expect((await api.call("POST", CRONTABS, { body: "k8s\0", type: "application/vnd.kubernetes.protobuf" })).status).toBe(415);
});

test("server-side apply merges lists by the schema's keys", async () => {
  const apply = (manager: string, body: object) =>
    api.call("PATCH", `${CRONTABS}/lists?fieldManager=${manager}`, {
      body: { apiVersion: "stable.example.com/v1", kind: "CronTab", metadata: { name: "lists" }, spec: body },
      type: "application/apply-patch+yaml",
    });
  await apply("a", { cronSpec: "* * * * *", tags: ["x"], ports: [{ port: 1, name: "one" }] });
  const merged = await apply("b", { tags: ["y"], ports: [{ port: 2 }] });
  expect(merged.body.spec).toMatchObject({ tags: ["x", "y"], ports: [{ port: 1, name: "one" }, { port: 2 }] });
  expect((await apply("b", { tags: ["y"], ports: [{ port: 1, name: "two" }] })).body.message).toContain('conflict with "a": .spec.ports[port=1].name');
  expect((await apply("a", { cronSpec: "* * * * *" })).body.spec).toMatchObject({ tags: ["y"], ports: [{ port: 2 }] });
  const undeclared = await apply("a", { nope: 1 });
  expect([undeclared.status, undeclared.body.message]).toEqual([
    500,
    "failed to create typed patch object (/lists; stable.example.com/v1, Kind=CronTab): .spec.nope: field not declared in schema",
  ]);
});

test("deleting a definition deletes its objects; a finalizer among them holds it", async () => {
  await api.call("PATCH", `${CRONTABS}/plain`, { body: { metadata: { finalizers: ["x.io/hold"] } }, type: "application/merge-patch+json" });
  const marked = await api.call("DELETE", `${CRDS}/crontabs.stable.example.com`);
  expect(marked.body.metadata).toMatchObject({ finalizers: ["customresourcecleanup.apiextensions.k8s.io"] });
  const left = async () => ((await api.call("GET", CRONTABS)).body.items as { metadata: { name: string } }[] | undefined)?.map(({ metadata }) => metadata.name);
  while ((await left())?.length !== 1) await Bun.sleep(1);
  expect((await api.call("GET", `${CRDS}/crontabs.stable.example.com`)).status).toBe(200);
  await api.call("PATCH", `${CRONTABS}/plain`, { body: { metadata: { finalizers: null } }, type: "application/merge-patch+json" });
  while ((await api.call("GET", `${CRDS}/crontabs.stable.example.com`)).status === 200) await Bun.sleep(1);
  expect((await api.call("GET", CRONTABS)).status).toBe(404);
});

test("definitions and objects are served again after a restart", async () => {
  const path = `${api.directory}/restart.db`;
  const first = await startTestServer({ store: new Store({ path }) });
  await first.call("POST", "/api/v1/namespaces", { body: { metadata: { name: "lab" } } });
  await first.call("POST", CRDS, { body: crd });
  const made = await first.call("POST", CRONTABS, { body: { metadata: { name: "kept" }, spec: { cronSpec: "* * * * *" } } });
  await first.close();
  const second = await startTestServer({ store: new Store({ path }) });
  expect((await second.call("GET", `${CRONTABS}/kept`)).body).toEqual(made.body);
  await second.close();
});
