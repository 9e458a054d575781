import type { Http2ProtocolOptions } from "../../proto/gen/envoy/config/core/v3/protocol_pb.ts";

export interface SessionOptions {
  /** What we let a peer have open at once. */
  readonly maxConcurrentStreams: number;
  /** What a peer may send on one stream before it is read. */
  readonly streamWindow: number;
  readonly connectionWindow: number;
  readonly maxHeaderBytes: number;
}

/** Envoy's stream limit; windows that keep a stream flowing over a few milliseconds without holding megabytes for each. */
const DEFAULTS: SessionOptions = { maxConcurrentStreams: 1024, streamWindow: 256 * 1024, connectionWindow: 4 * 1024 * 1024, maxHeaderBytes: 60 * 1024 };

export function sessionOptions(proto: Http2ProtocolOptions | undefined, maxHeaderBytes = DEFAULTS.maxHeaderBytes): SessionOptions {
  return {
    maxConcurrentStreams: proto?.maxConcurrentStreams ?? DEFAULTS.maxConcurrentStreams,
    streamWindow: proto?.initialStreamWindowSize ?? DEFAULTS.streamWindow,
    connectionWindow: proto?.initialConnectionWindowSize ?? DEFAULTS.connectionWindow,
    maxHeaderBytes,
  };
}
