import { afterAll, beforeAll, expect, test } from "bun:test";
import { FakeClock } from "../../../base/index.ts";
import { startTestServer, type TestServer } from "../testing.ts";

let api: TestServer;
const clock = new FakeClock(Date.parse("2026-11-24T06:00:00Z"));
const LAB = "/api/v1/namespaces/lab";

beforeAll(async () => {
  api = await startTestServer({ clock });
  await api.call("POST", "/api/v1/namespaces", { body: { metadata: { name: "lab" } } });
  await api.call("POST", `${LAB}/serviceaccounts`, { body: { metadata: { name: "sa" } } });
});
afterAll(() => api.close());

const request = async (spec: object, account = "sa") => api.call("POST", `${LAB}/serviceaccounts/${account}/token`, { body: { spec } });
const tokenOf = async (spec: object) => ((await request(spec)).body.status as { token: string }).token;
const review = async (token: string, audiences?: string[]) =>
  (await api.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", { body: { spec: { token, ...(audiences ? { audiences } : {}) } } })).body.status as {
    authenticated?: boolean;
    error?: string;
    audiences?: string[];
    user?: { username?: string; groups?: string[]; extra?: Record<string, string[]> };
  };

test("a token has exactly the claims of a real one", async () => {
  const answer = await request({ audiences: ["istio-ca"], expirationSeconds: 43200 });
  expect(answer.status).toBe(201);
  const { token, expirationTimestamp } = answer.body.status as { token: string; expirationTimestamp: string };
  expect(expirationTimestamp).toBe("2026-11-24T18:00:00Z");
  const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;
  const { uid } = (await api.call("GET", `${LAB}/serviceaccounts/sa`)).body.metadata as { uid: string };
  expect(claims).toEqual({
    aud: ["istio-ca"],
    exp: 1795543200,
    iat: 1795500000,
    iss: "https://kubernetes.default.svc.cluster.local",
    jti: claims.jti,
    nbf: 1795500000,
    sub: "system:serviceaccount:lab:sa",
    "kubernetes.io": { namespace: "lab", serviceaccount: { name: "sa", uid } },
  });
});

test("a review takes a token for its own audience only", async () => {
  const token = await tokenOf({ audiences: ["istio-ca"] });
  const good = await review(token, ["istio-ca", "other"]);
  expect(good).toMatchObject({ authenticated: true, audiences: ["istio-ca"] });
  expect(good.user).toMatchObject({
    username: "system:serviceaccount:lab:sa",
    groups: ["system:serviceaccounts", "system:serviceaccounts:lab", "system:authenticated"],
  });
  expect(await review(token)).toEqual({
    user: {},
    error: '[invalid bearer token, token audiences ["istio-ca"] is invalid for the target audiences ["https://kubernetes.default.svc.cluster.local"]]',
  });
  expect(await review("abc", ["istio-ca"])).toEqual({ user: {}, error: "invalid bearer token" });
  const [head, body, signature = ""] = token.split(".");
  const forged = Buffer.from(
    JSON.stringify({ ...(JSON.parse(Buffer.from(body ?? "", "base64url").toString()) as object), sub: "system:serviceaccount:kube-system:admin" }),
  ).toString("base64url");
  expect(await review(`${head}.${forged}.${signature}`, ["istio-ca"])).toEqual({ user: {}, error: "invalid bearer token" });
  const none = Buffer.from(JSON.stringify({ alg: "none" })).toString("base64url");
  expect(await review(`${none}.${body}.`, ["istio-ca"])).toEqual({ user: {}, error: "invalid bearer token" });
});

