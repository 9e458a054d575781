import type {
  CorsPolicy,
  Headers,
  HttpFaultInjection,
  HttpMatchRequest,
  HttpRedirect,
  HttpRetry,
  HttpRewrite,
  HttpRoute,
  Percent,
  StringMatch,
} from "../istio.ts";
import { Findings, quoted, sortedEntries } from "./findings.ts";
import {
  changeableHeader,
  duration,
  durationNanos,
  headerName,
  headerNameOrClaim,
  headerValue,
  isAuthorityHeader,
  isDnsLabel,
  labels,
  port,
  settableHeader,
} from "./names.ts";
import { re2Problem } from "./re2.ts";
import { destination, gatewayNames } from "./shared.ts";

/** A route with `delegate` is a root; one of a VirtualService without hosts is what roots delegate to. */
export function validateHttpRoute(route: HttpRoute, isDelegate: boolean): Findings {
  const findings = new Findings().add(conflicts(route, isDelegate));
  for (const match of route.match ?? []) findings.add(matchRequest(match));
  for (const match of route.match ?? []) findings.addErrors(matchPlace(match));
  findings.add(headerOperations(route.headers), corsPolicy(route.corsPolicy), faultInjection(route.fault));
  const mirrorPercent = route.mirrorPercent ?? route.mirror_percent;
  if (mirrorPercent !== undefined && mirrorPercent !== null) {
    if (mirrorPercent > 100) findings.error(`mirror_percent must have a max value of 100 (it has ${mirrorPercent})`);
    findings.warn('using deprecated setting "mirrorPercent", use "mirrorPercentage" instead');
  }
  findings.error(mirrorPercentage("mirror_percentage", route.mirrorPercentage));
  findings.add(destination(route.mirror));
  for (const mirror of route.mirrors ?? []) {
    if (!mirror.destination) findings.error("destination is required for mirrors");
    else findings.add(destination(mirror.destination)).error(mirrorPercentage("mirror percentage", mirror.percentage));
  }
  findings.error(redirect(route.redirect)).add(directResponse(route.directResponse), retry(route.retries));
  findings.error(rewrite(route.rewrite), authorityRewrite(route.rewrite, route.headers));
  return findings.add(weighted(route.route ?? [], true)).error(duration(route.timeout));
}

/** Destinations with weights, of HTTP and of TCP and TLS routes. */
export function weighted(routes: { destination: Parameters<typeof destination>[0]; weight?: number; headers?: Headers }[], withHeaders = false): Findings {
  const findings = new Findings();
  let total = 0;
  for (const { destination: target, weight = 0, headers } of routes) {
    if (!target) findings.errorList(["destination is required"]);
    if (withHeaders) findings.add(headerOperations(headers));
    findings.add(destination(target));
    if (weight < 0) findings.error(`weight ${weight} < 0`);
    total += weight;
  }
  return routes.length > 1 && total === 0 ? findings.error("total destination weight = 0") : findings;
}

function conflicts(route: HttpRoute, isDelegate: boolean): Findings {
  const findings = new Findings();
  const { redirect: to, directResponse: direct, fault, rewrite: rewriting, name = "" } = route;
  const routes = route.route?.length ?? 0;
  if (route.delegate && !isDelegate) {
    if (to) findings.error(`root HTTP route ${name} must not specify redirect`);
    if (route.route) findings.error(`root HTTP route ${name} must not specify route`);
    return findings;
  }
  if (route.delegate) findings.error("delegate HTTP route cannot contain delegate");
  if (to) {
    if (routes > 0) findings.error("HTTP route cannot contain both route and redirect");
    if (fault) findings.error("HTTP route cannot contain both fault and redirect");
    if (rewriting) findings.error("HTTP route rule cannot contain both rewrite and redirect");
    if (direct) findings.error("HTTP route rule cannot contain both direct_response and redirect");
  } else if (direct) {
    if (routes > 0) findings.error("HTTP route cannot contain both route and direct_response");
    if (fault) findings.error("HTTP route cannot contain both fault and direct_response");
    if (rewriting) findings.error("HTTP route rule cannot contain both rewrite and direct_response");
  } else if (routes === 0) findings.error("HTTP route, redirect or direct_response is required");
  if (route.mirror && route.mirrors?.length) findings.error("HTTP route cannot contain both mirror and mirrors");
  return findings;
}

function matchRequest(match: HttpMatchRequest): Findings {
  const findings = new Findings();
  for (const [name, header] of sortedEntries(match.headers)) findings.error(headerNameOrClaim(name), stringMatch(header, "headers"));
  for (const [name, header] of sortedEntries(match.withoutHeaders)) {
    findings.error(headerNameOrClaim(name));
    if (header?.regex !== "*") findings.error(stringMatch(header, "withoutHeaders")); // "*" means: present at all
  }
  findings.error(regexMatch(match.uri, "uri")); // an empty prefix of a path is fine, of anything else it is not
  for (const part of ["scheme", "method", "authority"] as const) findings.error(stringMatch(match[part], part));
  for (const [, parameter] of sortedEntries(match.queryParams)) findings.error(stringMatch(parameter, "queryParams"));
  return findings;
}

