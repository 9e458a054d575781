import { createHash, createPublicKey, randomBytes, type KeyObject } from "node:crypto";
import { parseCertificate, type Certificate } from "./certificate.ts";
import { children, explicit, implicit, integer, oid, octetString, readBits, readDer, sequence, set, text, time, bitString } from "./der.ts";
import { PkiError } from "./errors.ts";
import {
  encodeBasicConstraints,
  encodeExtension,
  encodeKeyUsage,
  encodeSubjectAltNames,
  EXTENSION,
  KEY_USAGE,
  PURPOSE,
  type SubjectAltNames,
} from "./extensions.ts";
import { publicKeyDer } from "./keys.ts";
import { algorithmIdentifier, signatureFor, signBytes } from "./signature.ts";
import { verifyChain } from "./verify.ts";

/** What signs: a CA certificate with its key. */
export interface Signer {
  certificate: Certificate;
  key: KeyObject;
}

export interface LeafRequest {
  signer: Signer;
  /** DER of the SubjectPublicKeyInfo to certify, from a verified request. */
  spki: Uint8Array;
  names: Partial<SubjectAltNames>;
  /** Kubernetes' client certificates name the user here; workload certificates have none. */
  subject?: { commonName: string; organizations: string[] };
  /** Both unless given. */
  purposes?: ("serverAuth" | "clientAuth")[];
  /** Milliseconds since the epoch. */
  now: number;
  /** From now; the certificate never outlives its signer. */
  lifetimeMs: number;
  random?: (bytes: number) => Uint8Array;
}

/** Clocks of pods and control plane may differ: Istio dates every workload certificate two minutes back. */
const BACKDATE_MS = 2 * 60_000;
const BOTH_PURPOSES = ["serverAuth", "clientAuth"] as const;
/** 128 bits, as Istio: beyond guessing and beyond collision. */
const SERIAL_BYTES = 16;

/**
 * A workload's or server's certificate exactly as Istio issues it: empty subject, critical SAN, digitalSignature and
 * keyEncipherment, server and client authentication, no subject key id. It is parsed and verified again before it is
 * returned, so nothing that a verifier would refuse leaves the CA.
 */
export function issueLeaf(request: LeafRequest): Certificate {
  const { signer, now } = request;
  const notAfter = Math.min(now + request.lifetimeMs, signer.certificate.notAfter);
  const notBefore = now - BACKDATE_MS;
  const issuerKeyId = signer.certificate.subjectKeyId ?? keyId(signer.certificate.spki);
  const certificate = sign(signer.key, {
    issuer: signer.certificate.subjectDer,
    subject: encodeSubject(request.subject),
    spki: request.spki,
    notBefore,
    notAfter,
    random: request.random ?? randomBytes,
    extensions: [
      encodeExtension(EXTENSION.keyUsage, true, encodeKeyUsage([KEY_USAGE.digitalSignature, KEY_USAGE.keyEncipherment])),
      encodeExtension(EXTENSION.extendedKeyUsage, false, sequence(...(request.purposes ?? BOTH_PURPOSES).map((purpose) => oid(PURPOSE[purpose])))),
      encodeExtension(EXTENSION.basicConstraints, true, encodeBasicConstraints(false)),
      encodeExtension(EXTENSION.authorityKeyId, false, sequence(implicit(0, Buffer.from(issuerKeyId, "hex")))),
      ...(hasNames(request.names) ? [encodeExtension(EXTENSION.subjectAltName, true, encodeSubjectAltNames(request.names))] : []),
    ],
  });
  verifyChain(certificate, { intermediates: [], roots: [signer.certificate], now, anchors: "any" });
  assertSame("names", certificate.uris, request.names.uris ?? []);
  assertSame("DNS names", certificate.dnsNames, request.names.dnsNames ?? []);
  if (!Buffer.from(certificate.spki).equals(Buffer.from(request.spki))) throw new PkiError("PKI_KEY_MISMATCH", "the issued certificate carries another key");
  return certificate;
}

