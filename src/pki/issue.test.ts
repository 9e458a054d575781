import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { issueLeaf, issueRoot, type Signer } from "./issue.ts";
import { generateKey, type KeyAlgorithm, publicKeyDer } from "./keys.ts";
import { mergeBundles, parseBundle, verifyChain } from "./verify.ts";
import { parseCertificate } from "./certificate.ts";

const HOUR = 3_600_000;
const now = Date.parse("2026-11-24T05:55:39Z");
const spiffe = "spiffe://cluster.local/ns/istioinaction/sa/web-api";

async function ca(algorithm: KeyAlgorithm = "P-256", lifetimeMs = 3650 * 24 * HOUR): Promise<Signer> {
  const key = await generateKey(algorithm);
  return { key, certificate: issueRoot({ key, organization: "cluster.local", now, lifetimeMs }) };
}

function openssl(args: string[], stdin: string): string {
  const run = Bun.spawnSync(["openssl", ...args], { stdin: Buffer.from(stdin) });
  return run.stdout.toString() + run.stderr.toString();
}

/** The part of openssl's text that does not differ from run to run. */
function shape(text: string): string {
  return text
    .slice(text.indexOf("X509v3 extensions"))
    .replace(/([0-9A-F]{2}:){19}[0-9A-F]{2}/g, "<key id>")
    .replace(/Signature Algorithm[\s\S]*/, "");
}

describe("certificates", () => {
  test("the leaf has the extensions of Istio's leaf, in its order", async () => {
    const signer = await ca();
    const leaf = issueLeaf({ signer, spki: publicKeyDer(await generateKey()), names: { uris: [spiffe] }, now, lifetimeMs: 24 * HOUR });
    const text = openssl(["x509", "-noout", "-text"], leaf.pem);
    expect(shape(text)).toBe(shape(LEAF));
    expect(text).toMatch(/Subject: ?\n/);
    expect(text).toContain("Issuer: O = cluster.local");
    expect(text).toContain("Not Before: Nov 24 05:53:39 2026 GMT");
    expect(text).toContain("Not After : Nov 25 05:55:39 2026 GMT");
    expect(leaf.serialNumber.length).toBeGreaterThan(28);
  });

  test("the root has the extensions of Istio's root", async () => {
    const text = openssl(["x509", "-noout", "-text"], (await ca()).certificate.pem);
    expect(shape(text)).toBe(shape(ROOT));
    expect(text).toContain("Not After : Nov 21 05:55:39 2036 GMT");
  });

  for (const algorithm of ["P-256", "P-384", "RSA-2048"] satisfies KeyAlgorithm[]) {
    test(`openssl verifies a leaf of a ${algorithm} root`, async () => {
      const signer = await ca(algorithm);
      const leaf = issueLeaf({ signer, spki: publicKeyDer(await generateKey()), names: { uris: [spiffe] }, now, lifetimeMs: HOUR });
      const folder = mkdtempSync(join(tmpdir(), "pki-"));
      writeFileSync(join(folder, "root.pem"), signer.certificate.pem);
      const said = openssl(["verify", "-x509_strict", "-purpose", "sslclient", "-attime", String(now / 1000), "-CAfile", join(folder, "root.pem")], leaf.pem);
      rmSync(folder, { recursive: true });
      expect(said).toContain("OK");
      const path = verifyChain(leaf, { intermediates: [], roots: [signer.certificate], now, purpose: "clientAuth" });
      expect(path).toHaveLength(2);
    });
  }

  test("a leaf never outlives its signer", async () => {
    const signer = await ca("P-256", HOUR);
    const leaf = issueLeaf({ signer, spki: publicKeyDer(await generateKey()), names: { uris: [spiffe] }, now, lifetimeMs: 24 * HOUR });
    expect(leaf.notAfter).toBe(signer.certificate.notAfter);
  });

  test("a serial number's sign bit costs an octet and is no minus sign", async () => {
    const key = await generateKey();
    const random = (n: number): Uint8Array => new Uint8Array(n).fill(0xff);
    const root = issueRoot({ key, organization: "td", now, lifetimeMs: HOUR, random });
    expect(root.serialNumber).toBe("ff".repeat(16));
    expect(openssl(["x509", "-noout", "-serial"], root.pem).trim()).toBe(`serial=${"FF".repeat(16)}`);
  });
});

describe("chain verification", () => {
  test("refuses another root, an expired leaf, a leaf as issuer", async () => {
    const signer = await ca();
    const other = await ca();
    const leafKey = await generateKey();
    const leaf = issueLeaf({ signer, spki: publicKeyDer(leafKey), names: { uris: [spiffe] }, now, lifetimeMs: HOUR });
    const options = { intermediates: [], roots: [signer.certificate], now };
    expect(() => verifyChain(leaf, { ...options, roots: [other.certificate] })).toThrow(expect.objectContaining({ code: "PKI_SIGNATURE_INVALID" }));
    expect(() => verifyChain(leaf, { ...options, roots: [] })).toThrow(expect.objectContaining({ code: "PKI_UNTRUSTED" }));
    expect(() => verifyChain(leaf, { ...options, now: now + 2 * HOUR })).toThrow(expect.objectContaining({ code: "PKI_EXPIRED" }));
    expect(() => verifyChain(leaf, { ...options, now: now - HOUR })).toThrow(expect.objectContaining({ code: "PKI_NOT_YET_VALID" }));
    expect(() =>
      issueLeaf({ signer: { certificate: leaf, key: leafKey }, spki: publicKeyDer(leafKey), names: { uris: [spiffe] }, now, lifetimeMs: HOUR }),
    ).toThrow(expect.objectContaining({ code: "PKI_NOT_A_CA" }));
  });

  test("reads what a real istiod issued", () => {
    const leaf = parseCertificate(LEAF);
    const [root] = parseBundle(ROOT);
    expect(leaf.uris).toEqual([spiffe]);
    expect(leaf.serialNumber).toBe("627f72195fc387bb305fb473eeddd9a3");
    expect(verifyChain(leaf, { intermediates: [], roots: root ? [root] : [], now: leaf.notBefore + 1, purpose: "serverAuth" })).toHaveLength(2);
  });

  test("joined bundles hold each root once", async () => {
    const [a, b] = [(await ca()).certificate.pem, (await ca()).certificate.pem];
    expect(parseBundle(mergeBundles(a, b, a))).toHaveLength(2);
  });
});

const LEAF = await Bun.file(new URL("testdata/istio-leaf.txt", import.meta.url)).text();
const ROOT = await Bun.file(new URL("testdata/istio-root.txt", import.meta.url)).text();
