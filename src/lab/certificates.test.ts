import { X509Certificate } from "node:crypto";
import { expect, test } from "bun:test";
import { createGatewayCertificates } from "./certificates.ts";

test("the workshop's authority and server certificate are what its second lab hands out", async () => {
  const made = await createGatewayCertificates("istioinaction.io");
  const [root, leaf] = [new X509Certificate(made.rootCertificate), new X509Certificate(made.certificate)];
  expect([root.subject, root.ca, root.publicKey.asymmetricKeyDetails?.modulusLength]).toEqual(["CN=istio-workshop-ca", true, 2048]);
  expect(leaf.subject).toBe("CN=istioinaction.io");
  expect(leaf.subjectAltName).toBe("DNS:istioinaction.io");
  expect(leaf.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
  expect(leaf.checkHost("istioinaction.io")).toBe("istioinaction.io");
  expect(leaf.verify(root.publicKey)).toBe(true);
  expect(leaf.checkIssued(root)).toBe(true);
  expect(made.key).toStartWith("-----BEGIN PRIVATE KEY-----");
  expect(made.rootCertificate).toEndWith("-----END CERTIFICATE-----\n");
});
