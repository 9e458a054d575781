import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createLogger, systemClock } from "../base/index.ts";
import type { WebhookConfiguration } from "../resources/index.ts";
import { meshManifests } from "./install/index.ts";
import { startIstiod, type Istiod } from "./istiod.ts";
import { parseOptions } from "./options.ts";
import { FakeApi } from "./testing/fake-api.ts";
import { FakeMesh } from "./testing/fake-mesh.ts";

const api = new FakeApi();
const mesh = new FakeMesh();
let istiod: Istiod;
let reached = false;

function collection(kind: string, namespace: string | undefined): string {
  const root = kind.endsWith("WebhookConfiguration") ? "/apis/admissionregistration.k8s.io/v1" : "/api/v1";
  return `${root}${namespace ? `/namespaces/${namespace}` : ""}/${kind.toLowerCase()}s`;
}

beforeAll(async () => {
  for (const object of meshManifests()) {
    if (["Namespace", "ConfigMap", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"].includes(object.kind))
      api.put(collection(object.kind, object.metadata.namespace), object);
  }
  api.fail = (method, path) =>
    method === "POST" && path.endsWith("/gateways") && reached
      ? "admission webhook denied the request: configuration is invalid: gateway must have at least one server"
      : undefined;
  api.review("gateways", (gateway) => gateway);
  api.review("tokenreviews", (review) => ({ ...review, status: { authenticated: false } }));
  istiod = await startIstiod({
    client: api.client,
    registry: mesh.registry,
    generator: mesh.generator,
    validate: (object) => (object.metadata.name === "bad" ? { error: "it is bad", warnings: [] } : { error: undefined, warnings: ["it is odd"] }),
    namespace: "istio-system",
    revision: "default",
    podName: "istiod-1",
    clusterId: "Kubernetes",
    clock: systemClock,
    log: createLogger("test", { level: "none" }),
    hostname: "127.0.0.1",
    ports: { plaintext: 0, secure: 0, webhook: 0, monitoring: 0, readiness: 0 },
  });
});
afterAll(() => istiod.stop(10));

const rootOf = (namespace: string): string =>
  (api.at(`/api/v1/namespaces/${namespace}/configmaps/istio-ca-root-cert`) as { data?: Record<string, string> } | undefined)?.data?.["root-cert.pem"] ?? "";
const webhooks = (kind: string, name: string): NonNullable<WebhookConfiguration["webhooks"]> =>
  (api.at(`${collection(kind, undefined)}/${name}`) as WebhookConfiguration | undefined)?.webhooks ?? [];

function review(path: string, request: object): Promise<Response> {
  return fetch(`https://localhost:${istiod.ports.webhook}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      kind: "AdmissionReview",
      apiVersion: "admission.k8s.io/v1",
      request: { uid: "u1", operation: "CREATE", namespace: "default", ...request },
    }),
    tls: { ca: rootOf("istio-system"), serverName: "istiod.istio-system.svc" },
  } as RequestInit);
}

describe("what pods wait for", () => {
  test("the trust bundle is there, and readiness says yes", async () => {
    expect(rootOf("istio-system")).toContain("BEGIN CERTIFICATE");
    expect((await fetch(`http://127.0.0.1:${istiod.ports.readiness}/ready`)).status).toBe(200);
  });
});

