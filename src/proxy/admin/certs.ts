import { parseCertificate, splitCertificates } from "../../pki/index.ts";
import type { StoredSecret } from "../xds/index.ts";
import { timestamp } from "./json.ts";

const DAY_MS = 86_400_000;

/** /certs: envoy.admin.v3.Certificates, each chain with the roots that stand beside it. Empty fields are printed, as Envoy does. */
export function certsJson(secrets: readonly StoredSecret[], now: number): object {
  const roots = secrets.flatMap(({ secret }) => ("trustedCaPem" in secret ? splitCertificates(secret.trustedCaPem) : []));
  const chains = secrets.flatMap(({ secret }) => ("certificateChainPem" in secret ? [splitCertificates(secret.certificateChainPem)] : []));
  const details = (pem: string): object => certificateJson(pem, now);
  const certificates = (chains.length > 0 ? chains : [[]]).map((chain) => ({ ca_cert: roots.map(details), cert_chain: chain.map(details) }));
  return { certificates: roots.length + chains.length > 0 ? certificates : [] };
}

/** Days until the first certificate ends; undefined without any. */
export function daysUntilFirstExpiry(secrets: readonly StoredSecret[], now: number): number | undefined {
  const ends = secrets
    .flatMap(({ secret }) => splitCertificates("trustedCaPem" in secret ? secret.trustedCaPem : secret.certificateChainPem))
    .map((pem) => parseCertificate(pem).notAfter);
  return ends.length > 0 ? days(Math.min(...ends), now) : undefined;
}

function certificateJson(pem: string, now: number): object {
  const certificate = parseCertificate(pem);
  return {
    path: "<inline>",
    serial_number: certificate.serialNumber,
    subject_alt_names: [
      ...certificate.dnsNames.map((dns) => ({ dns })),
      ...certificate.uris.map((uri) => ({ uri })),
      ...certificate.ipAddresses.map((address) => ({ ip_address: address })),
    ],
    days_until_expiration: String(days(certificate.notAfter, now)),
    valid_from: timestamp(certificate.notBefore),
    expiration_time: timestamp(certificate.notAfter),
  };
}

function days(end: number, now: number): number {
  return Math.max(0, Math.floor((end - now) / DAY_MS));
}
