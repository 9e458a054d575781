import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createCsr, encodePrivateKey, generateKey, issueLeaf, issueRoot, parseBundle, parseCertificate, publicKeyDer, verifyChain } from "../../pki/index.ts";
import { ClientConfigSchema, ConfigStatus } from "../../proto/gen/envoy/service/status/v3/csds_pb.ts";
import { SecretSchema } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { fromBinary } from "@bufbuild/protobuf";
import { XDS_TYPES } from "../../proto/index.ts";
import type { CertificateAuthority } from "../ca/index.ts";
import type { MetricsRegistry } from "../debug/metrics.ts";
import type { FakeMesh } from "../testing/fake-mesh.ts";
import { SecureServer } from "../testing/secure-server.ts";
import type { TestClient, TestIdentity } from "../testing/xds-client.ts";
import type { BoundServer } from "./grpc-server.ts";

let server: SecureServer;
let ca: CertificateAuthority;
let secure: BoundServer;
let plain: BoundServer;
let mesh: FakeMesh;
let metrics: MetricsRegistry;

const node = (namespace = "istioinaction", account = "web-api", type = "sidecar") => ({
  id: `${type}~10.244.1.11~web-api-1.${namespace}~${namespace}.svc.cluster.local`,
  metadata: { NAMESPACE: namespace, SERVICE_ACCOUNT: account, ISTIO_VERSION: "1.31.0", CLUSTER_ID: "Kubernetes" },
});

const client = (port: number, who?: TestIdentity): TestClient => server.client(port, who);
const workload = (spiffe?: string): Promise<TestIdentity> => server.workload(spiffe);

beforeAll(async () => {
  server = await SecureServer.start({ web: "system:serviceaccount:istioinaction:web-api", tool: "system:serviceaccount:istio-system:default" });
  ({ ca, secure, plain, mesh, metrics } = server);
});
afterAll(() => server.stop());

describe("certificate service", () => {
  test("a token gets a certificate for its service account, whatever the request asks for", async () => {
    const key = await generateKey();
    const csr = createCsr({ key, spiffeId: "spiffe://cluster.local/ns/istio-system/sa/istiod" });
    const chain = await client(secure.port, { rootPem: ca.material.rootBundlePem, token: "web" }).createCertificate(csr);
    expect(chain).toHaveLength(2);
    const leaf = parseCertificate(chain[0] ?? "");
    expect(leaf.uris).toEqual(["spiffe://cluster.local/ns/istioinaction/sa/web-api"]);
    verifyChain(leaf, { intermediates: [], roots: parseBundle(chain[1] ?? ""), now: Date.now(), purpose: "clientAuth" });
  });

  test("a client certificate renews without a token", async () => {
    const csr = createCsr({ key: await generateKey() });
    expect(await client(secure.port, await workload()).createCertificate(csr)).toHaveLength(2);
  });

  test("no token, a bad one, and a certificate of another root are refused alike", async () => {
    const csr = createCsr({ key: await generateKey() });
    const rootPem = ca.material.rootBundlePem;
    const foreignKey = await generateKey();
    const foreignRoot = issueRoot({ key: foreignKey, organization: "cluster.local", now: Date.now() - 1000, lifetimeMs: 3_600_000 });
    const spki = publicKeyDer(foreignKey);
    const names = { uris: ["spiffe://cluster.local/ns/istioinaction/sa/web-api"] };
    const foreign = issueLeaf({ signer: { certificate: foreignRoot, key: foreignKey }, spki, names, now: Date.now(), lifetimeMs: 3_600_000 });
    for (const who of [{ rootPem }, { rootPem, token: "bad" }, { rootPem, certPem: foreign.pem, keyPem: encodePrivateKey(foreignKey) }]) {
      await expect(client(secure.port, who).createCertificate(csr)).rejects.toMatchObject({ code: 16, details: "request authenticate failure" });
    }
  });

  test("the plaintext port does not have it; bad requests and lifetimes are invalid arguments", async () => {
    const csr = createCsr({ key: await generateKey() });
    await expect(client(plain.port).createCertificate(csr)).rejects.toMatchObject({ code: 12 });
    await expect(client(secure.port, await workload()).createCertificate("x")).rejects.toMatchObject({ code: 3 });
    await expect(client(secure.port, await workload()).createCertificate(csr, 91 * 86_400)).rejects.toMatchObject({ code: 3 });
  });
});

