import type { KeyObject } from "node:crypto";
import { join } from "node:path";
import {
  type Certificate,
  decodePrivateKey,
  encodePrivateKey,
  generateKey,
  issueLeaf,
  issueRoot,
  parseCertificate,
  parseCsr,
  publicKeyDer,
  type Signer,
} from "../../../pki/index.ts";
import { readIfThere, writePrivateFile } from "./private-files.ts";

export interface KeyPair {
  /** PEM. */
  cert: string;
  key: string;
}

/** Everything that the API server shows and checks identities with. */
export interface ClusterPki {
  /** PEM of the CA that signs the serving certificate and client certificates. */
  caCert: string;
  serving: KeyPair;
  /** Of a user in system:masters. */
  admin: KeyPair;
  /** PEM of the key that signs service-account tokens. */
  tokenKey: string;
  /** A client certificate for a user, signed by the cluster's CA. */
  issueClient(commonName: string, organizations: string[]): Promise<KeyPair>;
  /** A client certificate in PEM for whoever holds the key of a request (PEM), named as that asks. Throws PKI_… for a bad request. */
  signClient(request: string, lifetimeMs: number | undefined): string;
}

const DAY_MS = 24 * 3600_000;
const CA_LIFETIME_MS = 3650 * DAY_MS;
/** As kubeadm. */
const LEAF_LIFETIME_MS = 365 * DAY_MS;
/** Certificates with less left than this are made anew at start. */
const RENEW_BEFORE_MS = 60 * DAY_MS;
/** The names under which pods know the API server. */
const SERVICE_NAMES = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];

export const ADMIN_USER = "kubernetes-admin";

/**
 * Reads the cluster's keys and certificates from a directory, making what is missing, nearly expired or for other
 * addresses. All files are 0600. `addresses`: where the server is reached, `10.96.0.1` included.
 */
export async function loadClusterPki(options: { directory: string; addresses: string[]; now: number }): Promise<ClusterPki> {
  const { directory, addresses, now } = options;
  const path = (name: string) => join(directory, name);
  const signer = await loadCa(path("ca.crt"), path("ca.key"), now);
  const names = { dnsNames: SERVICE_NAMES, ipAddresses: [...new Set(addresses)] };
  const serving = await loadLeaf(path("apiserver"), signer, now, names, undefined);
  const admin = await loadLeaf(path("admin"), signer, now, {}, { commonName: ADMIN_USER, organizations: ["system:masters"] });
  let tokenKey = await readIfThere(path("sa.key"));
  if (tokenKey === undefined) {
    tokenKey = encodePrivateKey(await generateKey("P-256"));
    await writePrivateFile(path("sa.key"), tokenKey);
  }
  return {
    caCert: signer.certificate.pem,
    serving,
    admin,
    tokenKey,
    signClient(request, lifetimeMs = LEAF_LIFETIME_MS) {
      const { spki, subject } = parseCsr(request);
      return issueLeaf({ signer, spki, names: {}, subject, purposes: ["clientAuth"], now: Date.now(), lifetimeMs: Math.min(lifetimeMs, LEAF_LIFETIME_MS) }).pem;
    },
    issueClient: (commonName, organizations) => makeLeaf(signer, now, {}, { commonName, organizations }),
  };
}

type LeafNames = { dnsNames?: string[]; ipAddresses?: string[] };
type Subject = { commonName: string; organizations: string[] };

async function loadCa(certPath: string, keyPath: string, now: number): Promise<Signer> {
  const cert = await readIfThere(certPath);
  const key = await readIfThere(keyPath);
  if (cert !== undefined && key !== undefined) {
    const certificate = parseCertificate(cert);
    // A CA is never replaced while it is good: everything that trusts it would have to learn the new one.
    if (certificate.notAfter > now) return { certificate, key: decodePrivateKey(key) };
  }
  const made: KeyObject = await generateKey("P-256");
  const certificate = issueRoot({ key: made, organization: "kubernetes", now: now - DAY_MS, lifetimeMs: CA_LIFETIME_MS });
  await writePrivateFile(keyPath, encodePrivateKey(made));
  await writePrivateFile(certPath, certificate.pem);
  return { certificate, key: made };
}

async function loadLeaf(base: string, signer: Signer, now: number, names: LeafNames, subject: Subject | undefined): Promise<KeyPair> {
  const cert = await readIfThere(`${base}.crt`);
  const key = await readIfThere(`${base}.key`);
  if (cert !== undefined && key !== undefined && isCurrent(parseCertificate(cert), signer, now, names)) return { cert, key };
  const made = await makeLeaf(signer, now, names, subject);
  await writePrivateFile(`${base}.key`, made.key);
  await writePrivateFile(`${base}.crt`, made.cert);
  return made;
}

function isCurrent(certificate: Certificate, signer: Signer, now: number, { dnsNames = [], ipAddresses = [] }: LeafNames): boolean {
  const same = (a: string[], b: string[]) => a.length === b.length && a.every((name) => b.includes(name));
  return (
    certificate.notAfter - now > RENEW_BEFORE_MS &&
    certificate.signedBy(signer.certificate.publicKey) &&
    same(certificate.dnsNames, dnsNames) &&
    same(certificate.ipAddresses, ipAddresses)
  );
}

async function makeLeaf(signer: Signer, now: number, names: LeafNames, subject: Subject | undefined): Promise<KeyPair> {
  const key = await generateKey("P-256");
  const certificate = issueLeaf({ signer, spki: publicKeyDer(key), names, ...(subject ? { subject } : {}), now, lifetimeMs: LEAF_LIFETIME_MS });
  return { cert: certificate.pem, key: encodePrivateKey(key) };
}
