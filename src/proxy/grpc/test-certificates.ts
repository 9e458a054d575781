import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TestCertificate {
  pem: string;
  keyPem: string;
}

/** A self-signed P-256 server certificate for tests, made by openssl so that it does not share our own mistakes. */
export function selfSigned(name: string): TestCertificate {
  const folder = mkdtempSync(join(tmpdir(), "certificate-"));
  const [certificate, key] = [join(folder, "certificate.pem"), join(folder, "key.pem")];
  try {
    const names = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
    const { success, stderr } = Bun.spawnSync(
      [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        ...names,
        "-keyout",
        key,
        "-out",
        certificate,
      ],
      { stderr: "pipe" },
    );
    if (!success) throw new Error(`openssl: ${stderr.toString()}`);
    return { pem: readFileSync(certificate, "utf8"), keyPem: readFileSync(key, "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
