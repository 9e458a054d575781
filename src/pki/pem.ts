import { PkiError } from "./errors.ts";

export interface PemBlock {
  /** Such as `CERTIFICATE` or `CERTIFICATE REQUEST`. */
  label: string;
  der: Uint8Array;
}

/** Trust bundles of a few hundred roots fit; anything larger is an attack or a mistake. */
const MAX_PEM_CHARS = 1 << 20;

/** Lines of 64 characters and a newline at the end, as openssl writes them. */
export function encodePem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString("base64");
  return `-----BEGIN ${label}-----\n${base64.replace(/(.{64})(?!$)/g, "$1\n")}\n-----END ${label}-----\n`;
}

/** All blocks in order; text between them is skipped, as openssl does. Throws PKI_MALFORMED on an unfinished block. */
export function decodePem(text: string, maxChars = MAX_PEM_CHARS): PemBlock[] {
  if (text.length > maxChars) throw new PkiError("PKI_TOO_LARGE", `PEM of ${text.length} characters is over the limit of ${maxChars}`);
  const blocks: PemBlock[] = [];
  for (let at = text.indexOf("-----BEGIN "); at >= 0; at = text.indexOf("-----BEGIN ", at)) {
    const labelEnd = text.indexOf("-----", at + 11);
    const label = labelEnd < 0 ? "" : text.slice(at + 11, labelEnd);
    const footer = `-----END ${label}-----`;
    const end = labelEnd < 0 ? -1 : text.indexOf(footer, labelEnd);
    if (end < 0 || /[\r\n]/.test(label)) throw new PkiError("PKI_MALFORMED", "a PEM block has no end line");
    const body = text.slice(labelEnd + 5, end).replace(/\s+/g, "");
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(body) || body.length % 4 !== 0) {
      throw new PkiError("PKI_MALFORMED", `the PEM block ${label} is not base64`);
    }
    blocks.push({ label, der: new Uint8Array(Buffer.from(body, "base64")) });
    at = end + footer.length;
  }
  return blocks;
}

/** The certificates of a PEM text as one-block PEMs, in order. */
export function splitCertificates(text: string): string[] {
  return decodePem(text)
    .filter((block) => block.label === "CERTIFICATE")
    .map((block) => encodePem(block.label, block.der));
}
