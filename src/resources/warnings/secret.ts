import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Secret } from "../core.ts";

/** A certificate and key that no server could use: the words of Go's tls. */
export function secretWarnings({ type, data = {} }: Secret): string[] {
  if (type !== "kubernetes.io/tls") return [];
  const text = (key: string) => Buffer.from(data[key] ?? "", "base64").toString("latin1");
  const problem = pairProblem(text("tls.crt"), text("tls.key"));
  return problem === undefined ? [] : [problem];
}

function pairProblem(certificatePem: string, keyPem: string): string | undefined {
  const chain = blocksOf(certificatePem);
  const certificate = chain.find(({ type }) => type === "CERTIFICATE");
  if (!certificate) return missing("CERTIFICATE", "certificate", chain);
  const keys = blocksOf(keyPem);
  const key = keys.find(({ type }) => type === "PRIVATE KEY" || type.endsWith(" PRIVATE KEY"));
  if (!key) {
    if (keys[0]?.type === "CERTIFICATE") return "tls: found a certificate rather than a key in the PEM for the private key";
    return keys.length === 0
      ? "tls: failed to find any PEM data in key input"
      : `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [${keys.map((block) => block.type).join(" ")}]`;
  }
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(certificate.pem);
  } catch {
    return "x509: malformed certificate";
  }
  try {
    return parsed.checkPrivateKey(createPrivateKey(key.pem)) ? undefined : "tls: private key does not match public key";
  } catch {
    return "tls: failed to parse private key";
  }
}

function missing(wanted: string, what: string, found: readonly { type: string }[]): string {
  if (found.length === 0) return `tls: failed to find any PEM data in ${what} input`;
  if (found.length === 1 && found[0]?.type.endsWith("PRIVATE KEY"))
    return `tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched`;
  return `tls: failed to find ${JSON.stringify(wanted)} PEM block in ${what} input after skipping PEM blocks of the following types: [${found.map(({ type }) => type).join(" ")}]`;
}

function blocksOf(text: string): { type: string; pem: string }[] {
  return [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g)].map(([pem, type = ""]) => ({ type, pem }));
}
