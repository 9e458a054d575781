import { sign, verify, type KeyObject } from "node:crypto";
import { oid, sequence, tlv } from "./der.ts";
import { PkiError } from "./errors.ts";

interface SignatureAlgorithm {
  oid: string;
  hash: "sha256" | "sha384" | "sha512";
  keyType: "ec" | "rsa";
}

const ALGORITHMS: SignatureAlgorithm[] = [
  { oid: "1.2.840.10045.4.3.2", hash: "sha256", keyType: "ec" },
  { oid: "1.2.840.10045.4.3.3", hash: "sha384", keyType: "ec" },
  { oid: "1.2.840.10045.4.3.4", hash: "sha512", keyType: "ec" },
  { oid: "1.2.840.113549.1.1.11", hash: "sha256", keyType: "rsa" },
  { oid: "1.2.840.113549.1.1.12", hash: "sha384", keyType: "rsa" },
  { oid: "1.2.840.113549.1.1.13", hash: "sha512", keyType: "rsa" },
];

/** Hash by key as RFC 5480 pairs them: P-384 with SHA-384, P-521 with SHA-512, all else SHA-256. */
export function signatureFor(key: KeyObject): SignatureAlgorithm {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const hash = curve === "secp384r1" || curve === "P-384" ? "sha384" : curve === "secp521r1" || curve === "P-521" ? "sha512" : "sha256";
  const found = ALGORITHMS.find((a) => a.keyType === key.asymmetricKeyType && a.hash === hash);
  if (!found) throw new PkiError("PKI_KEY_UNSUPPORTED", `cannot sign with a key of type ${key.asymmetricKeyType ?? "unknown"}`);
  return found;
}

/** AlgorithmIdentifier: RSA's carries an explicit NULL (RFC 4055), ECDSA's nothing (RFC 5758). */
export function algorithmIdentifier(algorithm: SignatureAlgorithm): Uint8Array {
  return algorithm.keyType === "rsa" ? sequence(oid(algorithm.oid), tlv(0x05)) : sequence(oid(algorithm.oid));
}

export function signBytes(bytes: Uint8Array, key: KeyObject): Uint8Array {
  return new Uint8Array(sign(signatureFor(key).hash, bytes, key));
}

/** Whether `signature` over `bytes` is `key`'s; false for algorithms outside the table, such as SHA-1. */
export function verifyBytes(bytes: Uint8Array, algorithmOid: string, key: KeyObject, signature: Uint8Array): boolean {
  const algorithm = ALGORITHMS.find((a) => a.oid === algorithmOid);
  if (!algorithm || algorithm.keyType !== key.asymmetricKeyType) return false;
  return verify(algorithm.hash, bytes, key, signature);
}
