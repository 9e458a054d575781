/** Addresses as Go's net/url takes them. */
import { quoted } from "./findings.ts";

export interface GoUrl {
  readonly scheme: string;
  readonly host: string;
  readonly problem?: string;
}

/** `url.Parse`: also takes references such as `a/b`. */
export function goUrl(text: string): GoUrl {
  return parse(text.split("#", 1)[0] ?? "", text, false);
}

/** `url.ParseRequestURI`: an absolute address or a path. */
export function requestUrl(text: string): GoUrl {
  return parse(text, text, true);
}

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f]/;
const BAD_ESCAPE = /%(?![0-9a-fA-F]{2}).{0,2}/;

function parse(text: string, whole: string, request: boolean): GoUrl {
  const failed = (reason: string): GoUrl => ({ scheme: "", host: "", problem: `parse ${quoted(whole)}: ${reason}` });
  if (CONTROL.test(text)) return failed("net/url: invalid control character in URL");
  if (text === "" && request) return failed("empty url");
  if (text === "*") return { scheme: "", host: "" };
  if (text.startsWith(":")) return failed("missing protocol scheme");
  const [matched = "", name = ""] = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text) ?? [];
  const scheme = name.toLowerCase();
  const rest = text.slice(matched.length).split("?", 1)[0] ?? "";
  if (!rest.startsWith("/")) {
    if (scheme !== "") return { scheme, host: "" };
    if (request) return failed("invalid URI for request");
    if (rest.split("/", 1)[0]?.includes(":")) return failed("first path segment in URL cannot contain colon");
  }
  const authority = (scheme !== "" || !request) && rest.startsWith("//") && !rest.startsWith("///") ? (rest.slice(2).split("/", 1)[0] ?? "") : "";
  const at = authority.lastIndexOf("@");
  if (at >= 0 && !/^[-A-Za-z0-9._:~!$&'()*+,;=%@]*$/.test(authority.slice(0, at))) return failed("net/url: invalid userinfo");
  const host = authority.slice(at + 1);
  const hostProblem = hostReason(host);
  if (hostProblem !== undefined) return failed(hostProblem);
  const [escape] = BAD_ESCAPE.exec(authority === "" ? rest : rest.slice(2 + authority.length)) ?? [];
  return escape === undefined ? { scheme, host } : failed(`invalid URL escape ${quoted(escape)}`);
}

function hostReason(host: string): string | undefined {
  if (host.startsWith("[")) return host.includes("]") ? undefined : "missing ']' in host";
  const [escape] = BAD_ESCAPE.exec(host) ?? [];
  if (escape !== undefined) return `invalid URL escape ${quoted(escape)}`;
  const [bad] = /[ "<>\\^`{|}]/.exec(host) ?? [];
  if (bad !== undefined) return `invalid character ${quoted(bad)} in host name`;
  const colon = host.indexOf(":");
  return colon >= 0 && !/^\d*$/.test(host.slice(colon + 1)) ? `invalid port ${quoted(host.slice(colon))} after host` : undefined;
}
