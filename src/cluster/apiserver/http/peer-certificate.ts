import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { CertificateIdentity } from "../auth/authenticator.ts";

const identities = new WeakMap<object, { certificate: CertificateIdentity | undefined }>();

/**
 * Who a connection's client certificate names, if our CA signed it. Read once a connection, since that takes longer than
 * all the rest of a read. `connection`: the socket, or the HTTP/2 session, whose socket has a new face at each request.
 */
export function peerCertificate(connection: object, socket: () => TLSSocket): CertificateIdentity | undefined {
  let known = identities.get(connection);
  if (!known) {
    const peer = socket();
    identities.set(connection, (known = { certificate: peer.authorized ? identityOf(peer) : undefined }));
  }
  return known.certificate;
}

function identityOf(socket: TLSSocket): CertificateIdentity | undefined {
  const certificate = socket.getPeerX509Certificate() as X509Certificate | undefined;
  if (!certificate) return undefined;
  const subject = certificate.subject.split("\n");
  const values = (name: string) => subject.filter((line) => line.startsWith(`${name}=`)).map((line) => line.slice(name.length + 1));
  return { commonName: values("CN")[0] ?? "", organizations: values("O"), fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase() };
}
