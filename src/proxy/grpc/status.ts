import { ChainmailError } from "../../base/index.ts";
import { GRPC_CODES, type GrpcCode } from "../../proto/index.ts";

/** How a call ended. `message` is the peer's text, or ours when the connection failed. */
export interface GrpcStatus {
  readonly code: GrpcCode;
  readonly message: string;
}

/** A call that ended with another status than OK. */
export class GrpcError extends ChainmailError {
  constructor(readonly status: GrpcStatus) {
    super(`GRPC_${status.code}`, `${status.code}: ${status.message}`);
  }
}

/** The status that trailers carry; HTTP errors without one are mapped as gRPC's specification says. */
export function statusOf(headers: ReadonlyMap<string, string>): GrpcStatus {
  const number = headers.get("grpc-status");
  if (number !== undefined) {
    return { code: GRPC_CODES[Number(number)] ?? "UNKNOWN", message: decodeMessage(headers.get("grpc-message") ?? "") };
  }
  const http = headers.get(":status") ?? "";
  return { code: HTTP_CODES[http] ?? "UNKNOWN", message: `the server answered without a gRPC status${http ? ` (HTTP ${http})` : ""}` };
}

/** `grpc-message` is percent-encoded UTF-8; what does not decode is shown as it came. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
const HTTP_CODES: Record<string, GrpcCode> = {
  "400": "INTERNAL",
  "401": "UNAUTHENTICATED",
  "403": "PERMISSION_DENIED",
  "404": "UNIMPLEMENTED",
  "429": "UNAVAILABLE",
  "502": "UNAVAILABLE",
  "503": "UNAVAILABLE",
  "504": "UNAVAILABLE",
};
