import "reflect-metadata";
import * as x509 from "@peculiar/x509";

/** The workshop's own authority and the gateway's certificate, all PEM. They have nothing to do with the mesh's root. */
export interface GatewayCertificates {
  rootCertificate: string;
  rootKey: string;
  certificate: string;
  key: string;
}

const RSA_2048 = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", publicExponent: new Uint8Array([1, 0, 1]), modulusLength: 2048 };

/** A workshop lasts a day; a year outlives every folder that somebody forgets. */
const VALID_DAYS = 365;
const DAY_MS = 86_400_000;
/** Clocks of host and client may differ a little. */
const BACKDATE_MS = 120_000;

/** An RSA authority `CN=istio-workshop-ca` and a server certificate for `host`, as the workshop's second lab hands out. */
export async function createGatewayCertificates(host: string, now = Date.now()): Promise<GatewayCertificates> {
  const generate = () => crypto.subtle.generateKey(RSA_2048, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
  const [rootKeys, leafKeys] = await Promise.all([generate(), generate()]);
  const validity = { notBefore: new Date(now - BACKDATE_MS), notAfter: new Date(now + VALID_DAYS * DAY_MS) };
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: "CN=istio-workshop-ca",
    keys: rootKeys,
    signingAlgorithm: RSA_2048,
    ...validity,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(rootKeys.publicKey),
    ],
  });
  const leaf = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${host}`,
    issuer: root.subject,
    publicKey: leafKeys.publicKey,
    signingKey: rootKeys.privateKey,
    signingAlgorithm: RSA_2048,
    ...validity,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: host }]),
      await x509.AuthorityKeyIdentifierExtension.create(rootKeys.publicKey),
    ],
  });
  return {
    rootCertificate: `${root.toString("pem")}\n`,
    rootKey: await privateKeyPem(rootKeys.privateKey),
    certificate: `${leaf.toString("pem")}\n`,
    key: await privateKeyPem(leafKeys.privateKey),
  };
}

/** 127 random bits: positive in DER without a leading zero. */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}

async function privateKeyPem(key: CryptoKey): Promise<string> {
  const base64 = Buffer.from(await crypto.subtle.exportKey("pkcs8", key)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${base64.replace(/.{64}/g, "$&\n").trimEnd()}\n-----END PRIVATE KEY-----\n`;
}
