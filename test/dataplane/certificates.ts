import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodePrivateKey, generateKey, issueLeaf, issueRoot, publicKeyDer, type Signer } from "../../src/pki/index.ts";

const HOUR_MS = 3_600_000;

export const IDS = {
  server: "spiffe://cluster.local/ns/istioinaction/sa/web-api",
  client: "spiffe://cluster.local/ns/istioinaction/sa/sleep",
  other: "spiffe://cluster.local/ns/default/sa/other",
} as const;

export type CertificateFiles = ReadonlyMap<string, { readonly cert: string; readonly key: string }>;

/**
 * Roots and leaves of a run, written as PEM files: `root.pem` (the mesh's), `stranger-root.pem`, and NAME.pem with NAME.key
 * for the certificates that listeners, backends and callers show.
 */
export async function writeCertificates(folder: string): Promise<CertificateFiles> {
  const mesh = await makeRoot("cluster.local");
  const strange = await makeRoot("elsewhere");
  writeFileSync(join(folder, "root.pem"), mesh.certificate.pem);
  writeFileSync(join(folder, "stranger-root.pem"), strange.certificate.pem);
  writeFileSync(join(folder, "both-roots.pem"), `${mesh.certificate.pem}${strange.certificate.pem}`);
  const now = Date.now();
  const files = new Map<string, { cert: string; key: string }>();
  const leaf = async (name: string, signer: Signer, names: { uris?: string[]; dnsNames?: string[] }, start = now): Promise<void> => {
    const key = await generateKey("P-256");
    const cert = issueLeaf({ signer, spki: publicKeyDer(key), names, now: start, lifetimeMs: HOUR_MS }).pem;
    writeFileSync(join(folder, `${name}.pem`), cert);
    writeFileSync(join(folder, `${name}.key`), encodePrivateKey(key), { mode: 0o600 });
    files.set(name, { cert, key: encodePrivateKey(key) });
  };
  await leaf("server", mesh, { uris: [IDS.server], dnsNames: ["server.test"] });
  await leaf("www", mesh, { dnsNames: ["www.test"] });
  await leaf("wildcard", mesh, { dnsNames: ["*.wild.test"] });
  await leaf("client", mesh, { uris: [IDS.client], dnsNames: ["sleep.test"] });
  await leaf("other-client", mesh, { uris: [IDS.other] });
  await leaf("dns-client", mesh, { dnsNames: ["client.test"] });
  await leaf("stranger", strange, { uris: [IDS.client] });
  await leaf("expired", mesh, { uris: [IDS.client] }, now - 48 * HOUR_MS);
  return files;
}

async function makeRoot(organization: string): Promise<Signer> {
  const key = await generateKey("P-256");
  return { key, certificate: issueRoot({ key, organization, now: Date.now() - 72 * HOUR_MS, lifetimeMs: 96 * HOUR_MS }) };
}
