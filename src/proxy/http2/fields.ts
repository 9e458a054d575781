import type { HeaderMap, RequestHead } from "../http/header-map.ts";

/**
 * Reads a request's fields (RFC 9113, 8.2 and 8.3): pseudo-headers out, cookie crumbs joined. Undefined for a malformed
 * request: what one server takes and the next one refuses is how requests are smuggled from HTTP/2 to HTTP/1.
 */
export function readRequestFields(fields: HeaderMap, extendedConnect = false): RequestHead | undefined {
  const { names, values } = fields;
  let method: string | undefined;
  let path: string | undefined;
  let authority: string | undefined;
  let scheme: string | undefined;
  let protocol: string | undefined;
  let at = 0;
  for (; at < names.length && (names[at] as string).charCodeAt(0) === COLON; at++) {
    const value = values[at] as string;
    switch (names[at]) {
      case ":method":
        if (method !== undefined) return undefined;
        method = value;
        break;
      case ":path":
        if (path !== undefined) return undefined;
        path = value;
        break;
      case ":authority":
        if (authority !== undefined) return undefined;
        authority = value;
        break;
      case ":scheme":
        if (scheme !== undefined) return undefined;
        scheme = value;
        break;
      case ":protocol":
        if (protocol !== undefined || !extendedConnect || !TOKEN.test(value)) return undefined;
        protocol = value;
        break;
      default:
        return undefined;
    }
  }
  names.splice(0, at);
  values.splice(0, at);
  if (!validFields(fields) || method === undefined || !TOKEN.test(method)) return undefined;
  const host = fields.getJoined("host");
  // RFC 9113, 8.3.1: where both are there they must say the same; a second Host never does.
  if (host !== undefined && authority !== undefined && authority !== host) return undefined;
  fields.remove("host");
  authority ??= host;
  if (authority !== undefined && !AUTHORITY.test(authority)) return undefined;
  if (protocol !== undefined) return method === "CONNECT" && authority !== undefined ? extended(fields, { protocol, path, authority, scheme }) : undefined;
  if (method === "CONNECT") {
    if (path !== undefined || scheme !== undefined || authority === undefined) return undefined;
    return { method, path: "", authority, scheme: "", protocol: "HTTP/2", headers: fields, upgrade: "connect" };
  }
  if (path === undefined || scheme === undefined || !SCHEME.test(scheme) || !TARGET.test(path)) return undefined;
  joinCookies(fields);
  return { method, path, authority: authority ?? "", scheme: scheme.toLowerCase(), protocol: "HTTP/2", headers: fields, upgrade: undefined };
}

/** RFC 8441: a CONNECT with a protocol, as Envoy turns it into HTTP/1's Upgrade. */
function extended(
  headers: HeaderMap,
  asked: { protocol: string; path: string | undefined; authority: string; scheme: string | undefined },
): RequestHead | undefined {
  const { protocol, path, authority, scheme } = asked;
  if (path === undefined || scheme === undefined || !SCHEME.test(scheme) || !TARGET.test(path)) return undefined;
  joinCookies(headers);
  headers.append("connection", "upgrade");
  headers.append("upgrade", protocol);
  return { method: "GET", path, authority, scheme: scheme.toLowerCase(), protocol: "HTTP/2", headers, upgrade: protocol.toLowerCase() };
}

/** Takes `:status` out of a response's fields; undefined when they are malformed. */
export function readStatus(fields: HeaderMap): number | undefined {
  const { names, values } = fields;
  if (names[0] !== ":status" || !/^[1-5]\d\d$/.test(values[0] as string)) return undefined;
  const status = Number(values[0]);
  names.shift();
  values.shift();
  return validFields(fields) ? status : undefined;
}

/**
 * Whether trailers may pass: no pseudo-fields, and the same names and values as in heads (RFC 9113, 8.1). Towards an
 * HTTP/1 peer a line break in one would begin another message.
 */
export function validTrailers(fields: HeaderMap): boolean {
  // RFC 9110, 6.5.1: what frames a message or names its host cannot come after it.
  return validFields(fields) && !fields.has("content-length") && !fields.has("host");
}

/** The declared length of a body, -1 without one; undefined when it is no number or said twice differently. */
export function contentLength(fields: HeaderMap): number | undefined {
  const all = fields.getJoined("content-length");
  if (all === undefined) return -1;
  return /^\d{1,15}$/.test(all) ? Number(all) : undefined;
}

const COLON = 0x3a;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What a host, a port and user information are written with (RFC 3986, 3.2); the rest is for registered names. */
const AUTHORITY = /^[\x21-\x7e\x80-\xff]*$/;
/** Lower-case tokens only: RFC 9113, 8.2.1. A pseudo-field is none. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const SCHEME = /^[a-z][a-z0-9+.-]*$/i;
const TARGET = /^(?:\/[\x21-\x7e]*|\*)$/;
// oxlint-disable-next-line no-control-regex -- these are the bytes that must not be there
const BAD_VALUE = /[\0-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$/;
const CONNECTION_FIELDS = new Set(["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"]);

function validFields({ names, values }: HeaderMap): boolean {
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    const value = values[i] as string;
    if (!NAME.test(name) || CONNECTION_FIELDS.has(name) || BAD_VALUE.test(value) || (name === "te" && value !== "trailers")) return false;
  }
  return true;
}

/** RFC 9113, 8.2.3: HTTP/1 knows one cookie line. */
function joinCookies(fields: HeaderMap): void {
  const first = fields.names.indexOf("cookie");
  if (first < 0 || !fields.names.includes("cookie", first + 1)) return;
  const crumbs = fields.values.filter((_, index) => fields.names[index] === "cookie");
  fields.set("cookie", crumbs.join("; "));
}
