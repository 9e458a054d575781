import { type Clock } from "../../base/index.ts";
import {
  decodePrivateKey,
  encodePrivateKey,
  generateKey,
  issueRoot,
  KEY_USAGE,
  mergeBundles,
  parseBundle,
  parseCertificate,
  parseRevocationLists,
  PkiError,
  publicKeyDer,
  splitCertificates,
  verifyChain,
  type Certificate,
  type KeyAlgorithm,
} from "../../pki/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import type { CaMaterial } from "./certificate-authority.ts";
import { CaError } from "./errors.ts";

/** Where Istio keeps the root it made, and where operators put their own. */
export const CA_SECRET = "istio-ca-secret";
export const PLUGGED_IN_SECRET = "cacerts";

const DAY = 24 * 3_600_000;
/** CITADEL_SELF_SIGNED_CA_CERT_TTL. */
export const ROOT_LIFETIME_MS = 3650 * DAY;
/** A self-signed root is renewed, with the same key, in the last fifth of its life (CITADEL_SELF_SIGNED_ROOT_CERT_GRACE_PERIOD_PERCENTILE). */
const ROOT_GRACE = 0.2;

/** The parts of a Secret that the CA reads: base64 by key. */
export type SecretObject = KubeObject & { type?: string; data?: Record<string, string> };

export async function newSelfSigned(trustDomain: string, clock: Clock, algorithm: KeyAlgorithm = "P-256"): Promise<CaMaterial> {
  const key = await generateKey(algorithm);
  return selfSigned(issueRoot({ key, organization: trustDomain, now: clock.now(), lifetimeMs: ROOT_LIFETIME_MS }).pem, key);
}

/** A new root certificate over the old key: certificates that the old one issued stay valid under both. */
export function renewSelfSigned(material: CaMaterial, trustDomain: string, clock: Clock): CaMaterial {
  return selfSigned(issueRoot({ key: material.key, organization: trustDomain, now: clock.now(), lifetimeMs: ROOT_LIFETIME_MS }).pem, material.key);
}

export function needsRenewal(material: CaMaterial, now: number): boolean {
  const { notBefore, notAfter } = material.certificate;
  return material.source === "self-signed" && notAfter - now < ROOT_GRACE * (notAfter - notBefore);
}

/** The Secret that stores a self-signed root, with the keys that Istio's has. */
export function toSecret(material: CaMaterial, namespace: string): SecretObject {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: CA_SECRET, namespace, labels: {}, annotations: {} },
    type: "istio.io/ca-root",
    data: {
      "ca-cert.pem": base64(material.certificate.pem),
      "ca-key.pem": base64(encodePrivateKey(material.key)),
      "cert-chain.pem": "",
      "key.pem": "",
      "root-cert.pem": base64(material.rootBundlePem),
    },
  };
}

/** Reads back what `toSecret` wrote, or what an Istio that ran here before wrote. */
export function fromCaSecret(secret: SecretObject, now: number): CaMaterial {
  const certificate = read(secret, "ca-cert.pem");
  const key = read(secret, "ca-key.pem");
  if (!certificate || !key) throw incomplete(secret, "ca-cert.pem and ca-key.pem");
  return checked(secret, now, () => {
    const material = selfSigned(certificate, decodePrivateKey(key));
    return { ...material, rootBundlePem: mergeBundles(material.rootBundlePem, read(secret, "root-cert.pem") || certificate) };
  });
}

/**
 * An operator's own CA: Istio's layout (ca-cert.pem, ca-key.pem, root-cert.pem, cert-chain.pem) or cert-manager's
 * (tls.crt, tls.key, ca.crt). An incomplete set is an error and never a reason to make a root of our own.
 */
