/**
 * A failed handshake in BoringSSL's words as Envoy prints them: the codes and reasons that people search the web for.
 */
export function tlsFailureText(code: string | undefined, message: string): string {
  const verify = code === undefined ? undefined : VERIFY[code];
  if (verify) return tlsError(`${CERTIFICATE_VERIFY_FAILED}:verify cert failed: X509_verify_cert: certificate verification error at depth ${verify[0]}: ${verify[1]}`);
  const reason = /([A-Z][A-Z0-9_]{4,})/.exec((code ?? "").replace(/^ERR_SSL_/, "") || message)?.[1];
  if (reason === undefined) return "";
  return tlsError(`${NUMBERS[reason] ?? 268435456}:SSL routines:OPENSSL_internal:${reason}`);
}

/** The peer's certificate has none of the wanted names. */
export function sanMismatchText(names: readonly string[]): string {
  return tlsError(`${CERTIFICATE_VERIFY_FAILED}:verify cert failed: SAN matcher, certificate SANs are [${names.join(", ")}]`);
}

const CERTIFICATE_VERIFY_FAILED = "268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED";

function tlsError(text: string): string {
  return `TLS_error:|${text}:TLS_error_end`;
}

/** Library 16 (SSL) in the high bits, the reason in the low ones: BoringSSL's ERR_PACK. */
const NUMBERS: Record<string, number> = {
  WRONG_VERSION_NUMBER: 268435703,
  CERTIFICATE_VERIFY_FAILED: 268435581,
  NO_SHARED_CIPHER: 268435640,
  UNSUPPORTED_PROTOCOL: 268435696,
  HANDSHAKE_FAILURE_ON_CLIENT_HELLO: 268435610,
  SSLV3_ALERT_HANDSHAKE_FAILURE: 268436496,
  SSLV3_ALERT_BAD_CERTIFICATE: 268436498,
  SSLV3_ALERT_CERTIFICATE_EXPIRED: 268436501,
  SSLV3_ALERT_CERTIFICATE_UNKNOWN: 268436502,
  TLSV1_ALERT_UNKNOWN_CA: 268436504,
  TLSV1_ALERT_PROTOCOL_VERSION: 268436526,
  TLSV1_CERTIFICATE_REQUIRED: 268436572,
};

/** Node's verification codes: the depth at which they are found, and OpenSSL's words. */
const VERIFY: Record<string, readonly [depth: number, text: string]> = {
  SELF_SIGNED_CERT_IN_CHAIN: [1, "self signed certificate in certificate chain"],
  DEPTH_ZERO_SELF_SIGNED_CERT: [0, "self signed certificate"],
  UNABLE_TO_GET_ISSUER_CERT: [0, "unable to get issuer certificate"],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: [0, "unable to get local issuer certificate"],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [0, "unable to verify the first certificate"],
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