describe("webhooks", () => {
  test("carry our CA; validation fails closed only once it is reached", async () => {
    await istiod.webhooksPatched;
    for (const { clientConfig } of webhooks("MutatingWebhookConfiguration", "istio-sidecar-injector"))
      expect(Buffer.from(clientConfig.caBundle ?? "", "base64").toString()).toBe(rootOf("istio-system"));
    const [validation] = webhooks("ValidatingWebhookConfiguration", "istiod-default-validator");
    expect(validation?.failurePolicy).toBe("Ignore");
    reached = true;
    const isClosed = (): boolean => webhooks("ValidatingWebhookConfiguration", "istiod-default-validator")[0]?.failurePolicy === "Fail";
    for (let i = 0; i < 300 && !isClosed(); i++) await Bun.sleep(5);
    expect(isClosed()).toBe(true);
  });

  test("get their bundle back when it is overwritten", async () => {
    const path = collection("MutatingWebhookConfiguration", undefined);
    const object = api.at(`${path}/istio-sidecar-injector`) as WebhookConfiguration;
    api.put(path, { ...object, webhooks: object.webhooks?.map((w) => ({ ...w, clientConfig: { ...w.clientConfig, caBundle: "AAAA" } })) });
    const isBack = (): boolean =>
      webhooks("MutatingWebhookConfiguration", "istio-sidecar-injector").every(({ clientConfig }) => clientConfig.caBundle !== "AAAA");
    for (let i = 0; i < 100 && !isBack(); i++) await Bun.sleep(5);
    expect(isBack()).toBe(true);
  });

  test("inject pods over TLS that the bundle verifies", async () => {
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [{ name: "app" }] } };
    const answer = (await (await review("/inject", { object: pod })).json()) as { response: { allowed: boolean; patch: string } };
    expect(answer.response.allowed).toBe(true);
    expect(Buffer.from(answer.response.patch, "base64").toString()).toContain("istio-proxy");
  });

  test("validate with the reason and with warnings, and refuse what is no review", async () => {
    const resource = { group: "security.istio.io", version: "v1", resource: "peerauthentications" };
    const bad = (await (await review("/validate", { resource, object: { kind: "PeerAuthentication", metadata: { name: "bad" } } })).json()) as {
      response: unknown;
    };
    expect(bad.response).toMatchObject({ uid: "u1", allowed: false, status: { message: "configuration is invalid: it is bad" } });
    const good = (await (await review("/validate", { resource, object: { kind: "PeerAuthentication", metadata: { name: "good" } } })).json()) as {
      response: unknown;
    };
    expect(good.response).toMatchObject({ allowed: true, warnings: ["it is odd"] });
    const url = `https://localhost:${istiod.ports.webhook}/inject`;
    const tls = { ca: rootOf("istio-system"), serverName: "istiod.istio-system.svc" };
    expect((await fetch(url, { method: "POST", body: "{}", headers: { "content-type": "application/json" }, tls } as RequestInit)).status).toBe(400);
    expect((await fetch(url, { tls } as RequestInit)).status).toBe(405);
  });
});

describe("monitoring", () => {
  const get = async (path: string): Promise<string> => (await fetch(`http://127.0.0.1:${istiod.ports.monitoring}${path}`)).text();
  test("metrics under Istio's names", async () => {
    const metrics = await get("/metrics");
    for (const name of [
      "pilot_info",
      "pilot_services",
      "citadel_server_root_cert_expiry_timestamp",
      "galley_validation_failed",
      "sidecar_injection_success_total",
      "istiod_uptime_seconds",
    ])
      expect(metrics).toContain(`\n${name}`);
  });
  test("version and debug pages for those in the pod", async () => {
    expect(await get("/version")).toMatch(/^[^-]+-[^-]+-[^-]+$/);
    expect(await get("//version")).toBe(await get("/version")); // as istioctl asks for it
    expect(JSON.parse(await get("/debug/syncz"))).toEqual([]);
    expect(JSON.parse(await get("/debug/list"))).toContain("registryz");
    expect(JSON.parse(await get("/debug/connections"))).toEqual({ totalClients: 0, clients: [] });
    expect(await get("/debug/config_dump")).toBe("You must provide a proxyID in the query string");
    expect(await get("/debug/constructor")).toContain("unknown debug page");
  });
});

test("options are Istio's; a wrong one is an error", () => {
  const options = parseOptions(
    ["discovery", "--monitoringAddr=:15014", "--log_output_level=default:debug", "--domain", "cluster.local", "--keepaliveMaxServerConnectionAge", "30m"],
    { POD_NAMESPACE: "x" },
  );
  expect(options.kubeconfig).toBeUndefined();
  expect(parseOptions(["discovery", "--kubeconfig", "/etc/kube/config"], {}).kubeconfig).toBe("/etc/kube/config");
  expect(options).toMatchObject({ namespace: "x", monitoringPort: 15014, logLevel: "debug", domain: "cluster.local", revision: "default" });
  expect(() => parseOptions(["discovery", "--nope"], {})).toThrow("unknown flag: --nope");
  expect(() => parseOptions(["proxy"], {})).toThrow("unknown command");
  expect(() => parseOptions(["discovery", "--httpAddr=80"], {})).toThrow("wants an address");
});