function matchPlace(match: HttpMatchRequest): Findings {
  const findings = new Findings();
  if (match.port) findings.error(port(match.port));
  findings.add(labels(match.sourceLabels)).addErrors(gatewayNames(match.gateways));
  if (match.sourceNamespace && !isDnsLabel(match.sourceNamespace)) findings.error(`sourceNamespace match ${match.sourceNamespace} is invalid`);
  return findings;
}

function stringMatch(match: StringMatch | undefined, where: string): string | undefined {
  if (match?.prefix === "") return `${quoted(where)}: prefix string match should not be empty`;
  return regexMatch(match, where);
}

function regexMatch(match: StringMatch | undefined, where: string): string | undefined {
  if (match?.regex === undefined) return undefined;
  return match.regex === "" ? `${quoted(where)}: regex string match should not be empty` : regex(match.regex, where);
}

/** Stands for RE2's program size, which only RE2 can tell. */
const MAX_REGEX = 1024;

function regex(expression: string, where: string): string | undefined {
  if (Buffer.byteLength(expression) > MAX_REGEX) return `${quoted(where)}: regex is too large, max length allowed is 1024`;
  const problem = re2Problem(expression);
  return problem && `${quoted(where)}: ${problem}; Istio uses RE2 style regex-based match (https://github.com/google/re2/wiki/Syntax)`;
}

