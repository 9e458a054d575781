import { ChainmailError } from "../../base/index.ts";

/** Codes of refused certificate requests, each of which has its own gRPC status. */
export type CaErrorCode =
  | "CA_UNAUTHENTICATED"
  | "CA_RATE_LIMITED"
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

/** Istio's words; what was wrong goes to our log only, so that a guesser learns nothing. */
const REFUSAL = "request authenticate failure";

/** A caller who has not proved who it is; `reason` is for the log. */
export function refused(reason: string, cause?: unknown): CaError {
  return new CaError("CA_UNAUTHENTICATED", REFUSAL, { cause: new Error(reason, { cause }) });
}
