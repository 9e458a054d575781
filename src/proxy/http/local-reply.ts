import type { Route } from "../router/route-table.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import { HeaderMap } from "./header-map.ts";
import type { RewriteReply } from "./local-reply-config.ts";
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

/** A local reply as a request gets it: with what the configuration makes of such replies, and the route of all answers. */
export function answerRequest(
  reply: LocalReply,
  stream: StreamInfo & { readonly route: Route | undefined },
  rewrite: RewriteReply | undefined,
  grpc: boolean,
): { status: number; headers: HeaderMap; body: string; headOnly: boolean } {
  const head = stream.request?.method === "HEAD";
  const ops = stream.route?.action.kind === "forward" ? stream.route.responseOps : undefined;
  const answer = renderLocalReply(rewrite?.(reply, stream) ?? reply, { grpc, head, finalize: ops && ((headers) => ops(headers, stream)) });
  return { ...answer, headOnly: answer.body === "" || head };
}

/** For whom an answer is, and what their route adds to every answer: before `headers`, as Envoy does it. */
export interface ReplyReader {
  readonly grpc: boolean;
  readonly head: boolean;
  readonly finalize: ((headers: HeaderMap) => void) | undefined;
}

/** Head and body of a local reply, in Envoy's order of headers; gRPC callers get a trailers-only answer. */
export function renderLocalReply(reply: LocalReply, { grpc, head, finalize }: ReplyReader): { status: number; headers: HeaderMap; body: string } {
  const headers = new HeaderMap();
  finalize?.(headers);
  for (const [name, value] of reply.headers ?? []) headers.append(name, value);
  reply.modify?.(headers);
  if (grpc) {
    headers.set("content-type", "application/grpc");
    headers.set("grpc-status", headers.get("grpc-status") || String(reply.grpcStatus ?? httpToGrpcStatus(reply.status)));
    if (reply.body !== "" && !head) headers.set("grpc-message", percentEncode(reply.body));
    return { status: 200, headers, body: "" };
  }
  if (reply.body !== "") {
    headers.set("content-length", String(reply.body.length));
    if (reply.contentType !== undefined) headers.set("content-type", reply.contentType);
    else if (!headers.has("content-type")) headers.append("content-type", "text/plain");
  } else {
    headers.remove("content-length");
    headers.remove("content-type");
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
