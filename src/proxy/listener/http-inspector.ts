import { isKnownMethod } from "../http/head-parser.ts";

export type InspectResult =
  | { readonly kind: "http"; readonly protocol: "http/1.0" | "http/1.1" | "h2c" }
  | { readonly kind: "incomplete" }
  | { readonly kind: "not_http" };

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** Envoy's limit: a request line that is longer is not looked for. */
const MAX_INSPECT = 8192;
/** `UNSUBSCRIBE`, the longest method that is known. */
const MAX_METHOD = 11;

const INCOMPLETE: InspectResult = { kind: "incomplete" };
const NOT_HTTP: InspectResult = { kind: "not_http" };

/** Whether a connection begins as HTTP: the HTTP/2 preface, or a whole HTTP/1 request line. */
export function inspectHttp(bytes: Buffer): InspectResult {
  const head = bytes.toString("latin1", 0, Math.min(bytes.length, MAX_INSPECT));
  if (PREFACE.startsWith(head.slice(0, PREFACE.length))) return head.length >= PREFACE.length ? { kind: "http", protocol: "h2c" } : INCOMPLETE;
  // An empty line before a request is allowed (RFC 9112, 2.2).
  const text = head.replace(/^(?:\r\n)+/, "");
  if (text === "" || text === "\r") return bytes.length >= MAX_INSPECT ? NOT_HTTP : INCOMPLETE;
  const space = text.indexOf(" ");
  const method = space < 0 ? text : text.slice(0, space);
  if (method.length > MAX_METHOD || !/^[A-Z-]+$/.test(method)) return NOT_HTTP;
  if (space < 0) return INCOMPLETE;
  const end = text.indexOf("\n");
  // A method that nobody knows may be one nevertheless, but the wait for its line is not worth it.
  if (end < 0) return bytes.length >= MAX_INSPECT || !isKnownMethod(method) ? NOT_HTTP : INCOMPLETE;
  const version = / HTTP\/1\.([01])\r?$/.exec(text.slice(0, end));
  if (!version) return NOT_HTTP;
  return { kind: "http", protocol: version[1] === "1" ? "http/1.1" : "http/1.0" };
}
