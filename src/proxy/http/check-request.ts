import type { HcmConfig } from "./hcm-config.ts";
import type { RequestHead } from "./header-map.ts";
import type { LocalReply } from "./local-reply.ts";
import { isGrpc } from "../router/route-match.ts";
import { normalizeRequestPath } from "./request-mutation.ts";

/** Why a request cannot be served, whatever its route would be; its path is normalized on the way. */
export function checkRequest(request: RequestHead, config: HcmConfig): { readonly reply: LocalReply; readonly close: boolean } | undefined {
  const { stats } = config;
  if (request.authority === "" && request.protocol === "HTTP/1.0") request.authority = config.defaultHostForHttp10;
  if (request.authority === "") return { reply: { status: 400, body: "", details: "missing_host_header" }, close: true };
  if (request.method === "CONNECT") return undefined;
  if (!request.path.startsWith("/")) {
    stats.downstream_rq_non_relative_path++;
    return { reply: { status: 404, body: "", details: "absolute_path_rejected" }, close: false };
  }
  // RFC 9110, 7.1: no target has a fragment, and whoever matched it differently could be led astray.
  const problem = request.path.includes("#") ? ({ kind: "refuse" } as const) : normalizeRequestPath(request, config);
  // Nobody who speaks gRPC follows a redirect.
  switch (problem?.kind === "redirect" && isGrpc(request) ? "refuse" : problem?.kind) {
    case "refuse":
      stats.downstream_rq_failed_path_normalization++;
      return { reply: { status: 400, body: "", details: "path_normalization_failed" }, close: true };
    case "redirect":
      stats.downstream_rq_redirected_with_normalized_path++;
      return {
        reply: { status: 307, body: "", details: "path_normalization_failed", headers: [["location", (problem as { readonly location: string }).location]] },
        close: false,
      };
  }
  return undefined;
}