test("a token dies with its time, its pod and its account", async () => {
  await api.call("POST", `${LAB}/serviceaccounts`, { body: { metadata: { name: "mortal" } } });
  const pod = await api.call("POST", `${LAB}/pods`, {
    body: { metadata: { name: "p" }, spec: { serviceAccountName: "mortal", containers: [{ name: "c", image: "i" }] } },
  });
  const { uid } = pod.body.metadata as { uid: string };
  const bound = ((await request({ boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p", uid } }, "mortal")).body.status as { token: string }).token;
  const free = ((await request({}, "mortal")).body.status as { token: string }).token;
  expect((await review(bound)).user?.extra).toMatchObject({ "authentication.kubernetes.io/pod-name": ["p"], "authentication.kubernetes.io/pod-uid": [uid] });
  await api.call("DELETE", `${LAB}/pods/p`);
  expect((await review(bound)).error).toContain("invalidated");
  expect((await review(free)).authenticated).toBe(true);
  await api.call("DELETE", `${LAB}/serviceaccounts/mortal`);
  expect((await review(free)).error).toContain("not found");
  const short = await tokenOf({ expirationSeconds: 600 });
  clock.advance(600_000);
  expect((await review(short)).error).toBe("[invalid bearer token, service account token has expired]");
});

test("requests for tokens are checked", async () => {
  expect((await request({ expirationSeconds: 60 })).body).toMatchObject({
    code: 422,
    message: 'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes',
  });
  expect((await request({}, "nobody")).body).toMatchObject({ code: 404, message: 'serviceaccounts "nobody" not found' });
  expect((await request({ boundObjectRef: { kind: "Pod", name: "none" } })).body).toMatchObject({ code: 404, message: 'pods "none" not found' });
});

const alice = { username: "alice", groups: ["system:authenticated"] };
const can = async (user: typeof alice, attributes: object) =>
  ((await api.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", { user, body: { spec: attributes } })).body.status as { allowed: boolean })
    .allowed;

test("access reviews answer what requests would", async () => {
  const read = { resourceAttributes: { verb: "get", resource: "pods", namespace: "lab" } };
  expect(await can(alice, read)).toBe(false);
  await api.call("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/lab/roles", {
    body: { metadata: { name: "reader" }, rules: [{ apiGroups: [""], resources: ["pods"], resourceNames: ["mine"], verbs: ["get"] }] },
  });
  await api.call("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/lab/rolebindings", {
    body: { metadata: { name: "alice" }, roleRef: { kind: "Role", name: "reader" }, subjects: [{ kind: "User", name: "alice" }] },
  });
  expect(await can(alice, read)).toBe(false);
  expect(await can(alice, { resourceAttributes: { verb: "get", resource: "pods", namespace: "lab", name: "mine" } })).toBe(true);
  expect(await can(alice, { resourceAttributes: { verb: "get", resource: "pods", subresource: "log", namespace: "lab", name: "mine" } })).toBe(false);
  expect(await can(alice, { nonResourceAttributes: { verb: "get", path: "/apis/apps" } })).toBe(true);
  expect(await can(alice, { nonResourceAttributes: { verb: "get", path: "/metrics" } })).toBe(false);
  const other = await api.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
    body: { spec: { user: "alice", resourceAttributes: { verb: "get", resource: "pods", namespace: "lab", name: "mine" } } },
  });
  expect(other.body.status).toEqual({ allowed: true, reason: 'RBAC: allowed by RoleBinding "alice/lab" of Role "reader" to User "alice"' });
  expect((await api.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", { body: { spec: {} } })).status).toBe(422);
  // A name that is empty is none: clients in typed languages send it.
  const asked = (name: string) =>
    api.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
      body: { metadata: { name }, spec: { user: "alice", resourceAttributes: { verb: "get", resource: "pods" } } },
    });
  expect([(await asked("")).status, (await asked("a")).status]).toEqual([201, 422]);
  expect((await api.call("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")).status).toBe(405);
});

test("what a user may do changes with roles and bindings at once, also for whom it was just asked", async () => {
  const user = { username: "changing", groups: ["system:authenticated"] };
  const status = async () => (await api.call("GET", "/api/v1/namespaces/default/configmaps", { user })).status;
  const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
  const role = (verbs: string[]) => ({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: { name: "changing" },
    rules: [{ apiGroups: [""], resources: ["configmaps"], verbs }],
  });
  expect(await status()).toBe(403);
  await api.call("POST", `${rbac}/roles`, { body: role(["list"]) });
  expect(await status()).toBe(403);
  await api.call("POST", `${rbac}/rolebindings`, {
    body: {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name: "changing" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "changing" },
      subjects: [{ kind: "User", name: "changing", apiGroup: "rbac.authorization.k8s.io" }],
    },
  });
  expect(await status()).toBe(200);
  await api.call("PUT", `${rbac}/roles/changing`, { body: role(["watch"]) });
  expect(await status()).toBe(403);
  await api.call("PUT", `${rbac}/roles/changing`, { body: role(["list"]) });
  expect(await status()).toBe(200);
  await api.call("DELETE", `${rbac}/rolebindings/changing`);
  expect(await status()).toBe(403);
});

test("nobody gives away what they do not have", async () => {
  const editor = { username: "eve", groups: ["system:authenticated"] };
  await api.call("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/lab/rolebindings", {
    body: { metadata: { name: "eve" }, roleRef: { kind: "ClusterRole", name: "admin" }, subjects: [{ kind: "User", name: "eve" }] },
  });
  const role = (name: string, rules: object[]) =>
    api.call("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/lab/roles", { user: editor, body: { metadata: { name }, rules } });
  expect((await role("fine", [{ apiGroups: [""], resources: ["pods", "secrets"], verbs: ["get", "list"] }])).status).toBe(201);
  const escalation = await role("wide", [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }]);
  expect([escalation.status, escalation.body.message]).toEqual([403, expect.stringContaining("is attempting to grant RBAC permissions not currently held")]);
  const bind = (roleName: string) =>
    api.call("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/lab/rolebindings", {
      user: editor,
      body: { metadata: { name: `eve-${roleName}` }, roleRef: { kind: "ClusterRole", name: roleName }, subjects: [{ kind: "User", name: "eve" }] },
    });
  expect((await bind("cluster-admin")).status).toBe(403);
  expect((await bind("view")).status).toBe(201);
});

test("impersonation needs its verb", async () => {
  const headers = { "impersonate-user": "bob", "impersonate-group": "devs" };
  const asBob = await api.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", { body: {}, headers });
  expect(asBob.body.status).toEqual({ userInfo: { username: "bob", groups: ["devs", "system:authenticated"] } });
  const refused = await api.call("GET", `${LAB}/pods`, { user: alice, headers });
  expect([refused.status, refused.body.message]).toEqual([403, expect.stringContaining('User "alice" cannot impersonate resource "users"')]);
});
