import { HeaderMap } from "./header-map.ts";
import type { ResponseFlag } from "../telemetry/stream-info.ts";

/** An answer that the proxy itself gives. */
export interface LocalReply {
  readonly status: number;
  /** latin1 bytes; empty for none. */
  readonly body: string;
  /** What the access log's %RESPONSE_CODE_DETAILS% says. */
  readonly details: string;
  readonly flag?: ResponseFlag;
  /** Set before content-length and content-type, as Envoy's `modify_headers` does. */
  readonly headers?: readonly (readonly [string, string])[];
  /** Changes the headers after `headers` are set. */
  readonly modify?: ((headers: HeaderMap) => void) | undefined;
  readonly grpcStatus?: number;
  /** `text/plain` by default. */
  readonly contentType?: string;
}

/** Head and body of a local reply, in Envoy's order of headers; gRPC callers get a trailers-only answer. */
export function renderLocalReply(reply: LocalReply, grpc: boolean): { status: number; headers: HeaderMap; body: string } {
  const headers = new HeaderMap();
  for (const [name, value] of reply.headers ?? []) headers.append(name, value);
  reply.modify?.(headers);
  if (grpc) {
    headers.append("content-type", "application/grpc");
    headers.append("grpc-status", String(reply.grpcStatus ?? httpToGrpcStatus(reply.status)));
    if (reply.body !== "") headers.append("grpc-message", percentEncode(reply.body));
    return { status: 200, headers, body: "" };
  }
  if (reply.body !== "") {
    headers.append("content-length", String(reply.body.length));
    if (reply.contentType !== undefined) headers.set("content-type", reply.contentType);
    else if (!headers.has("content-type")) headers.append("content-type", "text/plain");
  }
  return { status: reply.status, headers, body: reply.body };
}

/** gRPC's mapping of HTTP status codes (its http-grpc-status-mapping.md), which knows no success. */
export function httpToGrpcStatus(status: number): number {
  switch (status) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
  }
  return 2;
}

/** gRPC messages are percent-encoded outside printable ASCII. */
export function percentEncode(text: string): string {
  return text.replace(/[^ -$&-~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}
