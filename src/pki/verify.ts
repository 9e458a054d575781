import { parseCertificate, type Certificate } from "./certificate.ts";
import { PkiError } from "./errors.ts";
import { KEY_USAGE, PURPOSE } from "./extensions.ts";
import { decodePem } from "./pem.ts";

export interface VerifyOptions {
  /** Certificates the peer sent beside its own, in any order. */
  intermediates: Certificate[];
  roots: Certificate[];
  /** Milliseconds since the epoch. */
  now: number;
  /** What the leaf must be good for. */
  purpose?: keyof typeof PURPOSE;
  /** "self-signed" (default) takes only roots that signed themselves; "any" trusts whatever is in `roots`. */
  anchors?: "self-signed" | "any";
}

/** Plug-in CAs have two or three levels; longer paths are an attack on the verifier. */
const MAX_DEPTH = 8;
/** Signature checks for one chain: cross-signed certificates could otherwise send us up exponentially many paths. */
const MAX_CHECKS = 64;

/**
 * The path from the leaf to a root, the root included, or a PkiError that says why there is none:
 * signatures, validity, CA flags, path lengths, key usage and unknown critical extensions are checked (RFC 5280, 6.1).
 * Names are not: who the leaf may be is the caller's question.
 */
export function verifyChain(leaf: Certificate, options: VerifyOptions): Certificate[] {
  assertUsable(leaf, options.now);
  const purpose = options.purpose && PURPOSE[options.purpose];
  if (purpose && leaf.extendedKeyUsage && !leaf.extendedKeyUsage.some((id) => id === purpose || id === PURPOSE.any)) {
    throw new PkiError("PKI_CONSTRAINT", `the certificate is not meant for ${options.purpose}`);
  }
  let reason = new PkiError("PKI_UNTRUSTED", `no certificate authority that we trust issued this certificate (issuer ${leaf.issuer || "without a name"})`);
  let checks = 0;
  const climb = (certificate: Certificate, path: Certificate[]): Certificate[] | undefined => {
    const candidates = [...options.roots, ...(path.length < MAX_DEPTH ? options.intermediates : [])];
    for (const issuer of candidates) {
      if (!sameBytes(issuer.subjectDer, certificate.issuerDer) || path.includes(issuer)) continue;
      try {
        assertUsable(issuer, options.now);
        assertIssuer(issuer, path.length - 1);
        if (++checks > MAX_CHECKS) throw new PkiError("PKI_CONSTRAINT", "the certificates sent with this one form too many paths");
        if (!certificate.signedBy(issuer.publicKey)) throw new PkiError("PKI_SIGNATURE_INVALID", `the certificate is not signed by ${issuer.subject}'s key`);
      } catch (cause) {
        if (!(cause instanceof PkiError)) throw cause;
        reason = cause;
        continue;
      }
      const anchored = options.roots.includes(issuer) && (options.anchors === "any" || sameBytes(issuer.subjectDer, issuer.issuerDer));
      const found = anchored ? [...path, issuer] : climb(issuer, [...path, issuer]);
      if (found) return found;
    }
    return undefined;
  };
  const path = climb(leaf, [leaf]);
  if (!path) throw reason;
  return path;
}

/** Every certificate of a PEM text, such as a trust bundle; throws when there is none. */
export function parseBundle(pem: string): Certificate[] {
  const certificates = decodePem(pem)
    .filter((block) => block.label === "CERTIFICATE")
    .map((block) => parseCertificate(block.der));
  if (certificates.length === 0) throw new PkiError("PKI_MALFORMED", "there is no certificate in this bundle");
  return certificates;
}

/** Bundles joined in order, each certificate once: what proxies trust while a root is being replaced. */
export function mergeBundles(...bundles: string[]): string {
  const seen = new Map<string, string>();
  for (const bundle of bundles) for (const certificate of parseBundle(bundle)) seen.set(Buffer.from(certificate.der).toString("base64"), certificate.pem);
  return [...seen.values()].join("");
}

function assertUsable(certificate: Certificate, now: number): void {
  const who = certificate.uris[0] ?? (certificate.subject || "without a name");
  if (now < certificate.notBefore)
    throw new PkiError("PKI_NOT_YET_VALID", `the certificate of ${who} is valid only from ${iso(certificate.notBefore)}`, {
      hint: "compare the clocks of the two machines",
    });
  if (now > certificate.notAfter) throw new PkiError("PKI_EXPIRED", `the certificate of ${who} expired at ${iso(certificate.notAfter)}`);
  const unknown = certificate.unknownCritical[0];
  if (unknown) throw new PkiError("PKI_CONSTRAINT", `the certificate of ${who} has the critical extension ${unknown}, which is not understood here`);
}

/** `below`: how many CA certificates stand between this one and the leaf. */
function assertIssuer(issuer: Certificate, below: number): void {
  if (!issuer.isCa || (issuer.keyUsage && !issuer.keyUsage.has(KEY_USAGE.keyCertSign)))
    throw new PkiError("PKI_NOT_A_CA", `${issuer.subject} may not sign certificates`);
  if (issuer.pathLength !== undefined && below > issuer.pathLength)
    throw new PkiError("PKI_CONSTRAINT", `${issuer.subject} allows ${issuer.pathLength} authorities below it`);
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((octet, i) => octet === b[i]);
const iso = (ms: number): string => new Date(ms).toISOString();
