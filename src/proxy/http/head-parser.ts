import { HeaderMap } from "./header-map.ts";
import { MessageError } from "./message-error.ts";

/** How the body of a message is delimited (RFC 9112, 6.3). */
export const UNTIL_CLOSE = -1;
export const CHUNKED = -2;

/** What a head says beside its header lines. */
export interface MessageHead {
  headers: HeaderMap;
  /** Length of the body in bytes, CHUNKED, or UNTIL_CLOSE (responses without either). */
  bodyLength: number;
  /** The peer wants the connection to end with this message (Connection: close, or HTTP/1.0 without keep-alive). */
  close: boolean;
  minorVersion: 0 | 1;
  /** Connection named `upgrade` and Upgrade is there: its value. */
  upgrade: string | undefined;
  /** Bytes of the head, for metrics and logs. */
  size: number;
}

export interface ParsedRequest extends MessageHead {
  method: string;
  target: string;
  /** The Host header, taken out of the headers; undefined when missing. */
  host: string | undefined;
}

export interface ParsedResponse extends MessageHead {
  status: number;
}

export interface HeadLimits {
  readonly maxBytes: number;
  readonly maxHeaders: number;
  /** Notes how header names are written. */
  readonly keepCase?: boolean;
  /** What becomes of a request with an underscore in a header's name: some servers take it for a dash. Allowed without. */
  readonly underscores?: "allow" | "drop" | "refuse";
}

/** Envoy's defaults: max_request_headers_kb 60, max_headers_count 100. */
export const DEFAULT_LIMITS: HeadLimits = { maxBytes: 60 * 1024, maxHeaders: 100 };

/**
 * Where the head that begins at `start` ends (the offset after the empty line), or -1 while it is incomplete. Lines end
 * with CRLF; a bare LF ends a line too (RFC 9112, 2.2, and so do Envoy and llhttp's lenient readers), but then the parse
 * below decides: it takes CRLF only.
 */
export function findHeadEnd(bytes: Buffer, start: number): number {
  const at = bytes.indexOf("\r\n\r\n", start, "latin1");
  return at < 0 ? -1 : at + 4;
}

/**
 * Reads a request's head, `bytes[start, end)` with its final empty line. Throws MessageError for whatever llhttp's
 * strict mode and RFC 9112 refuse: two readers that disagree on where a request ends are a smuggling hole.
 */
export function parseRequestHead(bytes: Buffer, start: number, end: number, limits: HeadLimits): ParsedRequest {
  const text = bytes.toString("latin1", start, end);
  const lineEnd = text.indexOf("\r\n");
  const methodEnd = text.indexOf(" ");
  const targetEnd = text.indexOf(" ", methodEnd + 1);
  const method = text.slice(0, methodEnd);
  if (methodEnd <= 0 || methodEnd > lineEnd || !METHODS.has(method)) throw MessageError.malformed("unknown method");
  if (targetEnd < 0 || targetEnd > lineEnd) throw otherVersion(bytes, start, end);
  if (targetEnd === methodEnd + 1) throw MessageError.malformed("the request line has not three parts");
  const target = text.slice(methodEnd + 1, targetEnd);
  for (let i = methodEnd + 1; i < targetEnd; i++) {
    const byte = bytes[start + i] as number;
    if (byte < 0x20 || byte === 0x7f) throw MessageError.invalidCharacters("the request target");
    if (byte === 0x20 || byte >= 0x7f) throw MessageError.malformed("the request target has bytes outside printable ASCII");
  }
  const version = readVersion(text, targetEnd + 1, lineEnd);
  if (version === undefined) throw otherVersion(bytes, start, end);
  const head = parseFields(bytes, text, start, lineEnd + 2, version, limits) as ParsedRequest;
  if (head.bodyLength === UNTIL_CLOSE) head.bodyLength = 0;
  head.method = method;
  head.target = target;
  head.host = takeHost(head.headers);
  return head;
}

