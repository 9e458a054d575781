import { afterAll, beforeAll, expect, test } from "bun:test";
import https from "node:https";
import { createLogger, systemClock } from "../../base/index.ts";
import { createClient } from "../../kube/index.ts";
import { createCsr, encodePrivateKey, generateKey, parseCertificate } from "../../pki/index.ts";
import { startTestServer, type TestServer } from "../apiserver/testing.ts";
import type { SigningRequest } from "./certificates.ts";
import { startControllers } from "./index.ts";

const PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
let api: TestServer;
let stop: () => void;
beforeAll(async () => {
  api = await startTestServer();
  const client = createClient(api.server.transport("controllers"));
  const controllers = startControllers({
    client,
    clock: systemClock,
    log: createLogger("test", { level: "none" }),
    loopbackAddress: "127.0.0.1",
    caPem: api.pki.caCert,
    signClient: api.pki.signClient,
    random: Math.random,
  });
  stop = () => controllers.stop();
});
afterAll(async () => {
  stop();
  await api.close();
});

const ask = (name: string, csr: string, more: object = {}) =>
  api.call("POST", PATH, {
    body: {
      apiVersion: "certificates.k8s.io/v1",
      kind: "CertificateSigningRequest",
      metadata: { name },
      spec: { request: Buffer.from(csr).toString("base64"), signerName: "kubernetes.io/kube-apiserver-client", usages: ["client auth"], ...more },
    },
  });

/** What `kubectl certificate approve` does; answers the request once it is settled. */
async function approve(name: string): Promise<NonNullable<SigningRequest["status"]>> {
  const { body } = await api.call("GET", `${PATH}/${name}`);
  const condition = { type: "Approved", status: "True", reason: "KubectlApprove", message: "approved", lastUpdateTime: "2026-01-01T00:00:00Z" };
  expect((await api.call("PUT", `${PATH}/${name}/approval`, { body: { ...body, status: { conditions: [condition] } } })).status).toBe(200);
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await Bun.sleep(5)) {
    const status = (await api.call("GET", `${PATH}/${name}`)).body.status as NonNullable<SigningRequest["status"]>;
    if (status.certificate || status.conditions?.some(({ type }) => type === "Failed")) return status;
  }
  throw new Error(`${name} was never settled`);
}

test("no request gets more than a year", async () => {
  const key = await generateKey("P-256");
  expect((await ask("long", createCsr({ key, subject: { commonName: "long", organizations: [] } }), { expirationSeconds: 300_000_000 })).status).toBe(201);
  const status = await approve("long");
  const certificate = parseCertificate(Buffer.from(status.certificate ?? "", "base64").toString());
  expect(certificate.notAfter).toBeLessThan(Date.now() + 366 * 86_400_000);
});

test("an approved request becomes a certificate that the API server takes for the user it names", async () => {
  const key = await generateKey("P-256");
  expect((await ask("jane", createCsr({ key, subject: { commonName: "jane", organizations: ["dev", "ops"] } }), { expirationSeconds: 3600 })).status).toBe(201);
  const status = await approve("jane");
  const pem = Buffer.from(status.certificate ?? "", "base64").toString();
  const certificate = parseCertificate(pem);
  expect([certificate.subject, certificate.extendedKeyUsage]).toEqual(["O = dev, O = ops, CN = jane", ["1.3.6.1.5.5.7.3.2"]]);
  expect(Math.abs(certificate.notAfter - Date.now() - 3_600_000)).toBeLessThan(120_000);
  const answer = await new Promise<string>((resolve, reject) => {
    const request = https.request(
      {
        host: "127.0.0.1",
        port: api.server.port,
        path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        method: "POST",
        ca: api.pki.caCert,
        cert: pem,
        key: encodePrivateKey(key),
        agent: false,
        headers: { "content-length": 2 },
      },
      (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("end", () => resolve(text));
      },
    );
    request.on("error", reject);
    request.end("{}");
  });
  expect(JSON.parse(answer)).toMatchObject({ status: { userInfo: { username: "jane", groups: ["dev", "ops", "system:authenticated"] } } });
});

test("other usages fail; superusers and rubbish are refused at once", async () => {
  const key = await generateKey("P-256");
  const csr = createCsr({ key, subject: { commonName: "eve", organizations: [] } });
  expect((await ask("server", csr, { usages: ["client auth", "server auth"] })).status).toBe(201);
  expect((await approve("server")).conditions?.find(({ type }) => type === "Failed")).toMatchObject({
    reason: "SignerValidationFailure",
    message: "usages did not match [client auth digital signature key encipherment]",
  });
  const masters = await ask("masters", createCsr({ key, subject: { commonName: "eve", organizations: ["system:masters"] } }));
  expect([masters.status, masters.body.message]).toEqual([
    403,
    'certificatesigningrequests.certificates.k8s.io "masters" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed',
  ]);
  const broken = await ask("broken", csr.replace(/(?<=-----\n.{40}).{8}/, "AAAAAAAA"));
  expect([broken.status, (broken.body.details as { causes: { field: string }[] }).causes[0]?.field]).toEqual([422, "spec.request"]);
  const other = await ask("other", csr, { signerName: "example.com/own" });
  expect([other.status, other.headers.get("warning")]).toEqual([201, null]);
});