function headerOperations(headers: Headers | undefined): Findings {
  const findings = new Findings();
  for (const operation of ["add", "set"] as const) {
    for (const [name, value] of sortedEntries(headers?.request?.[operation])) findings.error(settableHeader(name), headerValue(value));
  }
  for (const name of headers?.request?.remove ?? []) findings.error(changeableHeader(name));
  for (const operation of ["add", "set"] as const) {
    for (const [name, value] of sortedEntries(headers?.response?.[operation])) findings.error(changeableHeader(name), headerValue(value));
  }
  for (const name of headers?.response?.remove ?? []) findings.error(changeableHeader(name));
  return findings;
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"];

function corsPolicy(policy: CorsPolicy | undefined): Findings {
  const findings = new Findings();
  if (!policy) return findings;
  for (const origin of policy.allowOrigins ?? []) {
    if (!(origin.exact ?? origin.prefix ?? origin.regex)) findings.error("'' is not a valid match type for CORS allow origins");
    else findings.error(regexMatch(origin, "corsPolicy.allowOrigins"));
  }
  for (const method of policy.allowMethods ?? []) if (!METHODS.includes(method)) findings.error(`${quoted(method)} is not a supported HTTP method`);
  for (const name of [...(policy.allowHeaders ?? []), ...(policy.exposeHeaders ?? [])]) if (name !== "*") findings.error(headerName(name));
  if (policy.maxAge !== undefined) {
    findings.error(duration(policy.maxAge));
    if ((durationNanos(policy.maxAge) ?? 0) % 1e9 > 0) findings.errorList(["max_age duration is accurate only to seconds precision"]);
  }
  return findings;
}

function faultInjection(fault: HttpFaultInjection | undefined): Findings {
  const findings = new Findings();
  if (!fault) return findings;
  const { abort, delay } = fault;
  if (!abort && !delay) findings.errorList(["HTTP fault injection must have an abort and/or a delay"]);
  if (abort) {
    findings.error(fraction(abort.percentage));
    if (abort.grpcStatus !== undefined) findings.error(grpcStatus(abort.grpcStatus));
    else if (abort.http2Error !== undefined) findings.error("HTTP/2 abort fault injection not supported yet");
    else if (abort.httpStatus !== undefined) findings.error(httpStatus(abort.httpStatus));
  }
  if (delay) {
    findings.error(fraction(delay.percentage), duration(delay.fixedDelay));
    if (delay.exponentialDelay !== undefined) findings.error(duration(delay.exponentialDelay)).errorList(["exponentialDelay not supported yet"]);
  }
  return findings;
}

function fraction(percentage: Percent | undefined): string | undefined {
  const value = percentage?.value ?? 0;
  const good = value === 0 || (value >= 0.0001 && value <= 100);
  return good ? undefined : `percentage ${value} is neither 0.0, nor in range [0.0001, 100.0]`;
}

function mirrorPercentage(name: string, percentage: Percent | undefined): string | undefined {
  const value = percentage?.value ?? 0;
  if (value > 100) return `${name} must have a max value of 100 (it has ${value.toFixed(6)})`;
  return value < 0 ? `${name} must have a min value of 0 (it has ${value.toFixed(6)})` : undefined;
}

function httpStatus(status: number): string | undefined {
  // istiod takes it for a signed number.
  return status < 200 || status > 600 ? `HTTP status ${status | 0} is not in range 200-599` : undefined;
}

const GRPC_STATUSES =
  "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED".split(
    " ",
  );

function grpcStatus(status: string): string | undefined {
  if (GRPC_STATUSES.includes(status)) return undefined;
  return `gRPC status ${quoted(status)} is not supported. See https://github.com/grpc/grpc/blob/master/doc/statuscodes.md for a list of supported codes, for example 'NOT_FOUND'`;
}

function redirect(to: HttpRedirect | undefined): string | undefined {
  if (!to) return undefined;
  if (!to.uri && !to.authority && to.port === undefined && to.derivePort === undefined && !to.scheme && !to.prefixRewrite)
    return "redirect must specify URI, authority, scheme, or port";
  const code = to.redirectCode ?? 0;
  if (code !== 0 && (code < 300 || code > 399)) return `${code} is not a valid redirect code, must be 3xx`;
  if (to.scheme && to.scheme !== "http" && to.scheme !== "https") return 'invalid redirect scheme, must be "http" or "https"';
  return to.port ? port(to.port) : undefined;
}

const KB = 1024;
const MB = 1024 * KB;

function directResponse(response: HttpRoute["directResponse"]): Findings {
  const findings = new Findings();
  if (!response) return findings;
  const { body } = response;
  const size = body?.string !== undefined ? Buffer.byteLength(body.string) : Buffer.byteLength(body?.bytes ?? "", "base64");
  if (size > MB) findings.error("large direct_responses may impact control plane performance, must be less than 1MB");
  else if (size > 100 * KB) findings.warn("large direct_responses may impact control plane performance");
  return findings.error(httpStatus(response.status ?? 0));
}

const RETRY_ON = new Set(
  [
    "5xx gateway-error reset reset-before-request connect-failure retriable-4xx refused-stream retriable-status-codes retriable-headers envoy-ratelimited",
    "http3-post-connect-failure cancelled deadline-exceeded internal resource-exhausted unavailable",
  ].flatMap((line) => line.split(" ")),
);
/** Status codes that have a name. https://www.iana.org/assignments/http-status-codes */
const STATUS_CODES = /^(10[0-3]|20[0-8]|226|30[0-57-8]|4(0\d|1[0-8]|2[1-6]|28|29|31|51)|5(0[0-8]|1[01]))$/;

function retry(retries: HttpRetry | undefined): Findings {
  const findings = new Findings();
  if (!retries) return findings;
  const { attempts = 0, perTryTimeout, retryOn = "", retryRemoteLocalities } = retries;
  if (attempts < 0) findings.errorList(["attempts cannot be negative"]);
  if (attempts === 0 && (perTryTimeout !== undefined || retryOn !== "" || (retryRemoteLocalities ?? null) !== null)) {
    findings.error("http retry policy configured when attempts are set to 0 (disabled)");
  }
  findings.error(duration(perTryTimeout));
  if (retryOn === "") return findings;
  for (const policy of retryOn.split(","))
    if (!STATUS_CODES.test(policy) && !RETRY_ON.has(policy)) findings.error(`${quoted(policy)} is not a valid retryOn policy`);
  return findings;
}

function rewrite(to: HttpRewrite | undefined): string | undefined {
  if (!to) return undefined;
  const { uri, uriRegexRewrite, authority } = to;
  if (uri && uriRegexRewrite) return "rewrite may only contain one of URI or UriRegexRewrite";
  if (!uri && !uriRegexRewrite && !authority)
    return "rewrite must specify at least one of URI, UriRegexRewrite, or authority. Only one of URI or UriRegexRewrite may be specified";
  if (!uriRegexRewrite) return undefined;
  const problem =
    !uriRegexRewrite.match || !uriRegexRewrite.rewrite
      ? "UriRegexRewrite requires both Rewrite and Match fields to be specified"
      : regex(uriRegexRewrite.match, "HTTPRewrite.UriRegexRewrite.Match");
  return problem && `UriRegexRewrite has errors\n${problem}`;
}

/** The authority can be set in one place only. */
function authorityRewrite(to: HttpRewrite | undefined, headers: Headers | undefined): string | undefined {
  let current = to?.authority ?? "";
  for (const operation of ["set", "add"] as const) {
    for (const [name, value] of sortedEntries(headers?.request?.[operation])) {
      if (!isAuthorityHeader(name)) continue;
      if (current !== "") return `authority header cannot be set multiple times: have ${quoted(current)}, attempting to set ${quoted(value)}`;
      current = value;
    }
  }
  return undefined;
}
