import type { ReadonlyTags } from "./custom-tags.ts";
import { isGrpcType } from "../router/route-match.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import type { ActiveSpan } from "./span.ts";

/** Envoy's tags of a finished request (its HttpTracerUtility), in its order. */
export function tagRequest(span: ActiveSpan, info: StreamInfo, maxPath: number, custom: ReadonlyTags): void {
  const { tags } = span;
  const { request } = info;
  if (request) {
    const { headers } = request;
    const id = headers.get("x-request-id");
    if (id !== undefined) tags.push(["guid:x-request-id", id]);
    const path = headers.get("x-envoy-original-path") ?? request.path;
    tags.push(
      ["http.url", `${headers.get("x-forwarded-proto") ?? ""}://${request.authority}${path.slice(0, maxPath)}`],
      ["http.method", request.method],
      ["downstream_cluster", headers.get("x-envoy-downstream-service-cluster") ?? "-"],
      ["user_agent", headers.get("user-agent") ?? "-"],
      ["http.protocol", info.protocol ?? "-"],
      ["peer.address", info.downstream.remote.address],
    );
    const client = headers.get("x-client-trace-id");
    if (client !== undefined) tags.push(["guid:x-client-trace-id", client]);
    const type = headers.get("content-type") ?? "";
    if (isGrpcType(type)) {
      tags.push(["grpc.path", request.path], ["grpc.authority", request.authority], ["grpc.content_type", type]);
      const timeout = headers.get("grpc-timeout");
      if (timeout !== undefined) tags.push(["grpc.timeout", timeout]);
    }
  }
  tags.push(["request_size", String(info.bytesReceived)], ["response_size", String(info.bytesSent)]);
  tagOutcome(span, info, info.responseStatus, info.flags, custom);
  for (const headers of [info.responseHeaders, info.responseTrailers]) {
    const status = headers?.get("grpc-status");
    if (status === undefined) continue;
    tags.push(["grpc.status_code", status]);
    const message = headers?.get("grpc-message");
    if (message !== undefined) tags.push(["grpc.message", message]);
    if (GRPC_FAULTS.has(status) && !tags.some(([name]) => name === "error")) tags.push(["error", "true"]);
  }
}

/** What one try at an upstream came to. `status` 0: no answer. */
export interface Attempt {
  readonly number: number;
  readonly address: string;
  readonly protocol: string;
  status: number;
  flags: string;
  /** Why it ended before its end. */
  reset: string;
  cancelled: boolean;
}

export function tagAttempt(span: ActiveSpan, info: StreamInfo, attempt: Attempt, custom: ReadonlyTags): void {
  const { tags } = span;
  if (attempt.number > 1) tags.push(["retry.count", String(attempt.number - 1)]);
  if (attempt.reset !== "") tags.push(["error", "true"], ["error.reason", attempt.reset]);
  if (attempt.cancelled) tags.push(["canceled", "true"]);
  tags.push(["http.protocol", attempt.protocol]);
  if (attempt.address !== "") tags.push(["upstream_address", attempt.address], ["peer.address", attempt.address]);
  tagOutcome(span, info, attempt.status, attempt.flags, custom);
}

function tagOutcome({ tags }: ActiveSpan, info: StreamInfo, status: number, flags: string, custom: ReadonlyTags): void {
  tags.push(["component", "proxy"]);
  const cluster = info.upstreamCluster;
  if (cluster) tags.push(["upstream_cluster", cluster.name], ["upstream_cluster.name", cluster.observabilityName]);
  tags.push(["http.status_code", String(status)], ["response_flags", flags === "" ? "-" : flags]);
  if ((status === 0 || status >= 500) && !tags.some(([name]) => name === "error")) tags.push(["error", "true"]);
  for (const [name, value] of custom) {
    const text = value(info);
    if (text !== "") tags.push([name, text]);
  }
}

/** UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS are the server's faults. */
const GRPC_FAULTS = new Set(["2", "4", "12", "13", "14", "15"]);
