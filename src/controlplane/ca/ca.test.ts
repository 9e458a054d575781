import { afterEach, describe, expect, test } from "bun:test";
import { createLogger, FakeClock, systemClock, type Clock } from "../../base/index.ts";
import { createCsr, encodePrivateKey, generateKey, issueRoot, parseBundle, parseCertificate, verifyChain } from "../../pki/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { FakeApi } from "../testing/fake-api.ts";
import { createAuthenticator } from "./authenticate.ts";
import { openCa } from "./ca-store.ts";
import { distributeRoots } from "./root-distribution.ts";
import { createTokenReviewer } from "./token-reviewer.ts";

const log = createLogger("test", { level: "none" });
const SECRETS = "/api/v1/namespaces/istio-system/secrets";
const caller = "spiffe://cluster.local/ns/istioinaction/sa/web-api";
const DAY = 24 * 3_600_000;
const stops: (() => void)[] = [];
afterEach(() => stops.splice(0).forEach((stop) => stop()));

async function open(api: FakeApi, clock: Clock = systemClock) {
  const opened = await openCa({ client: api.client, namespace: "istio-system", trustDomain: "cluster.local", clock, log, spreadMs: 0 });
  stops.push(opened.stop);
  return opened.ca;
}

const secret = (name: string, data: Record<string, string>): KubeObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace: "istio-system" },
  data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")])),
});

async function eventually(check: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !check(); i++) await Bun.sleep(2);
  expect(check()).toBe(true);
}

