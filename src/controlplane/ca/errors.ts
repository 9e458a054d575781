import { ChainmailError } from "../../base/index.ts";

/** Codes of refused certificate requests, each of which has its own gRPC status. */
export type CaErrorCode =
  | "CA_UNAUTHENTICATED"
  | "CA_CSR_INVALID"
  | "CA_TTL_TOO_LONG"
  | "CA_SIGNING_FAILED"
  | "CA_SECRET_INCOMPLETE"
  | "CA_SECRET_INVALID";

export class CaError extends ChainmailError {
  constructor(
    override readonly code: CaErrorCode,
    message: string,
    options: { cause?: unknown; hint?: string } = {},
  ) {
    super(code, message, options);
  }
}
