import type { Handler } from "../../serve.ts";
import { CHECK_HEADER, DENIED_BODY, OVERRIDE_HEADER, RECEIVED_HEADER, RESULT_HEADER, decide, described } from "./decision.ts";

/** The check as plain HTTP: 200 lets the request pass, 403 does not, and either's headers may go along. */
export function createHttpCheck(print: (line: string) => void): Handler {
  return async (request) => {
    const url = new URL(request.url);
    const allowed = decide(request.headers.get(CHECK_HEADER) ?? "", undefined, "");
    const result = allowed ? "allowed" : "denied";
    const text = `${request.method} ${url.host}${url.pathname}${url.search}, headers: ${JSON.stringify(Object.fromEntries(request.headers))}, body: [${await request.text()}]`;
    print(`[HTTP][${result}]: ${text}`);
    const headers = { [RESULT_HEADER]: result, [OVERRIDE_HEADER]: request.headers.get(OVERRIDE_HEADER) ?? "", [RECEIVED_HEADER]: described(text) };
    return new Response(allowed ? undefined : DENIED_BODY, { status: allowed ? 200 : 403, headers });
  };
}
