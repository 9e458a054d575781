import { encodePrivateKey, generateKey, issueLeaf, issueRoot, publicKeyDer } from "../pki/index.ts";

/** The workshop's own authority and the gateway's certificate, all PEM. They have nothing to do with the mesh's root. */
export interface GatewayCertificates {
  rootCertificate: string;
  rootKey: string;
  certificate: string;
  key: string;
}

/** A workshop lasts a day; a year outlives every folder that somebody forgets. */
const VALID_MS = 365 * 86_400_000;
/** Clocks of host and client may differ a little. */
const BACKDATE_MS = 120_000;

/** An RSA authority `CN=istio-workshop-ca` and a server certificate for `host`, as the workshop's second lab hands out. */
export async function createGatewayCertificates(host: string, now = Date.now()): Promise<GatewayCertificates> {
  const [rootKey, key] = await Promise.all([generateKey("RSA-2048"), generateKey("RSA-2048")]);
  const root = issueRoot({ key: rootKey, commonName: "istio-workshop-ca", now: now - BACKDATE_MS, lifetimeMs: VALID_MS + BACKDATE_MS });
  const leaf = issueLeaf({
    signer: { certificate: root, key: rootKey },
    spki: publicKeyDer(key),
    subject: { commonName: host, organizations: [] },
    names: { dnsNames: [host] },
    now,
    lifetimeMs: VALID_MS,
  });
  return { rootCertificate: root.pem, rootKey: encodePrivateKey(rootKey), certificate: leaf.pem, key: encodePrivateKey(key) };
}
