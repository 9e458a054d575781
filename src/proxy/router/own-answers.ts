import type { HttpStream } from "../http/http-stream.ts";
import { hasLocation, ownLocation, type Redirect } from "./rewrite.ts";
import type { DirectAction, Route } from "./route-table.ts";

/** Answers what the route itself says. */
export function answerDirectly(stream: HttpStream, route: Route, { status, body }: DirectAction): void {
  stream.config.stats.rq_direct_response++;
  stream.localReply({
    status,
    body,
    details: "direct_response",
    headers: hasLocation(status) ? [["location", ownLocation(stream.request)]] : [],
    modify: (headers) => route.responseOps?.(headers, stream),
  });
}

/** Sends the client to the place that the route names. */
export function redirect(stream: HttpStream, route: Route, { status, location, rewrite }: Redirect): void {
  stream.config.stats.rq_redirect++;
  const { request } = stream;
  const target = location(request);
  const path = rewrite?.(request.path);
  if (path) {
    // As Envoy: the path changes for whoever logs it.
    if (!stream.config.router.suppressEnvoyHeaders) request.headers.set("x-envoy-original-path", request.path);
    request.path = path;
  }
  stream.localReply({
    status,
    body: "",
    details: "direct_response",
    headers: [["location", target]],
    modify: (headers) => route.responseOps?.(headers, stream),
  });
}
