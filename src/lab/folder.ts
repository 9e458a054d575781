import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createGatewayCertificates } from "./certificates.ts";

/** The host that the workshop's gateway serves. */
export const GATEWAY_HOST = "istioinaction.io";

/**
 * Writes the workshop's folder: manifests as the lab names them and, once, the certificates below labs/02/certs.
 * Files that a learner has changed are overwritten only when `fresh` is set.
 */
export async function writeLabFolder(folder: string, options: { fresh?: boolean } = {}): Promise<void> {
  mkdirSync(folder, { recursive: true });
  cpSync(join(import.meta.dir, "workshop"), folder, { recursive: true, force: options.fresh ?? false });
  const certificates = join(folder, "labs/02/certs");
  if (existsSync(join(certificates, `${GATEWAY_HOST}.key`)) && !options.fresh) return;
  mkdirSync(join(certificates, "ca"), { recursive: true });
  const made = await createGatewayCertificates(GATEWAY_HOST);
  writeFileSync(join(certificates, "ca/root-ca.crt"), made.rootCertificate);
  writeFileSync(join(certificates, "ca/root-ca.key"), made.rootKey, { mode: 0o600 });
  writeFileSync(join(certificates, `${GATEWAY_HOST}.crt`), made.certificate);
  // Last: its presence says that the others are there too.
  writeFileSync(join(certificates, `${GATEWAY_HOST}.key`), made.key, { mode: 0o600 });
}
