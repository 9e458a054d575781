import { ChainmailError } from "../base/index.ts";

/** Why a key, request, certificate or identity was refused. Stable: logs and tests match on it. */
export type PkiErrorCode =
  | "PKI_MALFORMED"
  | "PKI_TOO_LARGE"
  | "PKI_KEY_UNSUPPORTED"
  | "PKI_SIGNATURE_INVALID"
  | "PKI_EXPIRED"
  | "PKI_NOT_YET_VALID"
  | "PKI_UNTRUSTED"
  | "PKI_NOT_A_CA"
  | "PKI_CONSTRAINT"
  | "PKI_KEY_MISMATCH"
  | "PKI_SPIFFE_INVALID";

/** The one error of this room; `code` says which check failed. */
export class PkiError extends ChainmailError {
  constructor(
    override readonly code: PkiErrorCode,
    message: string,
    options: { cause?: unknown; hint?: string } = {},
  ) {
    super(code, message, options);
  }
}