describe("state-of-the-world ADS", () => {
  test("answers, ACKs in silence, pushes only what changed", async () => {
    mesh.set(XDS_TYPES.CDS, { a: "1", b: "1" });
    mesh.set(XDS_TYPES.EDS, { a: "1", b: "1" });
    const stream = client(secure.port, await workload()).sotw();
    stream.send({ node: node(), typeUrl: XDS_TYPES.CDS });
    const clusters = await stream.next();
    expect(clusters.resources.map((r) => Buffer.from(r.value).toString())).toEqual(["a=1", "b=1"]);
    expect(clusters.versionInfo).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\/\d+$/);
    expect(clusters.nonce.startsWith(clusters.versionInfo)).toBe(true);
    stream.send({ typeUrl: XDS_TYPES.CDS, versionInfo: clusters.versionInfo, responseNonce: clusters.nonce });
    stream.send({ typeUrl: XDS_TYPES.EDS, resourceNames: ["a", "b"] });
    const endpoints = await stream.next();
    expect(endpoints.resources).toHaveLength(2);
    stream.send({ typeUrl: XDS_TYPES.EDS, resourceNames: ["a", "b"], responseNonce: endpoints.nonce });
    expect(await stream.silent()).toBe(true);

    mesh.change();
    expect(await stream.silent()).toBe(true);

    mesh.set(XDS_TYPES.EDS, { a: "1", b: "2" });
    mesh.change("EndpointSlice");
    const pushed = await stream.next();
    expect(pushed.typeUrl).toBe(XDS_TYPES.EDS);
    expect(pushed.resources.map((r) => Buffer.from(r.value).toString())).toEqual(["b=2"]);

    // A changed cluster comes first, and its unchanged endpoints after it.
    mesh.set(XDS_TYPES.CDS, { a: "2", b: "1" });
    mesh.change();
    expect((await stream.next()).resources).toHaveLength(2);
    expect((await stream.next()).resources.map((r) => Buffer.from(r.value).toString())).toEqual(["a=1"]);
    stream.end();
  });

  test("a change is followed to the answer of each proxy", async () => {
    mesh.set(XDS_TYPES.CDS, { a: "1" });
    const stream = client(secure.port, await workload()).sotw();
    stream.send({ node: node(), typeUrl: XDS_TYPES.CDS });
    const { nonce } = await stream.next();
    stream.send({ typeUrl: XDS_TYPES.CDS, responseNonce: nonce });
    const key = "DestinationRule/istioinaction/followed";
    const state = () => server.ads.distribution.changes(key)[0];
    mesh.set(XDS_TYPES.CDS, { a: "2" });
    mesh.change("DestinationRule", [key]);
    const pushed = await stream.next();
    expect(state()).toMatchObject({ applied: 0, milliseconds: undefined });
    stream.send({ typeUrl: XDS_TYPES.CDS, responseNonce: pushed.nonce });
    for (let tries = 0; tries < 200 && state()?.milliseconds === undefined; tries++) await Bun.sleep(5);
    expect(state()).toMatchObject({ applied: 1, refused: [], waiting: 0, milliseconds: expect.any(Number) });
    // What alters nothing for a proxy is done without it.
    mesh.change("DestinationRule", [key]);
    for (let tries = 0; tries < 200 && state()?.milliseconds === undefined; tries++) await Bun.sleep(5);
    expect(state()).toMatchObject({ applied: 0, unaffected: 1, waiting: 0 });
    stream.end();
  });

  test("a refusal is counted, and shown as ERROR to istioctl", async () => {
    mesh.set(XDS_TYPES.LDS, { x: "1" });
    const stream = client(secure.port, await workload()).sotw();
    stream.send({ node: node(), typeUrl: XDS_TYPES.LDS });
    const { nonce } = await stream.next();
    stream.send({ typeUrl: XDS_TYPES.LDS, responseNonce: nonce, errorDetail: { code: 13, message: "no such filter" } });
    const tool = client(secure.port, { rootPem: ca.material.rootBundlePem, token: "tool" }).sotw();
    // Istio's own client sets a nonce even on its first request.
    tool.send({
      node: { id: "sidecar~10.0.0.1~test-1.default~default.svc.cluster.local", metadata: { GENERATOR: "event" } },
      typeUrl: "istio.io/debug/syncz",
      responseNonce: "2026-11-24 09:00:00",
    });
    const answer = await tool.next();
    expect(JSON.parse(answer.controlPlane?.identifier ?? "{}")).toMatchObject({ Component: "istiod", ID: "istiod-1" });
    const configs = answer.resources.map((r) => fromBinary(ClientConfigSchema, r.value));
    const mine = configs.find((c) => c.genericXdsConfigs.some((g) => g.configStatus === ConfigStatus.ERROR));
    expect(mine?.node?.id).toBe("web-api-1.istioinaction");
    expect(metrics.render()).toContain('pilot_total_xds_rejects{type="lds"} 1');
    tool.send({ typeUrl: "istio.io/debug/syncz", responseNonce: answer.nonce });
    expect(await tool.silent()).toBe(true);
    stream.end();
    tool.end();
  });

  test("routes without names, and unknown nonces, get no answer", async () => {
    const stream = client(secure.port, await workload()).sotw();
    stream.send({ node: node(), typeUrl: XDS_TYPES.RDS, resourceNames: [] });
    expect(await stream.silent()).toBe(true);
    stream.end();
  });
});

