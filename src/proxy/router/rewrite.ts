import type { RedirectAction, RouteAction } from "../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import { RedirectAction_RedirectResponseCode } from "../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import type { RequestHead } from "../http/header-map.ts";
import { compileSubstitute, type TextRewrite } from "../match/regex.ts";
import type { RegexMatchAndSubstitute } from "../../proto/gen/envoy/type/matcher/v3/regex_pb.ts";
import { InvalidResource } from "../types.ts";
import { pathWithoutQuery, type PathMatcher } from "./route-match.ts";

/** How a forwarded path changes, query kept; undefined when it does not. Nothing as the result: it stays as it is. */
export function compilePathRewrite(action: RouteAction, path: PathMatcher): TextRewrite | undefined {
  if (action.pathRewritePolicy)
    throw new InvalidResource("UNSUPPORTED_REWRITE", `Didn't find a registered implementation for name: '${action.pathRewritePolicy.name}'`);
  if (action.prefixRewrite !== "") return prefixRewrite(action.prefixRewrite, path);
  return action.regexRewrite && regexRewrite(action.regexRewrite);
}

/** Of the path without its query; nothing where nothing would be left of it. */
function regexRewrite(config: RegexMatchAndSubstitute): TextRewrite {
  const substitute = compileSubstitute(config);
  return (full) => {
    const bare = pathWithoutQuery(full);
    const path = substitute(bare);
    return path === "" ? "" : path + full.slice(bare.length);
  };
}

/** Replaces the matched part: a prefix, a whole exact path, or all of a regex match. */
function prefixRewrite(replacement: string, path: PathMatcher): TextRewrite {
  if (path.kind === "prefix" || path.kind === "separated") {
    const { length } = path.value;
    return (full) => replacement + full.slice(length);
  }
  return (full) => replacement + full.slice(pathWithoutQuery(full).length);
}

const CODES: Record<RedirectAction_RedirectResponseCode, number> = {
  [RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY]: 301,
  [RedirectAction_RedirectResponseCode.FOUND]: 302,
  [RedirectAction_RedirectResponseCode.SEE_OTHER]: 303,
  [RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT]: 307,
  [RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT]: 308,
};

export interface Redirect {
  readonly status: number;
  readonly location: (request: RequestHead) => string;
  /** What becomes of the request's own path, where a part of it is replaced. */
  readonly rewrite: TextRewrite | undefined;
}

/** Whether a direct response with this status says where its resource is (RFC 9110, 10.2.2; as Envoy). */
export function hasLocation(status: number): boolean {
  return status === 201 || (status >= 300 && status < 400);
}

/** Where the request itself went. */
export function ownLocation(request: RequestHead): string {
  return `${request.scheme}://${request.authority}${request.path}`;
}

export function compileRedirect(action: RedirectAction, path: PathMatcher): Redirect {
  const schemeRewrite = action.schemeRewriteSpecifier;
  const wantedScheme = schemeRewrite.case === "httpsRedirect" ? (schemeRewrite.value ? "https" : undefined) : schemeRewrite.value;
  const specifier = action.pathRewriteSpecifier;
  const rewrite: TextRewrite | undefined =
    specifier.case === "pathRedirect"
      ? (full) => (specifier.value.includes("?") ? specifier.value : specifier.value + full.slice(pathWithoutQuery(full).length))
      : specifier.case === "prefixRewrite"
        ? prefixRewrite(specifier.value, path)
        : specifier.case === "regexRewrite"
          ? regexRewrite(specifier.value)
          : undefined;
  // A query that the configuration brings stays.
  const stripsQuery = action.stripQuery && !(specifier.case === "pathRedirect" && specifier.value.includes("?"));
  return {
    status: CODES[action.responseCode],
    rewrite: specifier.case === "pathRedirect" ? undefined : rewrite,
    location(request) {
      const current = request.scheme;
      const scheme = wantedScheme ?? current;
      let { authority: host } = request;
      if (action.hostRedirect !== "") host = action.hostRedirect;
      else if (scheme !== current || action.portRedirect !== 0) host = withoutDefaultPort(host, current, action.portRedirect !== 0);
      const port = action.portRedirect === 0 ? "" : `:${action.portRedirect}`;
      let target = rewrite?.(request.path) || request.path;
      if (stripsQuery) target = pathWithoutQuery(target);
      return `${scheme}://${host}${port}${target}`;
    },
  };
}

/** A redirect to another scheme drops the port that was the old scheme's default; a redirect to a port drops any. */
function withoutDefaultPort(host: string, scheme: string, any: boolean): string {
  const match = /^(.*):(\d+)$/.exec(host);
  if (!match) return host;
  const isDefault = match[2] === (scheme === "https" ? "443" : "80");
  return any || isDefault ? (match[1] as string) : host;
}
