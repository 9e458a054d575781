import { describe, expect, test } from "bun:test";
import { createCsr, parseCsr } from "./csr.ts";
import { PkiError } from "./errors.ts";
import { generateKey, type KeyAlgorithm, publicKeyDer } from "./keys.ts";
import { decodePem, encodePem } from "./pem.ts";

const spiffeId = "spiffe://cluster.local/ns/istioinaction/sa/web-api";

/** openssl is the oracle: it is in the lab's own steps, so every machine that runs these tests has it. */
function openssl(args: string[], stdin: string): string {
  const run = Bun.spawnSync(["openssl", ...args], { stdin: Buffer.from(stdin) });
  return run.stdout.toString() + run.stderr.toString();
}

describe("certificate requests", () => {
  for (const algorithm of ["P-256", "P-384", "RSA-2048"] satisfies KeyAlgorithm[]) {
    test(`${algorithm}: openssl reads and verifies what we write`, async () => {
      const key = await generateKey(algorithm);
      const pem = createCsr({ key, spiffeId });
      const text = openssl(["req", "-noout", "-text", "-verify"], pem);
      expect(text).toContain("verify OK");
      expect(text).toMatch(/Subject: ?\n/);
      expect(text).toMatch(new RegExp(`X509v3 Subject Alternative Name: critical\\s+URI:${spiffeId}`));
      const ours = parseCsr(pem);
      expect(ours.names.uris).toEqual([spiffeId]);
      expect(Buffer.from(ours.spki)).toEqual(Buffer.from(publicKeyDer(key)));
    });
  }

  test("we read and verify what openssl writes", () => {
    const key = openssl(["ecparam", "-name", "prime256v1", "-genkey", "-noout"], "");
    const pem = openssl(["req", "-new", "-key", "/dev/stdin", "-subj", "/O=x", "-addext", "subjectAltName=URI:spiffe://a/b,DNS:c.d,IP:10.0.0.1"], key);
    expect(parseCsr(pem).names).toEqual({ uris: ["spiffe://a/b"], dnsNames: ["c.d"], ipAddresses: ["10.0.0.1"] });
  });

  test("a request without names is fine", async () => {
    expect(parseCsr(createCsr({ key: await generateKey() })).names).toEqual({ uris: [], dnsNames: [], ipAddresses: [] });
  });

  test("a request signed by another key is refused", async () => {
    const der = decodePem(createCsr({ key: await generateKey(), spiffeId }))[0]?.der ?? new Uint8Array();
    const changed = Uint8Array.from(der);
    changed[changed.length - 3] = (changed[changed.length - 3] ?? 0) ^ 1;
    expect(() => parseCsr(encodePem("CERTIFICATE REQUEST", changed))).toThrow(expect.objectContaining({ code: "PKI_SIGNATURE_INVALID" }));
  });

  test("cut, oversized and foreign input throws PkiError and nothing else", async () => {
    const pem = createCsr({ key: await generateKey(), spiffeId });
    const der = decodePem(pem)[0]?.der ?? new Uint8Array();
    for (let length = 0; length < der.length; length += 7) {
      expect(() => parseCsr(encodePem("CERTIFICATE REQUEST", der.subarray(0, length)))).toThrow(PkiError);
    }
    expect(() => parseCsr(" ".repeat(40_000))).toThrow(expect.objectContaining({ code: "PKI_TOO_LARGE" }));
    expect(() => parseCsr("hello")).toThrow(PkiError);
  });
});