describe("incremental ADS", () => {
  test("sends only changed and removed resources, and spares what the client says it has", async () => {
    mesh.set(XDS_TYPES.CDS, { a: "1", b: "1" });
    const stream = client(secure.port, await workload()).delta();
    stream.send({ node: node(), typeUrl: XDS_TYPES.CDS, resourceNamesSubscribe: ["*"], initialResourceVersions: { a: "1", gone: "1" } });
    const first = await stream.next();
    expect(first.resources.map((r) => `${r.name} ${r.version}`)).toEqual(["b 1"]);
    expect(first.removedResources).toEqual(["gone"]);
    stream.send({ typeUrl: XDS_TYPES.CDS, responseNonce: first.nonce });
    mesh.set(XDS_TYPES.CDS, { b: "2", c: "1" });
    mesh.change();
    const push = await stream.next();
    expect(push.resources.map((r) => r.name)).toEqual(["b", "c"]);
    expect(push.removedResources).toEqual(["a"]);
    stream.end();
  });

  test("a name that is subscribed to again is sent again, one that does not exist is removed", async () => {
    mesh.set(XDS_TYPES.EDS, { a: "1" });
    const stream = client(secure.port, await workload()).delta();
    stream.send({ node: node(), typeUrl: XDS_TYPES.EDS, resourceNamesSubscribe: ["a"] });
    await stream.next();
    stream.send({ typeUrl: XDS_TYPES.EDS, resourceNamesSubscribe: ["a", "nothing"] });
    const again = await stream.next();
    expect(again.resources.map((r) => r.name)).toEqual(["a"]);
    expect(again.removedResources).toEqual(["nothing"]);
    stream.end();
  });

  test("a burst of changes reaches a proxy as its last state", async () => {
    mesh.set(XDS_TYPES.CDS, { a: "1" });
    const stream = client(secure.port, await workload()).delta();
    stream.send({ node: node(), typeUrl: XDS_TYPES.CDS });
    await stream.next();
    for (let i = 2; i < 50; i++) {
      mesh.set(XDS_TYPES.CDS, { a: String(i) });
      mesh.change();
    }
    expect((await stream.next()).resources[0]?.version).toBe("49");
    expect(await stream.silent()).toBe(true);
    stream.end();
  });
});

describe("slow clients", () => {
  test("a client that does not read gets the newest state when it does, not all that it missed", async () => {
    const body = (n: number): Record<string, string> => ({ big: `${n}:${"x".repeat(300_000)}` });
    mesh.set(XDS_TYPES.CDS, body(0));
    const stream = client(secure.port, await workload()).delta();
    stream.send({ node: node(), typeUrl: XDS_TYPES.CDS });
    await stream.next();
    stream.pause();
    for (let i = 1; i <= 60; i++) {
      mesh.set(XDS_TYPES.CDS, body(i));
      mesh.change();
      await Bun.sleep(1);
    }
    stream.resume();
    let answers = 0;
    let last = "";
    while (!last.startsWith("60:")) {
      last = (await stream.next()).resources[0]?.version ?? "";
      answers++;
    }
    expect(answers).toBeLessThan(30);
    expect(await stream.silent()).toBe(true);
    stream.end();
  });
});

