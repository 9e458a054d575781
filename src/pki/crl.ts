import { createPublicKey, type KeyObject } from "node:crypto";
import type { Certificate } from "./certificate.ts";
import { children, content, expectTag, readBits, readDer, readOid, readTime, sequence, TAG, time, integer, bitString, whole, type DerNode } from "./der.ts";
import { PkiError } from "./errors.ts";
import { decodePem, encodePem } from "./pem.ts";
import { algorithmIdentifier, signatureFor, signBytes, verifyBytes } from "./signature.ts";

/** A certificate revocation list (RFC 5280, 5). Times are milliseconds since the epoch. */
export interface RevocationList {
  readonly pem: string;
  readonly issuerDer: Uint8Array;
  readonly thisUpdate: number;
  /** When a newer one is due; undefined when the list does not say. */
  readonly nextUpdate: number | undefined;
  /** Serial numbers in lower-case hexadecimal without leading zeros, as in Certificate. */
  readonly serials: ReadonlySet<string>;
  signedBy(issuerKey: KeyObject): boolean;
}

/** Serial numbers of 20 bytes with dates take some 40 each; larger lists do not belong into every pod. */
const MAX_LIST_BYTES = 4 << 20;

/** Every list of a PEM text; none when the text is empty. Throws PKI_MALFORMED, PKI_TOO_LARGE. Nothing is verified. */
export function parseRevocationLists(pem: string): RevocationList[] {
  return decodePem(pem, 2 * MAX_LIST_BYTES)
    .filter(({ label }) => label === "X509 CRL")
    .map(({ der }) => parseList(der));
}

/** Whether one of the lists, by the certificate's own issuer, names it. */
export function isRevoked(certificate: Certificate, lists: readonly RevocationList[]): boolean {
  return lists.some((list) => Buffer.from(list.issuerDer).equals(Buffer.from(certificate.issuerDer)) && list.serials.has(certificate.serialNumber));
}

/** A list that names these serial numbers (hexadecimal), for tests and for authorities of our own. */
export function issueRevocationList(options: {
  signer: { certificate: Certificate; key: KeyObject };
  serials: readonly string[];
  now: number;
  lifetimeMs: number;
}): RevocationList {
  const { signer, serials, now, lifetimeMs } = options;
  const algorithm = algorithmIdentifier(signatureFor(signer.key));
  const revoked = serials.map((serial) => sequence(integer(Buffer.from(serial.length % 2 === 0 ? serial : `0${serial}`, "hex")), time(now)));
  const body = sequence(
    integer(Uint8Array.of(1)),
    algorithm,
    signer.certificate.subjectDer,
    time(now),
    time(now + lifetimeMs),
    // An empty list of entries is left out (RFC 5280, 5.1.2.6).
    ...(revoked.length > 0 ? [sequence(...revoked)] : []),
  );
  const list = parseList(sequence(body, algorithm, bitString(signBytes(body, signer.key))));
  if (!list.signedBy(createPublicKey(signer.key))) throw new PkiError("PKI_SIGNATURE_INVALID", "the revocation list that was just made does not verify");
  return list;
}

function parseList(der: Uint8Array): RevocationList {
  if (der.length > MAX_LIST_BYTES) throw new PkiError("PKI_TOO_LARGE", `a revocation list of ${der.length} bytes is over the limit of ${MAX_LIST_BYTES}`);
  const [body, algorithm, signatureNode] = children(expectTag(readDer(der), TAG.sequence, "the revocation list"));
  const tbs = expectTag(body, TAG.sequence, "the list's body");
  const fields = children(tbs);
  // The version is there from v2 on.
  const at = fields[0]?.tag === TAG.integer ? 1 : 0;
  const issuer = expectTag(fields[at + 1], TAG.sequence, "the list's issuer");
  const thisUpdate = readTime(fields[at + 2]);
  const isTime = ({ tag }: DerNode): boolean => tag === TAG.utcTime || tag === TAG.generalizedTime;
  const next = fields[at + 3];
  const hasNext = next !== undefined && isTime(next);
  const entries = fields[at + (hasNext ? 4 : 3)];
  const serials = new Set<string>();
  if (entries?.tag === TAG.sequence) {
    for (const entry of children(entries)) {
      const serial = content(expectTag(children(entry)[0], TAG.integer, "a revoked serial number"));
      serials.add(
        Buffer.from(serial)
          .toString("hex")
          .replace(/^0+(?=.)/, ""),
      );
    }
  }
  const algorithmOid = readOid(expectTag(children(expectTag(algorithm, TAG.sequence, "the signature algorithm"))[0], TAG.oid, "the signature algorithm"));
  const signature = readBits(signatureNode);
  const signed = whole(tbs);
  return {
    pem: encodePem("X509 CRL", der),
    issuerDer: whole(issuer),
    thisUpdate,
    nextUpdate: hasNext ? readTime(next) : undefined,
    serials,
    signedBy: (issuerKey) => verifyBytes(signed, algorithmOid, issuerKey, signature),
  };
}
