import { afterAll, beforeAll, expect, test } from "bun:test";
import { startTestServer, type TestServer } from "../../testing.ts";

let api: TestServer;
beforeAll(async () => {
  api = await startTestServer();
});
afterAll(() => api.close());

const GROUP = "/apis/admissionregistration.k8s.io/v1";
const rules = [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["configmaps"] }];
let count = 0;

/** A policy and its binding on config maps with the label `t: <name>`; returns what creates one. */
async function policy(spec: object, binding: object = {}): Promise<(data: Record<string, string>, namespace?: string) => ReturnType<TestServer["call"]>> {
  const name = `p${++count}`;
  const made = await api.call("POST", `${GROUP}/validatingadmissionpolicies`, {
    body: { metadata: { name }, spec: { matchConstraints: { resourceRules: rules, objectSelector: { matchLabels: { t: name } } }, ...spec } },
  });
  expect(made.status).toBe(201);
  await api.call("POST", `${GROUP}/validatingadmissionpolicybindings`, {
    body: { metadata: { name: `${name}-b` }, spec: { policyName: name, validationActions: ["Deny"], ...binding } },
  });
  return (data, namespace = "default") =>
    api.call("POST", `/api/v1/namespaces/${namespace}/configmaps`, { body: { metadata: { generateName: "c-", labels: { t: name } }, data } });
}

test("what breaks a rule is refused in the real server's words, with the reason that the rule gives", async () => {
  const create = await policy({
    validations: [
      { expression: "int(object.data.n) <= 5" },
      { expression: "object.data.n != '3'", reason: "Forbidden", messageExpression: "'not ' + object.data.n" },
    ],
  });
  expect((await create({ n: "5" })).status).toBe(201);
  const refused = await create({ n: "6" });
  const text = "ValidatingAdmissionPolicy 'p1' with binding 'p1-b' denied request: failed expression: int(object.data.n) <= 5";
  expect([refused.status, refused.body.reason, refused.body.details]).toEqual([422, "Invalid", expect.objectContaining({ causes: [{ message: text }] })]);
  expect(refused.body.message).toMatch(/^configmaps "c-\w{5}" is forbidden: /);
  const third = await create({ n: "3" });
  expect([third.status, third.body.reason]).toEqual([403, "Forbidden"]);
  expect(third.body.message).toContain("denied request: not 3");
});

test("variables, conditions, namespaces and params", async () => {
  await api.call("POST", "/api/v1/namespaces/default/configmaps", { body: { metadata: { name: "limit" }, data: { max: "2" } } });
  const create = await policy(
    {
      paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      matchConditions: [{ name: "not-free", expression: "!has(object.data.free)" }],
      variables: [
        { name: "n", expression: "int(object.data.n)" },
        { name: "double", expression: "variables.n * 2" },
      ],
      validations: [{ expression: "variables.double <= int(params.data.max) && namespaceObject.metadata.name == request.namespace" }],
    },
    { paramRef: { name: "limit", namespace: "default", parameterNotFoundAction: "Deny" } },
  );
  expect([(await create({ n: "1" })).status, (await create({ n: "2" })).status, (await create({ n: "2", free: "" })).status]).toEqual([201, 422, 201]);
  await api.call("DELETE", "/api/v1/namespaces/default/configmaps/limit");
  expect((await create({ n: "1" })).body.message).toContain("no params found");
});

test("what cannot be evaluated refuses, unless the policy ignores it; a binding may only warn", async () => {
  const validations = [{ expression: "object.data.none == 'x'" }];
  expect((await (await policy({ validations }))({ a: "b" })).body.message).toContain("expression 'object.data.none == 'x'' resulted in error: ");
  expect((await (await policy({ validations, failurePolicy: "Ignore" }))({ a: "b" })).status).toBe(201);
  const warned = await (await policy({ validations: [{ expression: "false", message: "think again" }] }, { validationActions: ["Warn"] }))({ a: "b" });
  expect([warned.status, warned.headers.get("warning")]).toEqual([
    201,
    `299 - "Validation failed for ValidatingAdmissionPolicy 'p${count}' with binding 'p${count}-b': think again"`,
  ]);
});

test("a binding narrows by its selectors; rules that do not compile are refused at once", async () => {
  await api.call("POST", "/api/v1/namespaces", { body: { metadata: { name: "strict", labels: { level: "strict" } } } });
  const create = await policy({ validations: [{ expression: "false" }] }, { matchResources: { namespaceSelector: { matchLabels: { level: "strict" } } } });
  expect([(await create({})).status, (await create({}, "strict")).status]).toEqual([201, 422]);
  const broken = await api.call("POST", `${GROUP}/validatingadmissionpolicies`, {
    body: { metadata: { name: "broken" }, spec: { matchConstraints: { resourceRules: rules }, validations: [{ expression: "object.(" }] } },
  });
  expect([broken.status, broken.body.message]).toEqual([
    422,
    expect.stringContaining('spec.validations[0].expression: Invalid value: "object.(": compilation failed: '),
  ]);
});