describe("who may ask", () => {
  test("another namespace or service account, and nobody at all, are refused", async () => {
    const wrong = client(secure.port, await workload()).sotw();
    wrong.send({ node: node("other"), typeUrl: XDS_TYPES.CDS });
    expect(await wrong.failed).toMatchObject({ code: 7 });
    const account = client(secure.port, await workload()).sotw();
    account.send({ node: node("istioinaction", "admin"), typeUrl: XDS_TYPES.CDS });
    expect(await account.failed).toMatchObject({ code: 7 });
    const nobody = client(secure.port, { rootPem: ca.material.rootBundlePem }).sotw();
    nobody.send({ node: node(), typeUrl: XDS_TYPES.CDS });
    expect(await nobody.failed).toMatchObject({ code: 16 });
    const nameless = client(secure.port, await workload()).sotw();
    nameless.send({ typeUrl: XDS_TYPES.CDS });
    expect(await nameless.failed).toMatchObject({ code: 3, details: "missing node information" });
  });

  test("a tool's node opens no way to a proxy's configuration, and a workload none to istiod's state", async () => {
    const disguised = client(secure.port, await workload()).sotw();
    disguised.send({ node: { id: node("other").id, metadata: { GENERATOR: "event", NAMESPACE: "other" } }, typeUrl: XDS_TYPES.CDS });
    expect(await disguised.failed).toMatchObject({ code: 3 });
    const curious = client(secure.port, await workload()).sotw();
    curious.send({ node: node(), typeUrl: "istio.io/debug/syncz" });
    expect(await curious.failed).toMatchObject({ code: 7 });
  });
});

describe("gateway credentials", () => {
  const gateway = (): ReturnType<typeof node> => node("istio-system", "istio-ingressgateway", "router");
  const gatewayId = "spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway";

  async function putSecret(name: string, version: string, data?: Record<string, string>): Promise<string> {
    const key = await generateKey();
    const { pem } = issueRoot({ key, organization: version, now: Date.now() - 1000, lifetimeMs: 3_600_000 });
    const content = data ?? { "tls.crt": pem, "tls.key": encodePrivateKey(key), "ca.crt": pem };
    mesh.objects.set(`Secret/istio-system/${name}`, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, namespace: "istio-system", uid: name, resourceVersion: version },
      data: Object.fromEntries(Object.entries(content).map(([k, v]) => [k, Buffer.from(v).toString("base64")])),
    });
    return pem;
  }

  test("are served to the authorized router of their namespace, and pushed when they change; a broken one changes nothing", async () => {
    const pem = await putSecret("site", "1");
    const stream = client(secure.port, await workload(gatewayId)).sotw();
    const names = ["kubernetes://site", "kubernetes://site-cacert", "kubernetes://missing", "kubernetes://istioinaction/site"];
    stream.send({ node: gateway(), typeUrl: XDS_TYPES.SDS, resourceNames: names });
    const answer = await stream.next();
    const [pair, roots, ...rest] = answer.resources.map((r) => fromBinary(SecretSchema, r.value));
    expect(rest).toEqual([]);
    expect(pair?.name).toBe("kubernetes://site");
    expect(pair?.type.case).toBe("tlsCertificate");
    expect(
      roots?.type.case === "validationContext" && Buffer.from((roots.type.value.trustedCa?.specifier.value as Uint8Array | undefined) ?? []).toString(),
    ).toBe(pem);

    await putSecret("site", "2", { "tls.crt": "broken", "tls.key": "broken" });
    mesh.change("Secret");
    expect(await stream.silent()).toBe(true);
    await putSecret("site", "3");
    mesh.change("Secret");
    expect((await stream.next()).resources.map((r) => fromBinary(SecretSchema, r.value).name)).toEqual(["kubernetes://site", "kubernetes://site-cacert"]);
    stream.end();
  });

  test("are not served without authorization, nor on the plaintext port", async () => {
    await putSecret("site", "4");
    const sidecar = client(secure.port, await workload()).delta();
    sidecar.send({ node: node(), typeUrl: XDS_TYPES.SDS, resourceNamesSubscribe: ["kubernetes://site"] });
    expect(await sidecar.next()).toMatchObject({ resources: [], removedResources: ["kubernetes://site"] });
    const open = client(plain.port).delta();
    open.send({ node: gateway(), typeUrl: XDS_TYPES.SDS, resourceNamesSubscribe: ["kubernetes://site"] });
    expect((await open.next()).resources).toEqual([]);
    sidecar.end();
    open.end();
  });
});

test("connections that end are forgotten, and a replaced CA serves new connections at once", async () => {
  await Bun.sleep(20);
  expect([...server.ads.connections()]).toEqual([]);
  const key = await generateKey();
  const certificate = issueRoot({ key, organization: "cluster.local", now: Date.now() - 1000, lifetimeMs: 3_600_000 });
  const old = await workload();
  ca.replace({ certificate, key, chainPem: "", rootBundlePem: certificate.pem, crlPem: "", source: "plugged-in" });
  await Bun.sleep(20);
  const csr = createCsr({ key: await generateKey() });
  expect(await client(secure.port, await workload()).createCertificate(csr)).toHaveLength(2);
  await expect(client(secure.port, { ...old, rootPem: certificate.pem }).createCertificate(csr)).rejects.toMatchObject({ code: 16 });
});
