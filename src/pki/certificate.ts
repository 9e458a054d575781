import type { KeyObject } from "node:crypto";
import { ascii, children, content, expectTag, malformed, readBits, readDer, readOid, readTime, TAG, whole, type DerNode } from "./der.ts";
import { PkiError } from "./errors.ts";
import {
  EXTENSION,
  readBasicConstraints,
  readExtendedKeyUsage,
  readExtensions,
  readKeyUsage,
  readSubjectAltNames,
  type SubjectAltNames,
} from "./extensions.ts";
import { decodePublicKey } from "./keys.ts";
import { decodePem, encodePem } from "./pem.ts";
import { verifyBytes } from "./signature.ts";

/** A certificate's fields. Times are milliseconds since the epoch. */
export interface Certificate extends SubjectAltNames {
  der: Uint8Array;
  pem: string;
  /** Lower-case hexadecimal without a sign octet: `istioctl proxy-config secret` pads it to 32 digits. */
  serialNumber: string;
  notBefore: number;
  notAfter: number;
  /** As openssl's one-line form: `O = cluster.local`; empty for workload certificates. */
  subject: string;
  issuer: string;
  /** DER of the names, for comparing issuer and subject. */
  subjectDer: Uint8Array;
  issuerDer: Uint8Array;
  isCa: boolean;
  pathLength: number | undefined;
  /** Bits of KEY_USAGE; undefined when unlimited. */
  keyUsage: Set<number> | undefined;
  /** Object identifiers of PURPOSE; undefined when unlimited. */
  extendedKeyUsage: string[] | undefined;
  /** Hexadecimal. */
  subjectKeyId: string | undefined;
  /** Critical extensions outside those named here; a verifier must refuse the certificate (RFC 5280, 4.2). */
  unknownCritical: string[];
  /** Read on first use. Throws PKI_KEY_UNSUPPORTED for keys that no workload of a mesh has. */
  readonly publicKey: KeyObject;
  /** DER of the SubjectPublicKeyInfo. */
  spki: Uint8Array;
  /** Whether this certificate's signature was made by `issuerKey`. */
  signedBy(issuerKey: KeyObject): boolean;
}

const KNOWN = new Set<string>(Object.values(EXTENSION));
/** Four certificates' worth of a large chain; X.509 certificates of a mesh are about 1 KB. */
const MAX_DER_BYTES = 64 * 1024;

/** Reads the first certificate of a PEM text, or DER. Nothing is verified: see verifyChain. */
export function parseCertificate(input: string | Uint8Array): Certificate {
  const der = typeof input === "string" ? firstCertificate(input) : input;
  if (der.length > MAX_DER_BYTES) throw new PkiError("PKI_TOO_LARGE", `a certificate of ${der.length} bytes is over the limit of ${MAX_DER_BYTES}`);
  const outer = expectTag(readDer(der), TAG.sequence, "the certificate");
  const [tbs, algorithm, signatureNode] = children(outer);
  const fields = children(expectTag(tbs, TAG.sequence, "the certificate's body"));
  // The version is explicit from v2 on, and only v3 has extensions.
  const at = fields[0]?.tag === 0xa0 ? 1 : 0;
  const serial = expectTag(fields[at], TAG.integer, "the serial number");
  const issuer = expectTag(fields[at + 2], TAG.sequence, "the issuer");
  const [notBefore, notAfter] = children(expectTag(fields[at + 3], TAG.sequence, "the validity"));
  const subject = expectTag(fields[at + 4], TAG.sequence, "the subject");
  const spki = whole(expectTag(fields[at + 5], TAG.sequence, "the public key"));
  const extensionsNode = fields.slice(at + 6).find((node) => node.tag === 0xa3);
  const list = extensionsNode && children(extensionsNode)[0];
  const extensions = list ? readExtensions(list) : [];
  const basic = readBasicConstraints(extensions);
  const keyId = extensions.find((e) => e.oid === EXTENSION.subjectKeyId);
  const algorithmOid = readOid(expectTag(children(expectTag(algorithm, TAG.sequence, "the signature algorithm"))[0], TAG.oid, "the signature algorithm"));
  // RFC 5280, 4.1.1.2: what is signed must name the same algorithm, or the signature says less than it seems to.
  if (!tbs || !algorithm || !Buffer.from(whole(algorithm)).equals(whole(expectTag(fields[at + 1], TAG.sequence, "the algorithm")))) {
    throw malformed("the certificate names two signature algorithms");
  }
  const signature = readBits(signatureNode);
  let publicKey: KeyObject | undefined;
  const signed = whole(tbs);
  return {
    ...readSubjectAltNames(extensions),
    der,
    pem: encodePem("CERTIFICATE", der),
    serialNumber: hex(content(serial)).replace(/^0+(?=.)/, ""),
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    subject: formatName(subject),
    issuer: formatName(issuer),
    subjectDer: whole(subject),
    issuerDer: whole(issuer),
    isCa: basic.ca,
    pathLength: basic.pathLength,
    keyUsage: readKeyUsage(extensions),
    extendedKeyUsage: readExtendedKeyUsage(extensions),
    subjectKeyId: keyId && hex(content(readDer(keyId.value))),
    unknownCritical: extensions.filter((e) => e.critical && !KNOWN.has(e.oid)).map((e) => e.oid),
    get publicKey() {
      return (publicKey ??= decodePublicKey(spki));
    },
    spki,
    signedBy: (issuerKey) => verifyBytes(signed, algorithmOid, issuerKey, signature),
  };
}

function firstCertificate(pem: string): Uint8Array {
  const block = decodePem(pem).find((candidate) => candidate.label === "CERTIFICATE");
  if (!block) throw new PkiError("PKI_MALFORMED", "there is no certificate in this PEM");
  return block.der;
}

const ATTRIBUTES: Record<string, string> = { "2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU" };

function formatName(name: DerNode): string {
  return children(name)
    .flatMap(children)
    .map((attribute) => {
      const [type, value] = children(attribute);
      const id = type ? readOid(type) : "";
      return `${ATTRIBUTES[id] ?? id} = ${value ? ascii(value) : ""}`;
    })
    .join(", ");
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
