import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import https from "node:https";
import net from "node:net";
import { istioCrds } from "../../../../resources/index.ts";
import { loadClusterPki } from "../../auth/certificates.ts";
import { generateKey, issueLeaf, issueRoot, publicKeyDer, encodePrivateKey } from "../../../../pki/index.ts";
import { startTestServer, type TestServer } from "../../testing.ts";

let api: TestServer;
let hook: https.Server;
let caBundle: string;
let port = 0;
/** What the webhook server got, and how it answers. */
let reviews: { path: string; request: Record<string, unknown> }[] = [];
let answer: (request: Record<string, unknown>) => object = () => ({ allowed: true });

const SERVICE = { name: "istiod", namespace: "mesh" };
const PEERS = "/apis/security.istio.io/v1/namespaces/lab/peerauthentications";

beforeAll(async () => {
  const now = Date.now();
  const rootKey = await generateKey();
  const root = issueRoot({ key: rootKey, organization: "test", now, lifetimeMs: 3600_000 });
  const key = await generateKey();
  const leaf = issueLeaf({
    signer: { certificate: root, key: rootKey },
    spki: publicKeyDer(key),
    names: { dnsNames: ["istiod.mesh.svc"] },
    now,
    lifetimeMs: 3600_000,
  });
  caBundle = Buffer.from(root.pem).toString("base64");
  hook = https.createServer({ cert: leaf.pem, key: encodePrivateKey(key) }, (incoming, response) => {
    let text = "";
    incoming.on("data", (chunk: Buffer) => (text += chunk.toString()));
    incoming.on("end", () => {
      const { request } = JSON.parse(text) as { request: Record<string, unknown> };
      reviews.push({ path: incoming.url ?? "", request });
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: { uid: request.uid, ...answer(request) } }));
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
  port = (hook.address() as net.AddressInfo).port;
  api = await startTestServer({
    dial: async (host, wanted) => {
      // The Service's cluster address leads here.
      expect([host.startsWith("10.96."), wanted]).toEqual([true, 443]);
      const socket = net.connect(port, "127.0.0.1");
      await new Promise((resolve) => socket.once("connect", resolve));
      return socket;
    },
  });
  for (const name of ["lab", "mesh"])
    await api.call("POST", "/api/v1/namespaces", { body: { metadata: { name, labels: { inject: name === "lab" ? "yes" : "no" } } } });
  await api.call("POST", "/api/v1/namespaces/mesh/services", { body: { metadata: { name: "istiod" }, spec: { ports: [{ port: 443, targetPort: 15017 }] } } });
  const crd = istioCrds().find(({ metadata }) => metadata.name === "peerauthentications.security.istio.io");
  await api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", { body: crd });
});
afterAll(async () => {
  await api.close();
  hook.close();
});
afterEach(async () => {
  for (const kind of ["mutating", "validating"]) await api.call("DELETE", `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations`);
  reviews = [];
  answer = () => ({ allowed: true });
});

async function configure(kind: "Mutating" | "Validating", webhook: object): Promise<void> {
  const { status, text } = await api.call("POST", `/apis/admissionregistration.k8s.io/v1/${kind.toLowerCase()}webhookconfigurations`, {
    body: {
      metadata: { name: "hooks" },
      webhooks: [
        {
          name: "validation.istio.io",
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
          clientConfig: { caBundle, service: { ...SERVICE, path: "/hook" } },
          rules: [{ operations: ["CREATE", "UPDATE"], apiGroups: ["security.istio.io"], apiVersions: ["*"], resources: ["*"] }],
          ...webhook,
        },
      ],
    },
  });
  if (status !== 201) throw new Error(text);
}

const create = (name: string, options: { path?: string; query?: string; labels?: object } = {}) =>
  api.call("POST", `${options.path ?? PEERS}${options.query ?? ""}`, {
    body: { metadata: { name, ...(options.labels ? { labels: options.labels } : {}) }, spec: { mtls: { mode: "STRICT" } } },
  });

test("a refusal is passed on in the webhook's words, 400 and without a reason", async () => {
  await configure("Validating", {});
  answer = () => ({ allowed: false, status: { message: "configuration is invalid: no" } });
  const refused = await create("refused");
  expect(refused.body).toEqual({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: 'admission webhook "validation.istio.io" denied the request: configuration is invalid: no',
    code: 400,
  });
  expect((await api.call("GET", `${PEERS}/refused`)).status).toBe(404);
  expect(reviews[0]).toMatchObject({
    path: "/hook?timeout=10s",
    request: {
      kind: { group: "security.istio.io", version: "v1", kind: "PeerAuthentication" },
      resource: { group: "security.istio.io", version: "v1", resource: "peerauthentications" },
      name: "refused",
      namespace: "lab",
      operation: "CREATE",
      dryRun: false,
      userInfo: { username: "system:kube-controller-manager" },
      object: { spec: { mtls: { mode: "STRICT" } } },
      oldObject: null,
    },
  });
});

test("warnings become headers, and an update shows both objects", async () => {
  await create("warned");
  await configure("Validating", {});
  answer = () => ({ allowed: true, warnings: ["careful"] });
  const patched = await api.call("PATCH", `${PEERS}/warned`, { body: { spec: { mtls: { mode: "DISABLE" } } }, type: "application/merge-patch+json" });
  expect([patched.status, patched.headers.get("warning")]).toEqual([200, '299 - "careful"']);
  expect(reviews[0]?.request).toMatchObject({
    operation: "UPDATE",
    object: { spec: { mtls: { mode: "DISABLE" } } },
    oldObject: { spec: { mtls: { mode: "STRICT" } } },
  });
});

test("a mutation is applied, defaulted and validated, but owned by nobody", async () => {
  await configure("Mutating", { rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] }] });
  await api.call("POST", "/api/v1/namespaces/lab/serviceaccounts", { body: { metadata: { name: "default" } } });
  const patchWith = (operations: object[]) => () => ({
    allowed: true,
    patchType: "JSONPatch",
    patch: Buffer.from(JSON.stringify(operations)).toString("base64"),
  });
  const pod = (name: string) =>
    api.call("POST", "/api/v1/namespaces/lab/pods", { body: { metadata: { name }, spec: { containers: [{ name: "app", image: "i" }] } } });
  answer = patchWith([{ op: "add", path: "/spec/containers/-", value: { name: "proxy", image: "p", ports: [{ containerPort: 15090 }] } }]);
  const injected = await pod("injected");
  expect(injected.body.spec).toMatchObject({
    containers: [{ name: "app" }, { name: "proxy", imagePullPolicy: "Always", ports: [{ containerPort: 15090, protocol: "TCP" }] }],
  });
  expect(JSON.stringify((injected.body.metadata as { managedFields: unknown }).managedFields)).not.toContain("proxy");
  answer = patchWith([{ op: "add", path: "/spec/containers/-", value: { name: "No Name" } }]);
  expect((await pod("invalid")).status).toBe(422);
  expect((await api.call("GET", "/api/v1/namespaces/lab/pods/invalid")).status).toBe(404);
});

