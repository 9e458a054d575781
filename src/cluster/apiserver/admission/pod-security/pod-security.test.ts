import { afterAll, beforeAll, expect, test } from "bun:test";
import { startTestServer, type TestServer } from "../../testing.ts";
import { policyOf, violations } from "./levels.ts";

let api: TestServer;
beforeAll(async () => {
  api = await startTestServer();
});
afterAll(() => api.close());

const PRIVILEGED = { containers: [{ name: "c", image: "i:1", securityContext: { privileged: true } }] };
const RESTRICTED = {
  containers: [
    {
      name: "c",
      image: "i:1",
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] }, runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
    },
  ],
};
const pod = (spec: object) => ({ metadata: { generateName: "p-" }, spec });
const namespace = async (name: string, labels: Record<string, string>) => {
  await api.call("POST", "/api/v1/namespaces", {
    body: { metadata: { name, labels: Object.fromEntries(Object.entries(labels).map(([key, value]) => [`pod-security.kubernetes.io/${key}`, value])) } },
  });
  await api.call("POST", `/api/v1/namespaces/${name}/serviceaccounts`, { body: { metadata: { name: "default" } } });
  return (spec: object) => api.call("POST", `/api/v1/namespaces/${name}/pods`, { body: pod(spec) });
};

test("a namespace that enforces a level refuses what breaks it, whoever asks", async () => {
  const create = await namespace("strict", { enforce: "restricted" });
  expect((await create(RESTRICTED)).status).toBe(201);
  const refused = await create(PRIVILEGED);
  expect(refused.status).toBe(403);
  expect(refused.body.message).toContain(
    'violates PodSecurity "restricted:latest": privileged (container "c" must not set securityContext.privileged=true), allowPrivilegeEscalation != false',
  );
});

test("a level that is only warned of lets all in, and a controller's template is warned of", async () => {
  const create = await namespace("warned", { warn: "baseline" });
  const taken = await create(PRIVILEGED);
  const warning = '299 - "would violate PodSecurity \\"baseline:latest\\": privileged (container \\"c\\" must not set securityContext.privileged=true)"';
  expect([taken.status, taken.headers.get("warning")]).toEqual([201, warning]);
  const template = { metadata: { labels: { a: "b" } }, spec: PRIVILEGED };
  const made = await api.call("POST", "/apis/apps/v1/namespaces/warned/deployments", {
    body: { metadata: { name: "d" }, spec: { selector: { matchLabels: { a: "b" } }, template } },
  });
  expect([made.status, made.headers.get("warning")]).toEqual([201, warning]);
});

test("a new level names the pods that break it, and a label that is no level is refused", async () => {
  const create = await namespace("later", {});
  await create(PRIVILEGED);
  await create(PRIVILEGED);
  const patch = (labels: object) =>
    api.call("PATCH", "/api/v1/namespaces/later", { body: { metadata: { labels } }, headers: { "content-type": "application/merge-patch+json" } });
  const raised = await patch({ "pod-security.kubernetes.io/enforce": "baseline" });
  expect(raised.headers.get("warning")).toContain("(and 1 other pod): privileged");
  expect((await patch({ "pod-security.kubernetes.io/enforce": "none" })).status).toBe(422);
  expect((await create(PRIVILEGED)).status).toBe(403);
});

test("what cannot be read is enforced as the strictest level, and warned of not at all", () => {
  const { policy, errors } = policyOf({
    "pod-security.kubernetes.io/enforce": "x",
    "pod-security.kubernetes.io/warn": "x",
    "pod-security.kubernetes.io/audit-version": "1",
  });
  expect([policy.enforce.level, policy.warn.level, errors.length]).toEqual(["restricted", "privileged", 3]);
});

test("a level of an older version has the rules of that version", () => {
  const pod = {
    spec: {
      containers: [{ name: "c", securityContext: { seLinuxOptions: { type: "container_engine_t" } } }],
      securityContext: { sysctls: [{ name: "net.ipv4.tcp_rmem" }] },
    },
  };
  const at = (version: number | "latest") => violations({ level: "baseline", version }, pod).map(({ reason }) => reason);
  expect([at(30), at(31), at("latest")]).toEqual([["seLinuxOptions", "forbidden sysctls"], ["forbidden sysctls"], []]);
});
