/**
 * A failed handshake in BoringSSL's words as Envoy prints them: the codes and reasons that people search the web for.
 */
export function tlsFailureText(code: string | undefined, message: string): string {
  const verify = code === undefined ? undefined : VERIFY[code];
  if (verify)
    return tlsError(`${CERTIFICATE_VERIFY_FAILED}:verify cert failed: X509_verify_cert: certificate verification error at depth ${verify[0]}: ${verify[1]}`);
  // BoringSSL's own line: error:<number in hex>:<library>:OPENSSL_internal:<reason>.
  const line = /error:([0-9a-f]{8}):(.+)$/.exec(message);
  return line ? tlsError(`${Number.parseInt(line[1] as string, 16)}:${line[2]}`) : "";
}

/** The peer's certificate has none of the wanted names. */
export function sanMismatchText(names: readonly string[]): string {
  return tlsError(`${CERTIFICATE_VERIFY_FAILED}:verify cert failed: SAN matcher, certificate SANs are [${names.join(", ")}]`);
}

/** The peer's certificate is not for the host that was asked for. */
export function nameMismatchText(wanted: string, names: readonly string[]): string {
  return tlsError(`${CERTIFICATE_VERIFY_FAILED}:verify cert failed: verify SAN list, expected SANs: [${wanted}], certificate SANs: [${names.join(", ")}]`);
}

const CERTIFICATE_VERIFY_FAILED = "268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED";

function tlsError(text: string): string {
  return `TLS_error:|${text}:TLS_error_end`;
}

/** Node's verification codes: the depth at which they are found, and OpenSSL's words. */
const VERIFY: Record<string, readonly [depth: number, text: string]> = {
  SELF_SIGNED_CERT_IN_CHAIN: [1, "self signed certificate in certificate chain"],
  DEPTH_ZERO_SELF_SIGNED_CERT: [0, "self signed certificate"],
  UNABLE_TO_GET_ISSUER_CERT: [0, "unable to get issuer certificate"],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: [0, "unable to get local issuer certificate"],
  // What node calls by the end of the search is for BoringSSL the missing issuer that it began with.
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [0, "unable to get local issuer certificate"],
  CERT_SIGNATURE_FAILURE: [0, "certificate signature failure"],
  CERT_NOT_YET_VALID: [0, "certificate is not yet valid"],
  CERT_HAS_EXPIRED: [0, "certificate has expired"],
  CERT_REVOKED: [0, "certificate revoked"],
  INVALID_CA: [1, "invalid CA certificate"],
  INVALID_PURPOSE: [0, "unsupported certificate purpose"],
  CERT_UNTRUSTED: [0, "certificate not trusted"],
  CERT_REJECTED: [0, "certificate rejected"],
  PATH_LENGTH_EXCEEDED: [1, "path length constraint exceeded"],
};
