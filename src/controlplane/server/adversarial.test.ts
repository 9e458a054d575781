import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { FakeClock } from "../../base/index.ts";
import {
  createCsr,
  encodePrivateKey,
  generateKey,
  issueLeaf,
  issueRevocationList,
  issueRoot,
  parseCertificate,
  publicKeyDer,
  type Certificate,
} from "../../pki/index.ts";
import { SecretSchema } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { XDS_TYPES } from "../../proto/index.ts";
import { RateLimit } from "../ca/index.ts";
import { SecureServer } from "../testing/secure-server.ts";
import type { TestIdentity } from "../testing/xds-client.ts";

/* Everything here is somebody who tries to become somebody else. */

const ACCOUNTS = {
  web: "system:serviceaccount:istioinaction:web-api",
  admin: "admin",
  node: "system:node:n1",
  odd: "system:serviceaccount:istioinaction:web-api:more",
  empty: "system:serviceaccount::",
};
const OWN = "spiffe://cluster.local/ns/istioinaction/sa/web-api";
const REFUSED = { code: 16, details: "request authenticate failure" };
const HOUR = 3_600_000;
const folder = mkdtempSync(join(tmpdir(), "adversary-"));
let server: SecureServer;

beforeAll(async () => {
  server = await SecureServer.start(ACCOUNTS);
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

/** A request that openssl makes, with whatever extensions it is told to. */
function opensslCsr(subject: string, ...extensions: string[]): string {
  const args = [
    "req",
    "-new",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    "/dev/null",
    "-subj",
    subject,
    ...extensions.flatMap((extension) => ["-addext", extension]),
  ];
  const { success, stdout, stderr } = Bun.spawnSync(["openssl", ...args], { stdout: "pipe", stderr: "pipe" });
  if (!success) throw new Error(stderr.toString());
  return stdout.toString();
}

const as = (certificate: Certificate, key: Parameters<typeof encodePrivateKey>[0], more = ""): TestIdentity => ({
  rootPem: server.ca.material.rootBundlePem,
  certPem: certificate.pem + more,
  keyPem: encodePrivateKey(key),
});
const leafOf = async (csr: string, who: TestIdentity): Promise<Certificate> =>
  parseCertificate((await server.client(server.secure.port, who).createCertificate(csr))[0] ?? "");

describe("a certificate request", () => {
  test("gets the caller's one name, whatever it asks for", async () => {
    const token = { rootPem: server.ca.material.rootBundlePem, token: "web" };
    for (const csr of [
      createCsr({ key: await generateKey(), spiffeId: "spiffe://cluster.local/ns/istio-system/sa/istiod" }),
      createCsr({ key: await generateKey(), dnsNames: ["istiod.istio-system.svc", "kubernetes.default.svc"] }),
      opensslCsr(
        "/O=system:masters/CN=admin",
        "subjectAltName=URI:spiffe://cluster.local/ns/kube-system/sa/root,DNS:istiod.istio-system.svc,IP:10.96.0.1,email:a@b",
      ),
      opensslCsr("/CN=x", "basicConstraints=critical,CA:TRUE,pathlen:5", "keyUsage=critical,keyCertSign,cRLSign", "extendedKeyUsage=codeSigning"),
      opensslCsr("/CN=x", "1.2.3.4.5=critical,ASN1:UTF8:anything"),
    ]) {
      const leaf = await leafOf(csr, token);
      expect(leaf).toMatchObject({ uris: [OWN], dnsNames: [], ipAddresses: [], subject: "", isCa: false, unknownCritical: [] });
      expect(leaf.keyUsage?.has(5)).toBe(false);
    }
  });

  test("for somebody else's key is refused: who sends it must hold the private key", async () => {
    const [mine, stolen] = [await generateKey(), await generateKey()];
    const swap = (pem: string): string => {
      const der = Buffer.from(pem.split("\n").slice(1, -2).join(""), "base64");
      const at = der.indexOf(Buffer.from(publicKeyDer(mine)));
      Buffer.from(publicKeyDer(stolen)).copy(der, at);
      return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
    };
    await expect(leafOf(swap(createCsr({ key: mine })), await server.workload())).rejects.toMatchObject({ code: 3 });
  });

  test("with a weak key, several requests, or megabytes is refused", async () => {
    const weak = Bun.spawnSync(["openssl", "req", "-new", "-newkey", "rsa:1024", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=x"], {
      stdout: "pipe",
      stderr: "ignore",
    }).stdout.toString();
    const who = await server.workload();
    for (const csr of [weak, `${"x".repeat(1 << 20)}`, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ""])
      await expect(leafOf(csr, who)).rejects.toMatchObject({ code: 3 });
  });
});

describe("a caller", () => {
  test("with a token of a user, a node, an odd name, or of nobody is refused", async () => {
    const csr = createCsr({ key: await generateKey() });
    for (const token of ["admin", "node", "odd", "empty", "unknown", "constructor", "web web"]) {
      await expect(leafOf(csr, { rootPem: server.ca.material.rootBundlePem, token })).rejects.toMatchObject(REFUSED);
    }
  });

  test("with a certificate that we did not issue for that, or that is over, is refused", async () => {
    const { ca } = server;
    const csr = createCsr({ key: await generateKey() });
    const key = await generateKey();
    const spki = publicKeyDer(key);
    const root = issueRoot({ key, organization: "cluster.local", now: Date.now() - 1000, lifetimeMs: HOUR });
    const byAnotherRoot = issueLeaf({ signer: { certificate: root, key }, spki, names: { uris: [OWN] }, now: Date.now(), lifetimeMs: HOUR });
    const ofAnotherDomain = ca.issue(spki, { uris: ["spiffe://other.domain/ns/istioinaction/sa/web-api"] }, HOUR);
    const ofIstiodItself = ca.issue(spki, { dnsNames: ["istiod.istio-system.svc"] }, HOUR);
    const notSpiffe = ca.issue(
      spki,
      { uris: ["https://cluster.local/ns/istioinaction/sa/web-api", "spiffe://cluster.local/ns/istioinaction", "spiffe://cluster.local/ns/a/sa/b/extra"] },
      HOUR,
    );
    const expired = ca.issue(spki, { uris: [OWN] }, 1_000);
    // Certificates know whole seconds only.
    await Bun.sleep(1_100);
    for (const certificate of [byAnotherRoot, ofAnotherDomain, ofIstiodItself, notSpiffe, expired]) {
      await expect(leafOf(csr, as(certificate, key))).rejects.toMatchObject(REFUSED);
    }
  });

  test("cannot make a certificate authority of a workload's certificate", async () => {
    const key = await generateKey();
    const own = server.ca.issue(publicKeyDer(key), { uris: [OWN] }, HOUR);
    const victim = await generateKey();
    writeFileSync(join(folder, "own.pem"), own.pem);
    writeFileSync(join(folder, "own.key"), encodePrivateKey(key), { mode: 0o600 });
    writeFileSync(join(folder, "victim.key"), encodePrivateKey(victim), { mode: 0o600 });
    writeFileSync(join(folder, "names"), "subjectAltName=URI:spiffe://cluster.local/ns/istio-system/sa/istiod\nextendedKeyUsage=clientAuth\n");
    // Our own library refuses to; openssl does as it is told.
    const shell =
      "openssl req -new -key victim.key -subj / -out victim.csr && openssl x509 -req -in victim.csr -CA own.pem -CAkey own.key -set_serial 7 -days 1 -extfile names -out victim.pem";
    const made = Bun.spawnSync(["sh", "-c", shell], { cwd: folder, stderr: "pipe" });
    expect(`${made.success} ${made.success ? "" : made.stderr.toString()}`).toBe("true ");
    const forged = parseCertificate(readFileSync(join(folder, "victim.pem"), "utf8"));
    await expect(leafOf(createCsr({ key: await generateKey() }), as(forged, victim, own.pem))).rejects.toMatchObject(REFUSED);
  });

  test("whose certificate is revoked is refused, others of the same authority are not", async () => {
    const { ca } = server;
    const [bad, good] = [await server.workload(), await server.workload()];
    const csr = createCsr({ key: await generateKey() });
    const before = ca.material;
    const list = issueRevocationList({ signer: before, serials: [parseCertificate(bad.certPem ?? "").serialNumber], now: Date.now() - 1000, lifetimeMs: HOUR });
    ca.replace({ ...before, crlPem: list.pem });
    await Bun.sleep(50);
    await expect(leafOf(csr, bad)).rejects.toMatchObject(REFUSED);
    expect((await leafOf(csr, good)).uris).toEqual([OWN]);
    ca.replace(before);
  });

  test("that is refused all the time is not reviewed all the time", async () => {
    const quiet = await SecureServer.start(ACCOUNTS, new FakeClock(Date.now()));
    const csr = createCsr({ key: await generateKey() });
    const guess = quiet.withToken("guess");
    const codes: number[] = [];
    for (let i = 0; i < 60; i++) await guess.createCertificate(csr).catch((error: { code: number }) => codes.push(error.code));
    expect(codes.filter((code) => code === 16)).toHaveLength(50);
    expect(codes.slice(50)).toEqual(Array(10).fill(8));
    expect(quiet.api.requests.filter((request) => request.endsWith("tokenreviews"))).toHaveLength(50);
    await quiet.stop();
  });
});

describe("a proxy", () => {
  const node = (over: Record<string, unknown> = {}, id = "sidecar~10.244.1.11~web-api-1.istioinaction~istioinaction.svc.cluster.local") => ({
    id,
    metadata: { NAMESPACE: "istioinaction", SERVICE_ACCOUNT: "web-api", ...over } as Record<string, string>,
  });

  test("that says it is of another namespace or account gets nothing, by certificate and by token alike", async () => {
    for (const who of [await server.workload(), { rootPem: server.ca.material.rootBundlePem, token: "web" }]) {
      for (const claimed of [
        node({ NAMESPACE: "istio-system" }),
        node({ SERVICE_ACCOUNT: "admin" }),
        node({ NAMESPACE: "" }, "sidecar~10.244.1.11~istiod-1.istio-system~istio-system.svc.cluster.local"),
        node({ NAMESPACE: "istio-system", SERVICE_ACCOUNT: "istio-ingressgateway" }, "router~10.244.1.11~gw.istio-system~istio-system.svc.cluster.local"),
      ]) {
        const stream = server.client(server.secure.port, who).delta();
        stream.send({ node: claimed, typeUrl: XDS_TYPES.CDS });
        expect(await stream.failed).toMatchObject({ code: 7 });
      }
    }
  });

  test("cannot become another in the middle of its stream", async () => {
    server.mesh.set(XDS_TYPES.CDS, { a: "1" });
    server.mesh.set(XDS_TYPES.EDS, { a: "1" });
    const stream = server.client(server.secure.port, await server.workload()).delta();
    stream.send({ node: node(), typeUrl: XDS_TYPES.CDS });
    await stream.next();
    stream.send({ node: node({ NAMESPACE: "istio-system" }), typeUrl: XDS_TYPES.EDS, resourceNamesSubscribe: ["a"] });
    await stream.next();
    expect([...server.ads.connections()].map(({ node: known }) => known?.namespace)).toEqual(["istioinaction"]);
    stream.end();
  });

  test("gets a gateway's keys neither by name of its namespace nor as a router", async () => {
    const key = await generateKey();
    const { pem } = issueRoot({ key, organization: "x", now: Date.now() - 1000, lifetimeMs: HOUR });
    const data = { "tls.crt": Buffer.from(pem).toString("base64"), "tls.key": Buffer.from(encodePrivateKey(key)).toString("base64") };
    server.mesh.objects.set("Secret/istio-system/site", {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "site", namespace: "istio-system", uid: "u", resourceVersion: "1" },
      data,
    } as never);
    const names = [
      "kubernetes://site",
      "kubernetes://istio-system/site",
      "kubernetes-gateway://istio-system/site",
      "kubernetes://../istio-system/site",
      "default",
      "ROOTCA",
    ];
    for (const type of ["sidecar", "router"]) {
      const stream = server.client(server.secure.port, await server.workload()).delta();
      stream.send({
        node: node({}, `${type}~10.244.1.11~web-api-1.istioinaction~istioinaction.svc.cluster.local`),
        typeUrl: XDS_TYPES.SDS,
        resourceNamesSubscribe: names,
      });
      expect((await stream.next()).resources.map(({ resource }) => resource && fromBinary(SecretSchema, resource.value).name)).toEqual([]);
      stream.end();
    }
  });
});

test("limits are by address: one that floods does not shut out the others", () => {
  const limit = new RateLimit({ burst: 2, perSecond: 1, clock: new FakeClock(0) });
  for (let i = 0; i < 10; i++) limit.take("flood");
  expect(limit.take("10.0.0.2")).toBe(true);
});
