import type { KeyObject } from "node:crypto";
import { bitString, children, content, type DerNode, expectTag, explicit, integer, oid, readBits, readDer, readOid, sequence, set, TAG, whole } from "./der.ts";
import { PkiError } from "./errors.ts";
import { encodeExtension, encodeSubjectAltNames, EXTENSION, readExtensions, readSubjectAltNames, type SubjectAltNames } from "./extensions.ts";
import { ATTRIBUTE, encodeSubject } from "./issue.ts";
import { decodePublicKey, publicKeyDer } from "./keys.ts";
import { decodePem, encodePem } from "./pem.ts";
import { algorithmIdentifier, signatureFor, signBytes, verifyBytes } from "./signature.ts";

/** A certificate request whose signature has been verified: its sender holds the private key. */
export interface CertificateRequest {
  publicKey: KeyObject;
  /** DER of the SubjectPublicKeyInfo. */
  spki: Uint8Array;
  /** Whom the sender would like to be: Kubernetes' users and groups stand here. */
  subject: { commonName: string; organizations: string[] };
  /** What the sender would like to be called. A CA that knows its callers ignores it. */
  names: SubjectAltNames;
}

const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
/** An RSA 8192 request with a long SPIFFE id is 4 KB; nobody needs more. */
const MAX_CSR_CHARS = 32 * 1024;

/** A PKCS#10 request in PEM, with an empty subject unless given; `spiffeId` becomes a critical URI SAN, as Istio's agent asks. */
export function createCsr(options: { key: KeyObject; spiffeId?: string; dnsNames?: string[]; subject?: CertificateRequest["subject"] }): string {
  const names = { uris: options.spiffeId ? [options.spiffeId] : [], dnsNames: options.dnsNames ?? [] };
  const named = names.uris.length + names.dnsNames.length > 0;
  const san = named ? [encodeExtension(EXTENSION.subjectAltName, true, encodeSubjectAltNames(names))] : [];
  const attributes = named ? [sequence(oid(EXTENSION_REQUEST), set(sequence(...san)))] : [];
  const info = sequence(integer(Uint8Array.of(0)), encodeSubject(options.subject), publicKeyDer(options.key), explicit(0, ...attributes));
  const der = sequence(info, algorithmIdentifier(signatureFor(options.key)), bitString(signBytes(info, options.key)));
  return encodePem("CERTIFICATE REQUEST", der);
}

/** Throws PKI_TOO_LARGE, PKI_MALFORMED, PKI_KEY_UNSUPPORTED or PKI_SIGNATURE_INVALID. */
export function parseCsr(pem: string): CertificateRequest {
  const block = decodePem(pem, MAX_CSR_CHARS)[0];
  if (!block || (block.label !== "CERTIFICATE REQUEST" && block.label !== "NEW CERTIFICATE REQUEST")) {
    throw new PkiError("PKI_MALFORMED", "this is not a certificate request in PEM");
  }
  const outer = expectTag(readDer(block.der), TAG.sequence, "the request");
  if (outer.end !== block.der.length) throw new PkiError("PKI_MALFORMED", "bytes follow the certificate request");
  const [info, algorithm, signature] = children(outer);
  const infoParts = children(expectTag(info, TAG.sequence, "the request's body"));
  const spki = whole(expectTag(infoParts[2], TAG.sequence, "the public key"));
  const publicKey = decodePublicKey(spki);
  const algorithmParts = children(expectTag(algorithm, TAG.sequence, "the signature algorithm"));
  const algorithmOid = readOid(expectTag(algorithmParts[0], TAG.oid, "the signature algorithm"));
  if (!info || !verifyBytes(whole(info), algorithmOid, publicKey, readBits(signature))) {
    throw new PkiError("PKI_SIGNATURE_INVALID", "the certificate request is not signed by the key it carries");
  }
  const attributes = infoParts[3]?.tag === 0xa0 ? children(infoParts[3]) : [];
  let names: SubjectAltNames = { uris: [], dnsNames: [], ipAddresses: [] };
  for (const attribute of attributes) {
    const [type, values] = children(expectTag(attribute, TAG.sequence, "an attribute"));
    if (!type || readOid(type) !== EXTENSION_REQUEST) continue;
    const [list] = children(expectTag(values, TAG.set, "the requested extensions"));
    if (list) names = readSubjectAltNames(readExtensions(list));
  }
  return { publicKey, spki: Uint8Array.from(spki), subject: readSubject(expectTag(infoParts[1], TAG.sequence, "the subject")), names };
}

/** The last common name and all organizations. */
function readSubject(name: DerNode): CertificateRequest["subject"] {
  const subject = { commonName: "", organizations: [] as string[] };
  for (const attribute of children(name).flatMap(children)) {
    const [type, value] = children(expectTag(attribute, TAG.sequence, "an attribute of the subject"));
    if (!type || !value) continue;
    const text = Buffer.from(content(value)).toString();
    if (readOid(type) === ATTRIBUTE.commonName) subject.commonName = text;
    if (readOid(type) === ATTRIBUTE.organization) subject.organizations.push(text);
  }
  return subject;
}
