import { ChainmailError } from "../../base/index.ts";

/** Why a stream was ended; each code is a gRPC status. */
export type XdsErrorCode = "XDS_UNAUTHENTICATED" | "XDS_PERMISSION_DENIED" | "XDS_INVALID_REQUEST" | "XDS_UNAVAILABLE";

export class XdsError extends ChainmailError {
  constructor(
    override readonly code: XdsErrorCode,
    message: string,
    options: { cause?: unknown } = {},
  ) {
    super(code, message, options);
  }
}
