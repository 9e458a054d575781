import type { Http2ProtocolOptions } from "../../proto/gen/envoy/config/core/v3/protocol_pb.ts";
import type { Http2Stats } from "./http2-stats.ts";
import type { FloodLimits } from "./flood-guard.ts";

export interface SessionOptions {
  /** What we let a peer have open at once. */
  readonly maxConcurrentStreams: number;
  /** What a peer may send on one stream before it is read. */
  readonly streamWindow: number;
  readonly connectionWindow: number;
  /** Of all fields of a head, each with its overhead (RFC 9113, 6.5.2). */
  readonly maxHeaderBytes: number;
  /** Fields of a head, pseudo-fields included. */
  readonly maxHeaders: number;
  /** Extended CONNECT (RFC 8441) is taken, and said so. */
  readonly allowConnect: boolean;
  readonly floods: FloodLimits;
  /** Where it is counted what happens; nowhere by default. */
  readonly stats?: Http2Stats;
}

/** What a peer may keep waiting, in ms; for ever when undefined. */
export interface StallLimits {
  /** For a header block that it has begun to come to its end. */
  readonly headTimeoutMs?: number | undefined;
  /** For answers that are complete on our side to be let through its flow-control windows; Envoy's stream_flush_timeout. */
  readonly flushTimeoutMs?: number | undefined;
}

/** Envoy's stream limit; windows that keep a stream flowing over a few milliseconds without holding megabytes for each. */
const DEFAULTS = { maxConcurrentStreams: 1024, streamWindow: 256 * 1024, connectionWindow: 4 * 1024 * 1024 };

/** The limits for heads are by default those for HTTP/1: Envoy's max_request_headers_kb and max_headers_count. */
export function sessionOptions(proto: Http2ProtocolOptions | undefined, maxHeaderBytes = 60 * 1024, maxHeaders = 100): SessionOptions {
  return {
    maxConcurrentStreams: proto?.maxConcurrentStreams ?? DEFAULTS.maxConcurrentStreams,
    streamWindow: proto?.initialStreamWindowSize ?? DEFAULTS.streamWindow,
    connectionWindow: proto?.initialConnectionWindowSize ?? DEFAULTS.connectionWindow,
    allowConnect: proto?.allowConnect ?? false,
    maxHeaderBytes,
    maxHeaders,
    floods: {
      outboundFrames: proto?.maxOutboundFrames ?? 10_000,
      outboundControlFrames: proto?.maxOutboundControlFrames ?? 1000,
      emptyFrames: proto?.maxConsecutiveInboundFramesWithEmptyPayload ?? 1,
      prioritiesPerStream: proto?.maxInboundPriorityFramesPerStream ?? 100,
      windowUpdatesPerData: proto?.maxInboundWindowUpdateFramesPerDataFrameSent ?? 10,
    },
  };
}
