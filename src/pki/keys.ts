import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { PkiError } from "./errors.ts";

/** P-256 is what Chainmail makes; the others are Istio's choices (ECC_SIGNATURE_ALGORITHM, curves, RSA). */
export type KeyAlgorithm = "P-256" | "P-384" | "RSA-2048";

const generate = promisify(generateKeyPair);

/** A new private key. RSA takes some 100 ms, off the event loop. */
export async function generateKey(algorithm: KeyAlgorithm = "P-256"): Promise<KeyObject> {
  const pair = algorithm === "RSA-2048" ? await generate("rsa", { modulusLength: 2048 }) : await generate("ec", { namedCurve: algorithm });
  return pair.privateKey;
}

/** PKCS#8 PEM (`BEGIN PRIVATE KEY`). Write it to files of mode 0600 only. */
export function encodePrivateKey(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

/** PKCS#8, SEC1 (`BEGIN EC PRIVATE KEY`) or PKCS#1 (`BEGIN RSA PRIVATE KEY`); encrypted keys are refused. */
export function decodePrivateKey(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new PkiError("PKI_MALFORMED", "this is not an unencrypted private key in PEM", { cause });
  }
  assertSupportedKey(key);
  return key;
}

/** DER of the SubjectPublicKeyInfo of a private or public key. */
export function publicKeyDer(key: KeyObject): Uint8Array {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  return new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
}

/** Reads a SubjectPublicKeyInfo and refuses what we would not certify. */
export function decodePublicKey(spki: Uint8Array): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  } catch (cause) {
    throw new PkiError("PKI_MALFORMED", "the public key cannot be read", { cause });
  }
  assertSupportedKey(key);
  return key;
}

/** RSA below 2048 bits is broken, above 8192 a verifier's time is an attacker's to spend. */
const RSA_BITS = { min: 2048, max: 8192 };
const CURVES = new Set(["prime256v1", "secp384r1", "secp521r1", "P-256", "P-384", "P-521"]);

function assertSupportedKey(key: KeyObject): void {
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType === "ec") {
    if (details?.namedCurve && CURVES.has(details.namedCurve)) return;
    throw new PkiError("PKI_KEY_UNSUPPORTED", `the curve ${details?.namedCurve ?? "unknown"} is not P-256, P-384 or P-521`);
  }
  if (key.asymmetricKeyType === "rsa") {
    const bits = details?.modulusLength ?? 0;
    if (bits >= RSA_BITS.min && bits <= RSA_BITS.max) return;
    throw new PkiError("PKI_KEY_UNSUPPORTED", `RSA keys must have ${RSA_BITS.min} to ${RSA_BITS.max} bits, this one has ${bits}`);
  }
  throw new PkiError("PKI_KEY_UNSUPPORTED", `keys of type ${key.asymmetricKeyType ?? "unknown"} are not used in this mesh`);
}
