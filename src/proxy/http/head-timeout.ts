import type { HcmConfig } from "./hcm-config.ts";
import type { HttpStream } from "./http-stream.ts";

type Timeouts = Pick<HcmConfig, "requestHeadersTimeoutMs" | "requestTimeoutMs" | "streamIdleTimeoutMs">;

/**
 * How long a request's head may take from its first byte on: Envoy's stream exists from there, so that each of its time
 * limits counts. Undefined when none is set.
 */
export function headTimeoutMs({ requestHeadersTimeoutMs, requestTimeoutMs, streamIdleTimeoutMs }: Timeouts): number | undefined {
  const shortest = Math.min(requestHeadersTimeoutMs ?? Infinity, requestTimeoutMs ?? Infinity, streamIdleTimeoutMs ?? Infinity);
  return shortest === Infinity ? undefined : shortest;
}

/** Answers a client whose head has taken longer. */
export function headTimedOut(stream: HttpStream, config: HcmConfig): void {
  const { stats } = config;
  switch (headTimeoutMs(config)) {
    case config.requestHeadersTimeoutMs:
      stats.downstream_rq_header_timeout++;
      stream.localReply({ status: 408, body: "request header timeout", details: "request_header_timeout" });
      break;
    case config.requestTimeoutMs:
      stats.downstream_rq_timeout++;
      stream.localReply({ status: 408, body: "request timeout", details: "request_overall_timeout" });
      break;
    default:
      stats.downstream_rq_idle_timeout++;
      stream.localReply({ status: 408, body: "stream timeout", details: "stream_idle_timeout", flag: "SI" });
  }
}