describe("the root", () => {
  test("is made once, stored as Istio stores it, and used again after a restart", async () => {
    const api = new FakeApi();
    const first = await open(api);
    const stored = api.at(`${SECRETS}/istio-ca-secret`);
    expect(stored?.["type"]).toBe("istio.io/ca-root");
    expect(Object.keys(stored?.["data"] ?? {}).sort()).toEqual(["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "key.pem", "root-cert.pem"]);
    const second = await open(api);
    expect(second.material.rootBundlePem).toBe(first.material.rootBundlePem);
    expect(first.material.certificate.subject).toBe("O = cluster.local");
  });

  test("two control planes that start at once share one root", async () => {
    const api = new FakeApi();
    const [a, b] = await Promise.all([open(api), open(api)]);
    expect(a.material.rootBundlePem).toBe(b.material.rootBundlePem);
  });

  test("a stored key that is not the certificate's stops the start", async () => {
    const api = new FakeApi();
    const root = issueRoot({ key: await generateKey(), organization: "x", now: Date.now(), lifetimeMs: DAY });
    api.put(SECRETS, secret("istio-ca-secret", { "ca-cert.pem": root.pem, "ca-key.pem": encodePrivateKey(await generateKey()) }));
    await expect(open(api)).rejects.toThrow(expect.objectContaining({ code: "CA_SECRET_INVALID" }));
  });

  test("is renewed with the same key in the last fifth of its life; old leaves stay valid", async () => {
    const api = new FakeApi();
    const clock = new FakeClock(Date.now());
    const ca = await open(api, clock);
    const old = ca.material.certificate;
    const leaf = ca.signRequest(createCsr({ key: await generateKey() }), caller, 0)[0] ?? "";
    clock.advance(2_000 * DAY);
    await Bun.sleep(5);
    expect(ca.material.certificate.pem).toBe(old.pem);
    for (let i = 0; i < 40 && ca.material.certificate.pem === old.pem; i++) {
      clock.advance(25 * DAY);
      await Bun.sleep(2);
    }
    expect(ca.material.certificate.pem).not.toBe(old.pem);
    expect(ca.material.certificate.notAfter).toBeGreaterThan(old.notAfter);
    expect(parseCertificate(leaf).signedBy(ca.material.certificate.publicKey)).toBe(true);
    expect(Buffer.from((api.at(`${SECRETS}/istio-ca-secret`) as { data?: Record<string, string> }).data?.["ca-cert.pem"] ?? "", "base64").toString()).toBe(
      ca.material.certificate.pem,
    );
  });
});

describe("an operator's CA", () => {
  async function own(organization = "corp") {
    const key = await generateKey();
    return { key, root: issueRoot({ key, organization, now: Date.now() - 1000, lifetimeMs: DAY }) };
  }

  test("is taken in both layouts, and replaced live", async () => {
    const api = new FakeApi();
    const first = await own();
    api.put(
      SECRETS,
      secret("cacerts", {
        "ca-cert.pem": first.root.pem,
        "ca-key.pem": encodePrivateKey(first.key),
        "root-cert.pem": first.root.pem,
        "cert-chain.pem": first.root.pem,
      }),
    );
    const ca = await open(api);
    expect(ca.material.source).toBe("plugged-in");
    expect(api.at(`${SECRETS}/istio-ca-secret`)).toBeUndefined();
    const chain = ca.signRequest(createCsr({ key: await generateKey() }), caller, 0);
    expect(chain).toHaveLength(3);
    expect(chain[2]).toBe(first.root.pem);

    const second = await own("corp2");
    api.put(SECRETS, secret("cacerts", { "tls.crt": second.root.pem, "tls.key": encodePrivateKey(second.key), "ca.crt": second.root.pem }));
    await eventually(() => ca.material.certificate.subject === "O = corp2");
    api.put(SECRETS, secret("cacerts", { "tls.crt": second.root.pem }));
    await Bun.sleep(10);
    expect(ca.material.certificate.subject).toBe("O = corp2");
  });

  test("an incomplete set stops the start", async () => {
    const api = new FakeApi();
    const { root } = await own();
    api.put(SECRETS, secret("cacerts", { "ca-cert.pem": root.pem, "root-cert.pem": root.pem }));
    await expect(open(api)).rejects.toThrow(expect.objectContaining({ code: "CA_SECRET_INCOMPLETE" }));
  });
});

describe("signing", () => {
  test("uses the caller's identity whatever the request asks for", async () => {
    const ca = await open(new FakeApi());
    const csr = createCsr({ key: await generateKey(), spiffeId: "spiffe://cluster.local/ns/istio-system/sa/istiod" });
    const [leafPem = "", rootPem = ""] = ca.signRequest(csr, caller, 3_600_000);
    const leaf = parseCertificate(leafPem);
    expect(leaf.uris).toEqual([caller]);
    expect(leaf.notAfter - leaf.notBefore).toBe(3_600_000 + 120_000);
    expect(verifyChain(leaf, { intermediates: [], roots: parseBundle(rootPem), now: Date.now() })).toHaveLength(2);
  });

  test("refuses a lifetime over 90 days and a bad request", async () => {
    const ca = await open(new FakeApi());
    const csr = createCsr({ key: await generateKey() });
    expect(() => ca.signRequest(csr, caller, 91 * DAY)).toThrow("requested TTL 2184h0m0s is greater than the max allowed TTL 2160h0m0s");
    expect(() => ca.signRequest("nonsense", caller, 0)).toThrow(expect.objectContaining({ code: "CA_CSR_INVALID" }));
  });
});

describe("callers", () => {
  const api = new FakeApi();
  api.review("tokenreviews", (review) => {
    const { token, audiences } = review.spec as { token: string; audiences: string[] };
    if (token === "good") return { ...review, status: { authenticated: true, audiences, user: { username: "system:serviceaccount:istioinaction:web-api" } } };
    if (token === "user") return { ...review, status: { authenticated: true, audiences, user: { username: "admin" } } };
    if (token === "no-audience") return { ...review, status: { authenticated: true, user: { username: "system:serviceaccount:a:b" } } };
    return { ...review, status: { authenticated: false, error: "invalid bearer token" } };
  });
  const authenticator = createAuthenticator({
    trustDomain: () => "cluster.local",
    tokens: createTokenReviewer({ client: api.client, audience: "istio-ca", clock: systemClock }),
  });
  const reviews = (): number => api.requests.filter((r) => r.endsWith("tokenreviews")).length;

  test("a verified certificate comes first and needs no review", async () => {
    const before = reviews();
    const who = await authenticator.authenticate({ verifiedUris: [caller], authorization: "Bearer bad" });
    expect(who).toMatchObject({ spiffe: caller, source: "client-certificate", id: { namespace: "istioinaction", serviceAccount: "web-api" } });
    expect(reviews()).toBe(before);
  });

  test("a token is reviewed for audience istio-ca", async () => {
    expect(await authenticator.authenticate({ verifiedUris: [], authorization: "Bearer good" })).toMatchObject({ spiffe: caller, source: "token" });
  });

  test("everything else is refused with Istio's words", async () => {
    for (const authorization of [undefined, "", "Basic x", "Bearer bad", "Bearer user", "Bearer no-audience", `Bearer ${"x".repeat(20_000)}`]) {
      await expect(authenticator.authenticate({ verifiedUris: [], authorization })).rejects.toThrow("request authenticate failure");
    }
    await expect(authenticator.authenticate({ verifiedUris: ["spiffe://other.domain/ns/a/sa/b"], authorization: undefined })).rejects.toThrow(
      "request authenticate failure",
    );
  });
});

describe("distribution", () => {
  const namespace = (name: string): KubeObject => ({ apiVersion: "v1", kind: "Namespace", metadata: { name }, status: { phase: "Active" } });
  const path = (ns: string, name = "istio-ca-root-cert"): string => `/api/v1/namespaces/${ns}/configmaps/${name}`;

  test("every namespace gets the bundle at once, and gets it back when it is changed or deleted", async () => {
    const api = new FakeApi();
    for (const name of ["default", "kube-public", "kube-node-lease", "kube-system"]) api.put("/api/v1/namespaces", namespace(name));
    const ca = await open(api);
    const distribution = distributeRoots({ client: api.client, ca, clock: systemClock, log });
    stops.push(distribution.stop);
    await distribution.synced;
    const has = (ns: string): boolean =>
      (api.at(path(ns)) as { data?: Record<string, string> } | undefined)?.data?.["root-cert.pem"] === ca.material.rootBundlePem;
    await eventually(() => has("default") && has("kube-system"));
    expect(api.at(path("default"))?.metadata.labels).toEqual({ "istio.io/config": "true" });
    expect(api.at(path("default", "istio-ca-crl"))).toBeDefined();
    expect(api.at(path("kube-public"))).toBeUndefined();
    expect(api.at(path("kube-node-lease"))).toBeUndefined();

    api.put("/api/v1/namespaces", namespace("fresh"));
    await eventually(() => has("fresh"));
    api.put("/api/v1/namespaces/fresh/configmaps", {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "istio-ca-root-cert", namespace: "fresh" },
      data: { "root-cert.pem": "forged" },
    });
    await eventually(() => has("fresh"));
    api.remove(path("fresh"));
    await eventually(() => has("fresh"));
    const writes = api.requests.length;
    await Bun.sleep(20);
    expect(api.requests.length).toBe(writes);
  });

  test("a failing API server is asked again", async () => {
    const api = new FakeApi();
    api.put("/api/v1/namespaces", namespace("default"));
    const ca = await open(api);
    const clock = new FakeClock();
    api.fail = (method) => (method === "POST" ? 500 : undefined);
    const distribution = distributeRoots({ client: api.client, ca, clock, log });
    stops.push(distribution.stop);
    await distribution.synced;
    await Bun.sleep(10);
    expect(api.at(path("default"))).toBeUndefined();
    api.fail = () => undefined;
    clock.advance(1_000);
    await eventually(() => api.at(path("default")) !== undefined);
  });
});
