import { encodePrivateKey, generateKey, issueLeaf, issueRoot, publicKeyDer, type Signer } from "../../pki/index.ts";
import type { CertificateSecret } from "../types.ts";

const DAY_MS = 86_400_000;

/** A root of its own, as each mesh has one. */
export async function makeRoot(trustDomain = "cluster.local"): Promise<Signer> {
  const key = await generateKey();
  return { key, certificate: issueRoot({ key, organization: trustDomain, now: Date.now(), lifetimeMs: 3650 * DAY_MS }) };
}

/** A workload's certificate for its SPIFFE id. */
export async function makeWorkload(
  signer: Signer,
  spiffeId: string,
  options: { now?: number; lifetimeMs?: number; dnsNames?: string[] } = {},
): Promise<CertificateSecret> {
  const key = await generateKey();
  const leaf = issueLeaf({
    signer,
    spki: publicKeyDer(key),
    names: { uris: spiffeId === "" ? [] : [spiffeId], dnsNames: options.dnsNames ?? [] },
    now: options.now ?? Date.now(),
    lifetimeMs: options.lifetimeMs ?? DAY_MS,
  });
  return { certificateChainPem: leaf.pem, privateKeyPem: encodePrivateKey(key) };
}