export function fromPluggedIn(secret: SecretObject, now: number): CaMaterial {
  const istio = ["ca-cert.pem", "ca-key.pem", "root-cert.pem", "cert-chain.pem"].some((name) => read(secret, name));
  const [certificateName, keyName, rootName] = istio ? (["ca-cert.pem", "ca-key.pem", "root-cert.pem"] as const) : (["tls.crt", "tls.key", "ca.crt"] as const);
  const certificatePem = read(secret, certificateName);
  const keyPem = read(secret, keyName);
  const roots = read(secret, rootName);
  // In cert-manager's layout tls.crt itself carries the chain.
  const chain = istio ? read(secret, "cert-chain.pem") : certificatePem;
  if (!certificatePem || !keyPem || !roots || !chain)
    throw incomplete(secret, `${certificateName}, ${keyName}, ${rootName}${istio ? " and cert-chain.pem" : ""}`);
  return checked(secret, now, () => {
    const certificate = parseCertificate(certificatePem);
    const intermediates = parseBundle(chain);
    verifyChain(certificate, { intermediates, roots: parseBundle(roots), now, anchors: "any" });
    checkRevocationLists(read(secret, "ca-crl.pem"), [...parseBundle(roots), ...intermediates]);
    return {
      certificate,
      key: decodePrivateKey(keyPem),
      chainPem: splitCertificates(chain).join(""),
      rootBundlePem: mergeBundles(roots),
      crlPem: read(secret, "ca-crl.pem"),
      source: "plugged-in" as const,
    };
  });
}

/** A list that no verifier accepts would have every handshake of the mesh refused: better the old one, and an error. */
function checkRevocationLists(pem: string, authorities: readonly Certificate[]): void {
  for (const list of parseRevocationLists(pem)) {
    const issuer = authorities.find(({ subjectDer, publicKey }) => Buffer.from(subjectDer).equals(Buffer.from(list.issuerDer)) && list.signedBy(publicKey));
    if (!issuer) throw new PkiError("PKI_UNTRUSTED", "a list of ca-crl.pem is signed by none of its authorities");
    if (issuer.keyUsage && !issuer.keyUsage.has(KEY_USAGE.cRLSign))
      throw new PkiError("PKI_CONSTRAINT", `a list of ca-crl.pem is by ${issuer.subject}, whose certificate does not allow it to sign revocation lists`);
  }
}

function selfSigned(pem: string, key: CaMaterial["key"]): CaMaterial {
  const certificate = parseCertificate(pem);
  return { certificate, key, chainPem: "", rootBundlePem: certificate.pem, crlPem: "", source: "self-signed" };
}

/** Whatever the source: the key must be the certificate's, and the certificate a CA that is valid now. */
function checked(secret: SecretObject, now: number, make: () => CaMaterial): CaMaterial {
  const name = `${secret.metadata.namespace}/${secret.metadata.name}`;
  let material: CaMaterial;
  try {
    material = make();
  } catch (cause) {
    if (!(cause instanceof PkiError)) throw cause;
    throw new CaError("CA_SECRET_INVALID", `the CA in secret ${name} cannot be used: ${cause.message}`, {
      cause,
      hint: `kubectl -n ${secret.metadata.namespace} get secret ${secret.metadata.name} -o yaml`,
    });
  }
  const { certificate, key } = material;
  const fault = !Buffer.from(publicKeyDer(key)).equals(Buffer.from(certificate.spki))
    ? "the key is not the certificate's"
    : !certificate.isCa
      ? "the certificate is not one of a CA"
      : now > certificate.notAfter
        ? `the certificate expired at ${new Date(certificate.notAfter).toISOString()}`
        : undefined;
  if (fault) throw new CaError("CA_SECRET_INVALID", `the CA in secret ${name} cannot be used: ${fault}`);
  return material;
}

function incomplete(secret: SecretObject, needed: string): CaError {
  return new CaError("CA_SECRET_INCOMPLETE", `secret ${secret.metadata.namespace}/${secret.metadata.name} must have ${needed}`, {
    hint: `kubectl -n ${secret.metadata.namespace} create secret generic ${secret.metadata.name} --from-file=… with all of them, or delete it`,
  });
}

function read(secret: SecretObject, name: string): string {
  return Buffer.from(secret.data?.[name] ?? "", "base64").toString("utf8");
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");
