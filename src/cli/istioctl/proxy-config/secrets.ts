import { parseCertificate } from "../../../pki/index.ts";
import { tabwriter } from "../format/tabwriter.ts";
import { list, object, section, text, type ConfigDump, type Json } from "./dump.ts";

interface SecretRow {
  readonly name: string;
  readonly type: string;
  readonly state: string;
  readonly valid: boolean;
  readonly serial: string;
  readonly notAfter: string;
  readonly notBefore: string;
  readonly trustDomain: string;
}

/** The table of certificates; `now` decides which are valid. */
export function secretTable(dump: ConfigDump, now: number, typed = false): string {
  const config = section(dump, "SecretsConfigDump");
  const rows = [
    ...list(config.dynamic_warming_secrets).map((entry) => secretRow(entry, "WARMING", now)),
    ...list(config.dynamic_active_secrets).map((entry) => secretRow(entry, "ACTIVE", now)),
  ];
  if (rows.length === 0) return "No active or warming secrets found.\n";
  const domains = rows.every(({ trustDomain }) => trustDomain !== "");
  const header = ["RESOURCE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER", "NOT BEFORE", ...(domains ? ["TRUST DOMAIN"] : [])];
  const cells = rows.map((row) => [
    `${typed ? "secret/" : ""}${row.name}`,
    row.type,
    row.state,
    String(row.valid),
    row.serial,
    row.notAfter,
    row.notBefore,
    ...(domains ? [row.trustDomain] : []),
  ]);
  return tabwriter([header, ...cells], 5);
}

function secretRow(entry: Json, state: string, now: number): SecretRow {
  const secret = object(entry.secret);
  const chain = object(object(secret.tls_certificate).certificate_chain);
  const trusted = object(object(secret.validation_context).trusted_ca);
  const pem = sourceText(Object.keys(chain).length > 0 ? chain : trusted);
  const empty = { name: text(entry.name), state, type: "", valid: false, serial: "", notAfter: "", notBefore: "", trustDomain: "" };
  if (!pem) return empty;
  let certificate: ReturnType<typeof parseCertificate>;
  try {
    certificate = parseCertificate(pem);
  } catch {
    return empty;
  }
  return {
    ...empty,
    type: certificate.isCa ? "CA" : "Cert Chain",
    valid: now > certificate.notBefore && now < certificate.notAfter,
    serial: certificate.serialNumber.padStart(32, "0"),
    notAfter: seconds(certificate.notAfter),
    notBefore: seconds(certificate.notBefore),
    trustDomain: /^spiffe:\/\/([^/]+)/.exec(certificate.uris[0] ?? "")?.[1] ?? "",
  };
}

function sourceText(source: Json): string {
  const bytes = text(source.inline_bytes);
  return bytes ? Buffer.from(bytes, "base64").toString("utf8") : text(source.inline_string);
}

/** RFC 3339 without fractions. */
function seconds(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.\d+Z$/, "Z");
}