test("rules, selectors and conditions say who is asked", async () => {
  const asked = async (webhook: object, ...args: Parameters<typeof create>) => {
    await configure("Validating", webhook);
    await create(...args);
    const count = reviews.length;
    await api.call("DELETE", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations");
    reviews = [];
    return count;
  };
  const inMesh = { path: PEERS.replace("lab", "mesh") };
  expect(await asked({}, "m1")).toBe(1);
  expect(await asked({ rules: [{ operations: ["UPDATE"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*"] }] }, "m2")).toBe(0);
  expect(await asked({ rules: [{ operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["pods"] }] }, "m3")).toBe(0);
  expect(await asked({ namespaceSelector: { matchLabels: { inject: "yes" } } }, "m4")).toBe(1);
  expect(await asked({ namespaceSelector: { matchLabels: { inject: "yes" } } }, "m5", inMesh)).toBe(0);
  expect(await asked({ objectSelector: { matchLabels: { a: "b" } } }, "m6")).toBe(0);
  expect(await asked({ objectSelector: { matchLabels: { a: "b" } } }, "m7", { labels: { a: "b" } })).toBe(1);
  expect(await asked({ matchConditions: [{ name: "c", expression: "object.metadata.name != 'm8'" }] }, "m8")).toBe(0);
  // The rule knows v1beta1 only: the object is shown in that version.
  await configure("Validating", { rules: [{ operations: ["CREATE"], apiGroups: ["security.istio.io"], apiVersions: ["v1beta1"], resources: ["*"] }] });
  await create("m9");
  expect(reviews[0]?.request).toMatchObject({
    kind: { version: "v1beta1" },
    requestKind: { version: "v1" },
    object: { apiVersion: "security.istio.io/v1beta1" },
  });
});

test("a webhook that cannot be reached or believed fails or is ignored, as it says", async () => {
  const other = await loadClusterPki({ directory: `${api.directory}/other`, addresses: [], now: Date.now() });
  const foreign = { clientConfig: { caBundle: Buffer.from(other.caCert).toString("base64"), service: { ...SERVICE, path: "/hook" } } };
  await configure("Validating", foreign);
  const failed = await create("foreign");
  expect([failed.status, failed.body.reason]).toEqual([500, "InternalError"]);
  expect(failed.body.message).toStartWith(
    'Internal error occurred: failed calling webhook "validation.istio.io": failed to call webhook: Post "https://istiod.mesh.svc/hook?timeout=10s": ',
  );
  expect(reviews).toHaveLength(0);
  await api.call("DELETE", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations");
  await configure("Validating", { ...foreign, failurePolicy: "Ignore" });
  expect((await create("foreign")).status).toBe(201);
  await api.call("DELETE", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations");
  await configure("Validating", { clientConfig: { caBundle, service: { name: "nobody", namespace: "mesh" } } });
  expect((await create("nobody")).body.message).toContain('service "nobody" not found');
});
