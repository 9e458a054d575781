import { type ApiResponse, JSON_TYPE, YAML_TYPE } from "./exchange.ts";
import type { Negotiated } from "./negotiate.ts";
import type { StatusError } from "./status.ts";

/** An answer from a JSON text, in the encoding that the client wants. */
export async function respondJson(
  status: number,
  json: string,
  negotiated: Pick<Negotiated, "type" | "pretty">,
  warnings: readonly string[] = [],
): Promise<ApiResponse> {
  const headers: Record<string, string | string[]> = { "content-type": negotiated.type };
  if (warnings.length > 0) headers.warning = warningHeaders(warnings);
  if (negotiated.type === YAML_TYPE) {
    const { dump } = await import("js-yaml");
    return { status, headers, body: dump(JSON.parse(json), { lineWidth: -1, sortKeys: true }) };
  }
  return { status, headers, body: `${negotiated.pretty ? JSON.stringify(JSON.parse(json), null, 2) : json}\n` };
}

export function respondStatus(error: StatusError, pretty = false): ApiResponse {
  const { status } = error;
  return {
    status: status.code ?? 500,
    headers: {
      "content-type": JSON_TYPE,
      ...(error.warnings.length > 0 ? { warning: warningHeaders(error.warnings) } : {}),
      ...(status.details?.retryAfterSeconds ? { "retry-after": String(status.details.retryAfterSeconds) } : {}),
    },
    body: `${JSON.stringify(status, null, pretty ? 2 : 0)}\n`,
  };
}

export function respondText(status: number, body: string, type = "text/plain; charset=utf-8"): ApiResponse {
  return { status, headers: { "content-type": type, "x-content-type-options": "nosniff" }, body };
}

export function pageNotFound(): ApiResponse {
  return respondText(404, "404 page not found\n");
}

/** Where all warnings together are longer than that, each is cut and the rest left out, as the real server does: headers have limits everywhere. */
const MAX_WARNINGS_LENGTH = 4096;
const CUT_WARNING_LENGTH = 256;

/** The values of Warning headers. */
export function warningHeaders(warnings: readonly string[]): string[] {
  // Headers are bytes: what is no printable ASCII is left out.
  const texts = [...new Set(warnings)].map((warning) => warning.replaceAll(/[^\x20-\x7e]/g, "?"));
  const isTooLong = texts.reduce((sum, { length }) => sum + length, 0) > MAX_WARNINGS_LENGTH;
  const headers: string[] = [];
  let total = 0;
  for (const text of texts) {
    if (total >= MAX_WARNINGS_LENGTH) break;
    const shown = isTooLong ? text.slice(0, CUT_WARNING_LENGTH) : text;
    total += shown.length;
    headers.push(`299 - ${JSON.stringify(shown)}`);
  }
  return headers;
}