/** Reads a response's head. `requestMethod` decides whether a body follows (RFC 9112, 6.3). Throws MessageError. */
export function parseResponseHead(bytes: Buffer, start: number, end: number, requestMethod: string, limits: HeadLimits): ParsedResponse {
  const text = bytes.toString("latin1", start, end);
  const lineEnd = text.indexOf("\r\n");
  const minor = readVersion(text, 0, 8);
  if (minor === undefined) throw MessageError.malformed("not HTTP/1.0 or HTTP/1.1");
  const status = (digit(text, 9) * 10 + digit(text, 10)) * 10 + digit(text, 11);
  const after = text.charCodeAt(12);
  if (text.charCodeAt(8) !== 0x20 || status < 100 || (lineEnd !== 12 && after !== 0x20)) throw MessageError.malformed("the status line is not one");
  for (let i = 12; i < lineEnd; i++) {
    if (VALUE[bytes[start + i] as number] === 0) throw MessageError.malformed("the reason phrase has control characters");
  }
  const head = parseFields(bytes, text, start, lineEnd + 2, minor, limits) as ParsedResponse;
  head.status = status;
  if (requestMethod === "HEAD" || status < 200 || status === 204 || status === 304) head.bodyLength = 0;
  else if (requestMethod === "CONNECT" && status < 300) head.bodyLength = UNTIL_CLOSE;
  return head;
}

/** Reads trailer lines `bytes[start, end)`, the final empty line included. */
export function parseTrailers(bytes: Buffer, start: number, end: number, limits: HeadLimits): HeaderMap {
  const headers = new HeaderMap();
  if (end - start > 2) readLines(bytes, bytes.toString("latin1", start, end), start, 0, headers, limits);
  // RFC 9110, 6.5.1: what frames a message cannot come after it.
  if (headers.has("content-length") || headers.has("transfer-encoding")) throw MessageError.malformed("a trailer that frames a message");
  return headers;
}

function parseFields(bytes: Buffer, text: string, start: number, from: number, minorVersion: 0 | 1, limits: HeadLimits): MessageHead {
  const headers = new HeaderMap();
  if (limits.keepCase) headers.cases = new Map();
  readLines(bytes, text, start, from, headers, limits);
  const { names, values } = headers;
  let contentLength = -1;
  let transferEncoding: string | undefined;
  let connection: string | undefined;
  let proxyConnection: string | undefined;
  let upgradeTo: string | undefined;
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    switch (name.length) {
      case 7:
        if (name === "upgrade") upgradeTo = values[i];
        break;
      case 10:
        if (name === "connection") connection = connection === undefined ? values[i] : `${connection},${values[i]}`;
        break;
      case 16:
        if (name === "proxy-connection") proxyConnection = values[i];
        break;
      case 14:
        if (name === "content-length") {
          const length = readLength(values[i] as string);
          // RFC 9112, 6.3: repeated with another value is an attack; the same again is refused too, as llhttp does.
          if (contentLength >= 0) throw MessageError.malformed("Content-Length twice");
          contentLength = length;
        }
        break;
      case 17:
        if (name === "transfer-encoding") transferEncoding = transferEncoding === undefined ? values[i] : `${transferEncoding},${values[i]}`;
        break;
    }
  }
  let bodyLength = contentLength >= 0 ? contentLength : UNTIL_CLOSE;
  if (transferEncoding !== undefined) {
    if (contentLength >= 0) throw MessageError.bothFramings();
    if (transferEncoding.toLowerCase() !== "chunked") throw MessageError.badTransferEncoding(transferEncoding);
    if (minorVersion === 0) throw MessageError.malformed("chunked in HTTP/1.0");
    bodyLength = CHUNKED;
  }
  let close = minorVersion === 0 || proxyConnection?.toLowerCase() === "close";
  let upgrade: string | undefined;
  if (connection !== undefined) {
    const tokens = connection.toLowerCase().split(",");
    for (const token of tokens) {
      const option = token.trim();
      if (option === "close") close = true;
      else if (option === "keep-alive") close = false;
      else if (option === "upgrade") upgrade = upgradeTo;
      else if (option === "host") headers.remove("host");
      else if (ORIGIN.has(option) || option.startsWith(":")) throw MessageError.connectionHeader();
    }
    if (tokens.length >= MAX_CONNECTION_OPTIONS) throw MessageError.connectionHeader();
    if (close === false && tokens.some((t) => t.trim() === "close")) close = true;
  }
  return { headers, bodyLength, close, minorVersion, upgrade, size: text.length };
}

