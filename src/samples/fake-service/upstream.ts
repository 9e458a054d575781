import { errorText } from "../../base/errors.ts";
import type { FakeServiceConfig } from "./config.ts";
import { parseResponse, type ServiceResponse } from "./response.ts";

/** Belong to one connection, or are set by the client itself: never copied from the incoming request. */
const NOT_COPIED = new Set([
  "host",
  "connection",
  "keep-alive",
  "proxy-connection",
  "content-length",
  "content-type",
  "transfer-encoding",
  "te",
  "trailer",
  "upgrade",
  "expect",
]);

/** The largest report that is read from an upstream: a chain of a thousand services stays far below. */
const MAX_BODY_BYTES = 4 << 20;

/**
 * GETs one upstream with the incoming headers and path. Never throws: a failure is a report with `error`; code -1
 * when no answer came.
 */
export async function callUpstream(uri: string, incoming: Request, config: FakeServiceConfig, fetcher: typeof fetch = fetch): Promise<ServiceResponse> {
  const url = config.appendRequest ? uri.replace(/\/+$/, "") + new URL(incoming.url).pathname : uri;
  const headers = new Headers();
  incoming.headers.forEach((value, name) => {
    if (!NOT_COPIED.has(name)) headers.set(name, value);
  });
  if (!headers.has("user-agent")) headers.set("user-agent", "fake-service");
  // `keepalive: false` alone closes the connection afterwards without telling the other side beforehand.
  if (!config.keepAlive) headers.set("connection", "close");
  let answer: Response;
  let body: string;
  try {
    answer = await fetcher(url, {
      headers,
      keepalive: config.keepAlive,
      signal: config.requestTimeoutMs > 0 ? AbortSignal.timeout(config.requestTimeoutMs) : null,
    });
    body = await readLimited(answer);
  } catch (error) {
    return { uri, code: -1, error: `Error communicating with upstream service: Get "${url}": ${reason(error, url)}` };
  }
  const report = parseResponse(body) ?? { code: 0 };
  return {
    ...report,
    uri,
    code: answer.status,
    ...(answer.status === 200 ? {} : { error: `Error processing upstream request: ${url}` }),
  };
}

/** Calls all, `workers` at a time; answers in the order in which they came, as the workers append them. */
export async function callUpstreams(uris: string[], workers: number, call: (uri: string) => Promise<ServiceResponse>): Promise<ServiceResponse[]> {
  const queue = [...uris];
  const done: ServiceResponse[] = [];
  let failed = false;
  const worker = async () => {
    for (let uri = queue.shift(); uri !== undefined && !failed; uri = queue.shift()) {
      const response = await call(uri);
      done.push(response);
      // The first failure ends the request: what was not begun is not called.
      if (response.error !== undefined) failed = true;
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, uris.length) }, worker));
  return done;
}

async function readLimited(answer: Response): Promise<string> {
  if (!answer.body) return "";
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of answer.body) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new Error(`answer larger than ${MAX_BODY_BYTES} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** Go's words for the commonest failures, since people search for them. */
function reason(error: unknown, url: string): string {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  if (!URL.canParse(url)) return `unsupported URI ${JSON.stringify(url)}: it must begin with http:// or https://`;
  const { hostname, port, protocol } = new URL(url);
  const address = `${hostname}:${port || (protocol === "https:" ? "443" : "80")}`;
  if (code === "ConnectionRefused" || code === "ECONNREFUSED") return `dial tcp ${address}: connect: connection refused`;
  if (code === "ENOTFOUND" || code === "DNSResolutionFailed" || code === "EAI_AGAIN") return `dial tcp: lookup ${hostname}: no such host`;
  if (code === "ECONNRESET" || code === "ConnectionClosed") return "EOF";
  if (error instanceof DOMException && error.name === "TimeoutError") return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
  return errorText(error);
}
