import type { ResetReason } from "../http/codec.ts";
import type { ResponseFlag } from "../telemetry/stream-info.ts";

/** What the access log says of a failed exchange with an upstream. */
export const RESET_FLAGS: Record<ResetReason, ResponseFlag> = {
  local_connection_failure: "UF",
  remote_connection_failure: "UF",
  connection_timeout: "UF",
  connection_termination: "UC",
  overflow: "UO",
  protocol_error: "UPE",
  local_reset: "LR",
  local_refused_stream_reset: "LR",
  remote_reset: "UR",
  remote_refused_stream_reset: "UR",
  connect_error: "UR",
};