/** A self-signed root: subject and issuer `O=<organization>`, as Istio's, or `CN=<common name>`; keyCertSign, subject key id. */
export function issueRoot(options: {
  key: KeyObject;
  organization?: string;
  commonName?: string;
  /** Whether it may sign revocation lists too; Istio's root may not. */
  signsRevocationLists?: boolean;
  now: number;
  lifetimeMs: number;
  random?: (bytes: number) => Uint8Array;
}): Certificate {
  const { organization, commonName } = options;
  const name = sequence(
    ...(organization === undefined ? [] : [attribute("2.5.4.10", organization)]),
    ...(commonName === undefined ? [] : [attribute("2.5.4.3", commonName)]),
  );
  const spki = publicKeyDer(options.key);
  const root = sign(options.key, {
    issuer: name,
    subject: name,
    spki,
    notBefore: options.now,
    notAfter: options.now + options.lifetimeMs,
    random: options.random ?? randomBytes,
    extensions: [
      encodeExtension(EXTENSION.keyUsage, true, encodeKeyUsage([KEY_USAGE.keyCertSign, ...(options.signsRevocationLists ? [KEY_USAGE.cRLSign] : [])])),
      encodeExtension(EXTENSION.basicConstraints, true, encodeBasicConstraints(true)),
      encodeExtension(EXTENSION.subjectKeyId, false, octetString(Buffer.from(keyId(spki), "hex"))),
    ],
  });
  if (!root.isCa || !root.signedBy(createPublicKey(options.key))) throw new PkiError("PKI_SIGNATURE_INVALID", "the root that was just made does not verify");
  return root;
}

function hasNames({ uris, dnsNames, ipAddresses }: Partial<SubjectAltNames>): boolean {
  return [uris, dnsNames, ipAddresses].some((list) => list !== undefined && list.length > 0);
}

/** Object identifiers of what a subject says. */
export const ATTRIBUTE = { commonName: "2.5.4.3", organization: "2.5.4.10" } as const;

/** Organizations first, as Go writes it. */
export function encodeSubject(subject: LeafRequest["subject"]): Uint8Array {
  if (!subject) return sequence();
  return sequence(...subject.organizations.map((name) => attribute(ATTRIBUTE.organization, name)), attribute(ATTRIBUTE.commonName, subject.commonName));
}

function attribute(type: string, value: string): Uint8Array {
  return set(sequence(oid(type), text(value)));
}

interface ToBeSigned {
  issuer: Uint8Array;
  subject: Uint8Array;
  spki: Uint8Array;
  notBefore: number;
  notAfter: number;
  extensions: Uint8Array[];
  random: (bytes: number) => Uint8Array;
}

function sign(key: KeyObject, fields: ToBeSigned): Certificate {
  const algorithm = algorithmIdentifier(signatureFor(key));
  const body = sequence(
    explicit(0, integer(Uint8Array.of(2))),
    integer(fields.random(SERIAL_BYTES)),
    algorithm,
    fields.issuer,
    sequence(time(fields.notBefore), time(fields.notAfter)),
    fields.subject,
    fields.spki,
    explicit(3, sequence(...fields.extensions)),
  );
  return parseCertificate(sequence(body, algorithm, bitString(signBytes(body, key))));
}

/** RFC 7093, method 1: the first 160 bits of SHA-256 over the public key's bits; what Go computes. */
function keyId(spki: Uint8Array): string {
  const bits = readBits(children(readDer(spki))[1]);
  return createHash("sha256").update(bits).digest("hex").slice(0, 40);
}

function assertSame(what: string, got: string[], wanted: string[]): void {
  if (got.join("\n") !== wanted.join("\n")) throw new PkiError("PKI_MALFORMED", `the issued certificate carries other ${what} than asked for`);
}
