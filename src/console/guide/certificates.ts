import { X509Certificate } from "node:crypto";
import { ApiProblem } from "../api/router.ts";
import { columns } from "./print.ts";

export interface HeldCertificate {
  /** The secret's name: `default` is the workload's own, `ROOTCA` what it trusts. */
  name: string;
  certificate: X509Certificate;
}

export type CertificatePart = "table" | "issuer" | "validity" | "names";

/** The certificates in a dump of a proxy's secrets, as its admin page has it. Keys are in no answer of it, and none is read. */
export function certificatesOf(dump: string): HeldCertificate[] {
  type Source = { inline_bytes?: string; inline_string?: string };
  type Secret = { name?: string; tls_certificate?: { certificate_chain?: Source }; validation_context?: { trusted_ca?: Source } };
  const { configs = [] } = JSON.parse(dump) as { configs?: { name?: string; secret?: Secret }[] };
  return configs.flatMap(({ secret }) => {
    const source = secret?.tls_certificate?.certificate_chain ?? secret?.validation_context?.trusted_ca;
    const pem = source?.inline_string ?? Buffer.from(source?.inline_bytes ?? "", "base64").toString("utf8");
    return secret?.name && pem.includes("BEGIN CERTIFICATE") ? [{ name: secret.name, certificate: new X509Certificate(pem) }] : [];
  });
}

/** As a table of all, or one part of the workload's own in OpenSSL's words. `now` (Unix ms) decides which are valid. */
export function certificateText(held: readonly HeldCertificate[], show: CertificatePart, now: number): string {
  if (show === "table") {
    const rows = held.map(({ name, certificate: c }) => [
      name,
      c.ca ? "CA" : "Cert Chain",
      "ACTIVE",
      String(now > Date.parse(c.validFrom) && now < Date.parse(c.validTo)),
      c.serialNumber.toLowerCase().padStart(32, "0"),
      time(c.validTo),
      time(c.validFrom),
    ]);
    return columns([["RESOURCE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER", "NOT BEFORE"], ...rows]);
  }
  const own = held.find(({ name }) => name === "default")?.certificate;
  if (!own) throw new ApiProblem(404, "the proxy holds no certificate of its own yet");
  switch (show) {
    case "issuer":
      return `Issuer: ${own.issuer.split("\n").join(", ").replace(/=/g, " = ")}\n`;
    case "validity": {
      const hours = (Date.parse(own.validTo) - Date.parse(own.validFrom)) / 3_600_000;
      return `Validity\n    Not Before: ${own.validFrom}\n    Not After : ${own.validTo}\n(${hours.toFixed(2)} hours)\n`;
    }
    case "names":
      return `X509v3 Subject Alternative Name:\n    ${own.subjectAltName ?? "(none)"}\n`;
  }
}

function time(text: string): string {
  return new Date(Date.parse(text)).toISOString().replace(/\.\d+Z$/, "Z");
}
