import { callUpstream, callUpstreams } from "./upstream.ts";
import type { FakeServiceConfig } from "./config.ts";
import { createFaults } from "./faults.ts";
import { formatGoDuration } from "./go-duration.ts";
import type { SampleLog } from "./log.ts";
import { formatTime, renderResponse, type ServiceResponse } from "./response.ts";
import { serviceTime } from "./timing.ts";
import { UI_PAGE } from "./ui.ts";

export interface HandlerDeps {
  log: SampleLog;
  /** Milliseconds since the epoch, with a fraction. */
  now(): number;
  sleep(ms: number): Promise<void>;
  random(): number;
  /** IPv4 addresses of this machine other than loopback. */
  addresses(): string[];
  fetcher?: typeof fetch;
}

/** Answers every request to the service: `/health`, `/ui/`, and on all other paths the report with its upstream calls. */
export function createHandler(config: FakeServiceConfig, deps: HandlerDeps): (request: Request) => Promise<Response> {
  const faults = createFaults(config, deps);
  const body = messageBody(config.message);
  const jsonAnswer = (response: ServiceResponse) =>
    new Response(renderResponse(response), { status: response.code, headers: { "Content-Type": "text/plain; charset=utf-8" } });

  const report = async (request: Request, url: URL): Promise<Response> => {
    const start = deps.now();
    deps.log.info("Handle inbound request", { request: describeRequest(request, url) });
    const base: ServiceResponse = { name: config.name, uri: url.pathname + url.search, type: "HTTP", ip_addresses: deps.addresses(), code: 0 };
    const fault = await faults.next();
    if (fault) {
      deps.log.error("Error handling request", { error: fault.error });
      return jsonAnswer({ ...base, ...fault });
    }
    const calls = await callUpstreams(config.upstreams, config.upstreamWorkers, async (uri) => {
      deps.log.info("Calling upstream service", { uri, type: "HTTP" });
      const response = await callUpstream(uri, request, config, deps.fetcher);
      if (response.error !== undefined) deps.log.error("Error processing upstream request", { error: response.error });
      return response;
    });
    // The time that the upstreams took counts towards the time that this request is to take.
    const rest = serviceTime(config.timing, deps.random) - (deps.now() - start);
    if (rest > 0) await deps.sleep(rest);
    const end = deps.now();
    const failed = calls.some((call) => call.error !== undefined);
    deps.log.info("Finished handling request", { duration: formatGoDuration(end - start) });
    return jsonAnswer({
      ...base,
      start_time: formatTime(start),
      end_time: formatTime(end),
      duration: formatGoDuration(end - start),
      upstream_calls: calls,
      ...(failed ? { code: 500 } : { body, code: 200 }),
    });
  };

  return async (request) => {
    const url = new URL(request.url);
    if (url.pathname === "/health") return new Response("OK", { headers: { "Content-Type": "text/plain; charset=utf-8" } });
    if (url.pathname === "/ui") return new Response(null, { status: 301, headers: { Location: "/ui/" } });
    if (url.pathname === "/ui/") return new Response(UI_PAGE, { headers: { "Content-Type": "text/html; charset=utf-8" } });
    return report(request, url);
  };
}

/** A message that is a JSON object or array is embedded as such. */
function messageBody(message: string): unknown {
  if (!/^\s*[[{]/.test(message)) return message;
  try {
    return JSON.parse(message);
  } catch {
    return message;
  }
}

function describeRequest(request: Request, url: URL): string {
  const lines = [`${request.method} ${url.pathname}${url.search} HTTP/1.1`, `Host: ${request.headers.get("host") ?? url.host}`];
  request.headers.forEach((value, name) => {
    // Credentials stay out of the log.
    if (name !== "host") lines.push(`${name}: ${name === "authorization" || name === "cookie" ? "[hidden]" : value}`);
  });
  return lines.join("\n");
}