/** As in Envoy: their removal would hide where a request comes from. */
const ORIGIN = new Set(["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]);
/** As in Envoy: more is no client's need. */
const MAX_CONNECTION_OPTIONS = 10;

function readLines(bytes: Buffer, text: string, start: number, from: number, headers: HeaderMap, limits: HeadLimits): void {
  const { names, values } = headers;
  const last = text.length - 2;
  let at = from;
  while (at < last) {
    const nameStart = at;
    let classes = 0;
    for (;;) {
      const kind = TOKEN[bytes[start + at] as number] as number;
      if (kind === 0) break;
      classes |= kind;
      at++;
    }
    if (at === nameStart || bytes[start + at] !== 0x3a) throw MessageError.malformed("a header line is not `name: value`");
    let name = text.slice(nameStart, at);
    if (classes & UPPER) {
      const written = name;
      name = name.toLowerCase();
      headers.cases?.set(name, written);
    }
    at++;
    while (bytes[start + at] === 0x20 || bytes[start + at] === 0x09) at++;
    const valueStart = at;
    while (VALUE[bytes[start + at] as number] === 1) at++;
    if (bytes[start + at] !== 0x0d || bytes[start + at + 1] !== 0x0a) throw MessageError.invalidCharacters(name);
    let valueEnd = at;
    while (valueEnd > valueStart && (bytes[start + valueEnd - 1] === 0x20 || bytes[start + valueEnd - 1] === 0x09)) {
      valueEnd--;
      // A length that llhttp does not take for one.
      if (bytes[start + valueEnd] === 0x09 && name === "content-length") throw MessageError.malformed("Content-Length is not a number");
    }
    at += 2;
    if (limits.underscores !== undefined && limits.underscores !== "allow" && name.includes("_")) {
      if (limits.underscores === "refuse") throw MessageError.underscore();
      continue;
    }
    if (names.length === limits.maxHeaders) throw MessageError.tooManyHeaders();
    names.push(name);
    values.push(text.slice(valueStart, valueEnd));
  }
}

/** Undefined for another version of HTTP. */
function readVersion(text: string, from: number, to: number): 0 | 1 | undefined {
  if (to - from === 8 && text.startsWith("HTTP/1.", from)) {
    const minor = text.charCodeAt(from + 7);
    if (minor === 0x31) return 1;
    if (minor === 0x30) return 0;
  }
  if (to - from === 8 && /^HTTP\/\d\.\d$/.test(text.slice(from, to))) return undefined;
  throw MessageError.malformed("not HTTP/1.0 or HTTP/1.1");
}

/** HTTP/0.9, which names no version, and all that are not 1.0 or 1.1; unless the lines are none of HTTP's at all. */
function otherVersion(bytes: Buffer, start: number, end: number): MessageError {
  for (let at = start; at < end; at++) if (bytes[at] === 0x0a && bytes[at - 1] !== 0x0d) return MessageError.malformed("a line ends with a bare LF");
  return MessageError.lowVersion();
}

function readLength(value: string): number {
  // 2^53 has 16 digits; a longer number could not be counted exactly.
  if (value.length === 0 || value.length > 15) throw MessageError.malformed("Content-Length is not a number");
  let length = 0;
  for (let i = 0; i < value.length; i++) length = length * 10 + digit(value, i);
  return length;
}

function digit(text: string, at: number): number {
  const value = text.charCodeAt(at) - 0x30;
  if (!(value >= 0 && value <= 9)) throw MessageError.malformed("a digit was expected");
  return value;
}

function takeHost(headers: HeaderMap): string | undefined {
  const at = headers.names.indexOf("host");
  if (at < 0) return undefined;
  const host = headers.values[at];
  headers.names.splice(at, 1);
  headers.values.splice(at, 1);
  // RFC 9112, 3.2: more than one Host line is a bad request.
  if (headers.names.includes("host")) throw MessageError.malformed("Host twice");
  return host;
}

/** The methods that Envoy's parser knows; it refuses others. */
const METHODS = new Set(
  (
    "GET POST PUT DELETE HEAD OPTIONS PATCH CONNECT TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND " +
    "UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PURGE MKCALENDAR LINK UNLINK"
  ).split(" "),
);

/** Whether bytes whose end has not come can still become a request: nobody need wait for the rest of what cannot. */
export function mayBeRequest(bytes: Buffer, start: number): boolean {
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === 0x20) return at > start;
    if (TOKEN[byte] === 0) return byte === 0x0d && at === start && bytes.length === start + 1;
  }
  return true;
}

export function isKnownMethod(method: string): boolean {
  return METHODS.has(method);
}

/** For each byte: 0 if no token character (RFC 9110, 5.6.2), UPPER for capitals, 1 for the rest. */
const UPPER = 2;
const TOKEN = new Uint8Array(256);
for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") TOKEN[char.charCodeAt(0)] = 1;
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZ") TOKEN[char.charCodeAt(0)] = UPPER;

/** For each byte: 1 if it may stand in a field value (visible, space, tab, obs-text). */
const VALUE = new Uint8Array(256).fill(1);
for (let byte = 0; byte < 0x20; byte++) VALUE[byte] = 0;
VALUE[0x09] = 1;
VALUE[0x7f] = 0;
