import { ServerCredentials } from "@grpc/grpc-js";
import type { ServingCertificate, ServingMaterial } from "./serving-certificate.ts";

/**
 * TLS that asks for a client certificate, verifies one that is given and accepts callers without: those prove themselves
 * by token. New handshakes use the newest certificate; connections that stand keep theirs.
 */
export class RotatingCredentials extends ServerCredentials {
  constructor(serving: ServingCertificate) {
    super({ requestCert: true, rejectUnauthorized: false, minVersion: "TLSv1.2" }, context(serving.current()));
    serving.onChange((material) => this.updateSecureContextOptions(context(material)));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

function context(material: ServingMaterial): { ca: string; cert: string; key: string } {
  return { ca: material.clientRootsPem, cert: material.chainPem, key: material.keyPem };
}
