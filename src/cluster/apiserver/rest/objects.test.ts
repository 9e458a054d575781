import { afterAll, beforeAll, expect, test } from "bun:test";
import { startTestServer, type TestServer } from "../testing.ts";

let api: TestServer;
const LAB = "/api/v1/namespaces/lab";

beforeAll(async () => {
  api = await startTestServer();
  await api.call("POST", "/api/v1/namespaces", { body: { metadata: { name: "lab" } } });
});
afterAll(() => api.close());

const configMap = (name: string, data: Record<string, string> = {}) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data });
const apply = (manager: string, data: Record<string, string> | undefined, more: object = {}) => ({
  body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "s", ...more }, ...(data ? { data } : {}) },
  type: "application/apply-patch+yaml",
  path: `${LAB}/configmaps/s?fieldManager=${manager}`,
});

test("a create fills in what only the server knows, and a dry run stores nothing", async () => {
  const created = await api.call("POST", `${LAB}/configmaps?fieldManager=me`, { body: configMap("a", { x: "1" }) });
  expect(created.status).toBe(201);
  const metadata = created.body.metadata as Record<string, unknown>;
  expect(metadata).toMatchObject({
    name: "a",
    namespace: "lab",
    uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
    resourceVersion: expect.stringMatching(/^\d+$/),
  });
  expect(metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect(metadata.managedFields).toMatchObject([{ manager: "me", operation: "Update", apiVersion: "v1", fieldsV1: { "f:data": { ".": {}, "f:x": {} } } }]);
  const dry = await api.call("POST", `${LAB}/configmaps?dryRun=All`, { body: configMap("dry") });
  expect(dry.status).toBe(201);
  expect(dry.body.metadata).toMatchObject({ uid: expect.any(String) });
  expect(dry.body.metadata).not.toHaveProperty("resourceVersion");
  expect((await api.call("GET", `${LAB}/configmaps/dry`)).status).toBe(404);
});

test("refusals carry Kubernetes' status, reason and words", async () => {
  await api.call("POST", `${LAB}/configmaps`, { body: configMap("twice") });
  const cases: [() => Promise<{ status: number; body: unknown }>, number, string, string][] = [
    [() => api.call("GET", `${LAB}/pods/nope`), 404, "NotFound", 'pods "nope" not found'],
    [() => api.call("GET", "/apis/apps/v1/namespaces/lab/deployments/nope"), 404, "NotFound", 'deployments.apps "nope" not found'],
    [() => api.call("POST", `${LAB}/configmaps`, { body: configMap("twice") }), 409, "AlreadyExists", 'configmaps "twice" already exists'],
    [() => api.call("POST", "/api/v1/namespaces/nons/configmaps", { body: configMap("x") }), 404, "NotFound", 'namespaces "nons" not found'],
    [
      () => api.call("POST", `${LAB}/configmaps`, { body: { ...configMap("x"), kind: "Secret" } }),
      400,
      "BadRequest",
      'Secret in version "v1" cannot be handled as a ConfigMap',
    ],
    [
      () => api.call("POST", `${LAB}/configmaps`, { body: { ...configMap("x"), metadata: { name: "x", namespace: "other" } } }),
      400,
      "BadRequest",
      "the namespace of the provided object does not match the namespace sent on the request",
    ],
    [
      () => api.call("PUT", `${LAB}/configmaps/twice`, { body: configMap("other") }),
      400,
      "BadRequest",
      "the name of the object (other) does not match the name on the URL (twice)",
    ],
    [
      () => api.call("PUT", `${LAB}/configmaps/twice`, { body: { ...configMap("twice"), metadata: { name: "twice", resourceVersion: "1" } } }),
      409,
      "Conflict",
      'Operation cannot be fulfilled on configmaps "twice": the object has been modified; please apply your changes to the latest version and try again',
    ],
    [() => api.call("DELETE", "/api/v1/namespaces/lab"), 200, "", ""],
    [() => api.call("PUT", `${LAB}/configmaps`, { body: {} }), 405, "MethodNotAllowed", "the server does not allow this method on the requested resource"],
    [() => api.call("GET", `${LAB}/pods?fieldSelector=spec.x=1`), 400, "BadRequest", "field label not supported: spec.x"],
    [() => api.call("GET", `${LAB}/configmaps?resourceVersion=99999999`), 504, "Timeout", "Timeout: Too large resource version: 99999999, current: "],
    [
      () => api.call("GET", `${LAB}/configmaps`, { accept: "text/html" }),
      406,
      "NotAcceptable",
      "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf",
    ],
    [
      () => api.call("POST", `${LAB}/configmaps`, { body: "x", type: "text/plain" }),
      415,
      "UnsupportedMediaType",
      "the body of the request was in an unknown format",
    ],
    [() => api.call("DELETE", "/api/v1/namespaces/default"), 403, "Forbidden", 'namespaces "default" is forbidden: this namespace may not be deleted'],
  ];
  for (const [request, status, reason, message] of cases) {
    const answer = await request();
    expect(answer.status).toBe(status);
    if (reason)
      expect(answer.body).toMatchObject({
        kind: "Status",
        apiVersion: "v1",
        status: "Failure",
        reason,
        code: status,
        message: expect.stringContaining(message),
      });
  }
  // The namespace that was deleted above waits for its controller; nothing new may come in.
  expect((await api.call("POST", `${LAB}/configmaps`, { body: configMap("late") })).body.message).toBe(
    'configmaps "late" is forbidden: unable to create new content in namespace lab because it is being terminated',
  );
  const unknown = await api.call("GET", "/apis/nope/v1/things");
  expect([unknown.status, unknown.text, unknown.headers.get("content-type")]).toEqual([404, "404 page not found\n", "text/plain; charset=utf-8"]);
  // The controller's last step: without the finalizer the namespace is gone.
  await api.call("PUT", "/api/v1/namespaces/lab/finalize", { body: { metadata: { name: "lab" }, spec: { finalizers: [] } } });
  expect((await api.call("GET", "/api/v1/namespaces/lab")).status).toBe(404);
  await api.call("POST", "/api/v1/namespaces", { body: { metadata: { name: "lab" } } });
});

test("server-side apply: creation, shared ownership, conflict, removal", async () => {
  const send = async (manager: string, data?: Record<string, string>, more?: object) => {
    const { path, ...options } = apply(manager, data, more);
    return api.call("PATCH", path, options);
  };
  const created = await send("m1", { a: "1", b: "2" });
  expect(created.status).toBe(201);
  expect((created.body.metadata as { managedFields: unknown[] }).managedFields).toMatchObject([
    { manager: "m1", operation: "Apply", fieldsV1: { "f:data": { "f:a": {}, "f:b": {} } } },
  ]);

  const conflict = await send("m2", { a: "9" });
  expect(conflict.status).toBe(409);
  expect(conflict.body).toMatchObject({
    message: 'Apply failed with 1 conflict: conflict with "m1": .data.a',
    reason: "Conflict",
    details: { causes: [{ reason: "FieldManagerConflict", message: 'conflict with "m1"', field: ".data.a" }] },
  });
  const several = await send("m2", { a: "9", b: "9" });
  expect(several.body.message).toBe('Apply failed with 2 conflicts: conflicts with "m1":\n- .data.a\n- .data.b');

  const shared = await send("m2", { a: "1" });
  expect(shared.status).toBe(200);
  const entries = (shared.body.metadata as { managedFields: { manager: string; time?: string }[] }).managedFields;
  // Who changed no value has no time, and sorts first.
  expect(entries.map(({ manager, time }) => [manager, time !== undefined])).toEqual([
    ["m2", false],
    ["m1", true],
  ]);

  const dropped = await send("m1", { a: "1" });
  expect(dropped.body.data).toEqual({ a: "1" });
  const same = await send("m1", { a: "1" });
  expect((same.body.metadata as { resourceVersion: string }).resourceVersion).toBe((dropped.body.metadata as { resourceVersion: string }).resourceVersion);
  // m1 gives it up, m2 still owns it.
  expect((await send("m1")).body.data).toEqual({ a: "1" });

  expect((await api.call("PATCH", `${LAB}/configmaps/s`, { body: configMap("s"), type: "application/apply-patch+yaml" })).body).toMatchObject({
    code: 422,
    message: 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
  });
  expect((await send("m1", { a: "1" }, { managedFields: [{ manager: "x" }] })).body).toMatchObject({
    code: 400,
    message: "metadata.managedFields must be nil",
  });
  expect((await send("m1", { a: "1" }, { resourceVersion: "1" })).body).toMatchObject({ code: 409, reason: "Conflict" });
  const forced = await api.call("PATCH", `${LAB}/configmaps/s?fieldManager=m3&force=true`, {
    body: configMap("s", { a: "3" }),
    type: "application/apply-patch+yaml",
  });
  expect(forced.body.data).toEqual({ a: "3" });
  expect((forced.body.metadata as { managedFields: { manager: string }[] }).managedFields.map(({ manager }) => manager)).toEqual(["m3"]);
});

test("a patch that changes nothing keeps the version", async () => {
  await api.call("POST", `${LAB}/configmaps`, { body: configMap("still", { a: "1" }) });
  const before = await api.call("GET", `${LAB}/configmaps/still`);
  const after = await api.call("PATCH", `${LAB}/configmaps/still`, { body: { data: { a: "1" } }, type: "application/merge-patch+json" });
  expect(after.body).toEqual(before.body);
});

test("patches without a version are tried again when somebody was faster", async () => {
  await api.call("POST", `${LAB}/configmaps`, { body: configMap("busy") });
  const answers = await Promise.all(
    [1, 2, 3, 4].map((i) => api.call("PATCH", `${LAB}/configmaps/busy`, { body: { data: { [`k${i}`]: "v" } }, type: "application/merge-patch+json" })),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect((await api.call("GET", `${LAB}/configmaps/busy`)).body.data).toEqual({ k1: "v", k2: "v", k3: "v", k4: "v" });
});

test("names are made from generateName, in Kubernetes' alphabet", async () => {
  const { body } = await api.call("POST", `${LAB}/configmaps`, { body: { metadata: { generateName: "gen-" } } });
  expect(body.metadata).toMatchObject({ generateName: "gen-", name: expect.stringMatching(/^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/) });
});

test("field validation: strict refuses, warn warns and drops, ignore drops", async () => {
  const body = { ...configMap("fields"), foo: 1, metadata: { name: "fields", bar: 2 } };
  const strict = await api.call("POST", `${LAB}/configmaps?fieldValidation=Strict`, { body });
  expect(strict.body).toMatchObject({
    code: 400,
    message: 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "metadata.bar", unknown field "foo"',
  });
  const warned = await api.call("POST", `${LAB}/configmaps?fieldValidation=Warn`, { body });
  expect(warned.status).toBe(201);
  expect(warned.headers.get("warning")).toContain('299 - "unknown field \\"foo\\""');
  expect(warned.body).not.toHaveProperty("foo");
  const ignored = await api.call("POST", `${LAB}/configmaps?fieldValidation=Ignore`, { body: { ...body, metadata: { name: "ignored" } } });
  expect([ignored.status, ignored.headers.get("warning")]).toEqual([201, null]);
});

test("values of the wrong type are refused in Go's words", async () => {
  const deployment = (spec: object) => ({ metadata: { name: "bad" }, spec });
  const post = async (spec: object) => (await api.call("POST", "/apis/apps/v1/namespaces/lab/deployments", { body: deployment(spec) })).body.message;
  expect(await post({ replicas: "x" })).toBe(
    'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
  );
  expect(await post({ template: { metadata: { labels: { app: true } } } })).toBe(
    'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal bool into Go struct field ObjectMeta.spec.template.metadata.labels of type string',
  );
});

test("deletes answer as the kind does, and respect preconditions", async () => {
  await api.call("POST", `${LAB}/configmaps`, { body: configMap("del") });
  const { uid } = (await api.call("GET", `${LAB}/configmaps/del`)).body.metadata as { uid: string };
  expect((await api.call("DELETE", `${LAB}/configmaps/del`, { body: { preconditions: { uid: "zz" } } })).body).toMatchObject({
    code: 409,
    message: `Operation cannot be fulfilled on ConfigMap "del": the UID in the precondition (zz) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
  });
  expect((await api.call("DELETE", `${LAB}/configmaps/del`)).body).toEqual({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: { name: "del", kind: "configmaps", uid },
  });
  await api.call("POST", `${LAB}/serviceaccounts`, { body: { metadata: { name: "sa" } } });
  expect((await api.call("DELETE", `${LAB}/serviceaccounts/sa`)).body).toMatchObject({ kind: "ServiceAccount" });
});

test("finalizers hold an object until the last is taken away", async () => {
  await api.call("POST", `${LAB}/configmaps`, { body: { metadata: { name: "held", finalizers: ["x.io/hold"] } } });
  const marked = await api.call("DELETE", `${LAB}/configmaps/held`);
  expect(marked.body.metadata).toMatchObject({ deletionTimestamp: expect.any(String), deletionGracePeriodSeconds: 0 });
  expect(
    (
      await api.call("PATCH", `${LAB}/configmaps/held`, {
        body: { metadata: { finalizers: ["x.io/hold", "x.io/more"] } },
        type: "application/merge-patch+json",
      })
    ).body.message,
  ).toContain('no new finalizers can be added if the object is being deleted, found new finalizers []string{"x.io/more"}');
  const freed = await api.call("PATCH", `${LAB}/configmaps/held`, { body: { metadata: { finalizers: null } }, type: "application/merge-patch+json" });
  expect(freed.status).toBe(200);
  expect((await api.call("GET", `${LAB}/configmaps/held`)).status).toBe(404);
});

test("propagation policies become the garbage collector's finalizers", async () => {
  for (const [policy, finalizer] of [
    ["Foreground", "foregroundDeletion"],
    ["Orphan", "orphan"],
  ] as const) {
    await api.call("POST", `${LAB}/configmaps`, { body: configMap(policy.toLowerCase()) });
    const { body } = await api.call("DELETE", `${LAB}/configmaps/${policy.toLowerCase()}`, { body: { propagationPolicy: policy } });
    expect(body.metadata).toMatchObject({ finalizers: [finalizer], deletionTimestamp: expect.any(String) });
  }
});

test("a pod gets its grace period, and the kubelet's second delete ends it", async () => {
  await api.call("POST", `${LAB}/serviceaccounts`, { body: { metadata: { name: "default" } } });
  const pod = await api.call("POST", `${LAB}/pods`, { body: { metadata: { name: "p" }, spec: { containers: [{ name: "c", image: "i" }] } } });
  expect(pod.status).toBe(201);
  expect(pod.body.spec).toMatchObject({ serviceAccountName: "default", priority: 0, tolerations: [{ tolerationSeconds: 300 }, { tolerationSeconds: 300 }] });
  expect((await api.call("POST", `${LAB}/pods/p/binding`, { body: { target: { name: "node" } } })).status).toBe(201);
  expect((await api.call("POST", `${LAB}/pods/p/binding`, { body: { target: { name: "node" } } })).status).toBe(409);
  const first = await api.call("DELETE", `${LAB}/pods/p`);
  expect(first.body.metadata).toMatchObject({ deletionGracePeriodSeconds: 30, generation: 2 });
  expect((await api.call("GET", `${LAB}/pods/p`)).body.spec).toMatchObject({ nodeName: "node" });
  const second = await api.call("DELETE", `${LAB}/pods/p`, { body: { gracePeriodSeconds: 0 } });
  expect(second.body).toMatchObject({ kind: "Pod", metadata: { deletionGracePeriodSeconds: 0 } });
  expect((await api.call("GET", `${LAB}/pods/p`)).status).toBe(404);
  expect(
    (
      await api.call("POST", `${LAB}/pods`, {
        body: { metadata: { name: "q" }, spec: { serviceAccountName: "nosa", containers: [{ name: "c", image: "i" }] } },
      })
    ).body,
  ).toMatchObject({
    code: 403,
    message: 'pods "q" is forbidden: error looking up service account lab/nosa: serviceaccount "nosa" not found',
  });
});

test("__proto__ in a body cannot reach the prototypes of the server", async () => {
  await api.call("POST", `${LAB}/configmaps`, {
    body: '{"metadata":{"name":"proto"},"data":{"__proto__":{"polluted":"1"},"\\u005f_proto__":{"polluted":"1"}}}',
  });
  await api.call("PATCH", `${LAB}/configmaps/proto`, {
    body: '{"data":{"__proto__":{"polluted":"1"}},"__proto__":{"polluted":"1"}}',
    type: "application/merge-patch+json",
  });
  await api.call("PATCH", `${LAB}/configmaps/proto`, { body: '[{"op":"add","path":"/__proto__/polluted","value":"1"}]', type: "application/json-patch+json" });
  expect(({} as { polluted?: string }).polluted).toBeUndefined();
});
