import { X509Certificate } from "node:crypto";
import { expect, test } from "bun:test";
import { makeRoot, makeWorkload } from "../test-support/certificates.ts";
import { completeChain } from "./own-chain.ts";

const subjects = (chain: string) => (chain.match(/-----BEGIN[^]+?END CERTIFICATE-----/g) ?? []).map((pem) => new X509Certificate(pem).fingerprint256);

test("a certificate that comes alone is shown with its issuer, as BoringSSL would", async () => {
  const [root, other] = await Promise.all([makeRoot(), makeRoot()]);
  const { certificateChainPem: leaf } = await makeWorkload(root, "spiffe://cluster.local/ns/a/sa/b");
  const [own] = subjects(leaf);
  const issuer = root.certificate.pem;
  // Both roots have the same name: only one has signed it.
  expect(subjects(completeChain(leaf, [other.certificate.pem, issuer]))).toEqual([own as string, ...subjects(issuer)]);
  expect(completeChain(leaf, [other.certificate.pem])).toBe(leaf);
  expect(completeChain(leaf, [])).toBe(leaf);
});

test("what comes with an issuer, and what is its own issuer, stays as it is", async () => {
  const root = await makeRoot();
  const { certificateChainPem: leaf } = await makeWorkload(root, "spiffe://cluster.local/ns/a/sa/b");
  const whole = leaf + root.certificate.pem;
  expect(completeChain(whole, [root.certificate.pem])).toBe(whole);
  expect(completeChain(root.certificate.pem, [root.certificate.pem])).toBe(root.certificate.pem);
});
