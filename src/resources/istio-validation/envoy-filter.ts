import type { EnvoyFilterSpec } from "../istio-extensions.ts";
import { Findings, quoted } from "./findings.ts";
import { networkingSelector } from "./names.ts";
import { re2Problem } from "./re2.ts";

type ConfigPatch = NonNullable<EnvoyFilterSpec["configPatches"]>[number];
interface FilterMatch {
  readonly name?: string;
  readonly subFilter?: { readonly name?: string };
}

/** What Envoy's own messages say of a patch's value. */
export type PatchValueCheck = (applyTo: string, value: unknown) => { readonly error?: string; readonly warnings: readonly string[] };

const LISTENER_CLASS = ["LISTENER", "FILTER_CHAIN", "NETWORK_FILTER", "HTTP_FILTER"];
const CONNECTION_MANAGERS = ["envoy.filters.network.http_connection_manager", "envoy.http_connection_manager"];
const ROUTE_CLASS = ["ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"];
/** Longer patterns are no versions, and istiod does not try them. */
const MAX_VERSION_LENGTH = 1024;

export function validateEnvoyFilter(spec: EnvoyFilterSpec, checkValue: PatchValueCheck = () => ({ warnings: [] })): Findings {
  const findings = new Findings();
  const selector = networkingSelector(spec.workloadSelector);
  if (selector.errors.text !== undefined) return selector.errors;
  findings.warn(
    "EnvoyFilter exposes internal implementation details that may change at any time. Prefer other APIs if possible, and exercise extreme caution, especially around upgrades.",
  );
  if (selector.empty) findings.warn("Envoy filter: workload selector specified without labels, will be applied to all services in namespace");
  for (const patch of spec.configPatches ?? []) {
    // Patches of waypoints are nobody's here.
    if (patch.match?.context === "WAYPOINT") continue;
    const problem = patchProblem(patch) ?? versionProblem(patch, findings) ?? listenerProblem(patch, findings);
    findings.error(problem);
    if (problem !== undefined) continue;
    findings.error(otherMatchProblem(patch));
    const value = checkValue(patch.applyTo ?? "", patch.patch?.value);
    findings.error(value.error).warn(...value.warnings);
  }
  return findings;
}

function patchProblem({ applyTo = "INVALID", patch }: ConfigPatch): string | undefined {
  if (applyTo === "INVALID") return "Envoy filter: missing applyTo";
  if (!patch) return "Envoy filter: missing patch";
  const { operation = "INVALID", value } = patch;
  if (operation === "INVALID") return "Envoy filter: missing patch operation";
  return operation !== "REMOVE" && !value ? "Envoy filter: missing patch value for non-remove operation" : undefined;
}

function versionProblem({ match }: ConfigPatch, findings: Findings): string | undefined {
  const version = match?.proxy?.proxyVersion;
  if (!version) return undefined;
  if (Buffer.byteLength(version) > MAX_VERSION_LENGTH) {
    findings.warn(`Envoy filter: proxyVersion match exceeds ${MAX_VERSION_LENGTH} characters and will be ignored`);
    return undefined;
  }
  const problem = re2Problem(version);
  return problem ? `Envoy filter: invalid regex for proxy version, [${problem}]` : undefined;
}

function objectMatch({ match }: ConfigPatch): object | undefined {
  return match?.listener ?? match?.routeConfiguration ?? match?.cluster ?? match?.waypoint;
}

function listenerProblem(patch: ConfigPatch, findings: Findings): string | undefined {
  const { applyTo = "", match } = patch;
  if (!LISTENER_CLASS.includes(applyTo) || !objectMatch(patch)) return undefined;
  const listener = match?.listener as { filterChain?: { filter?: FilterMatch } } | undefined;
  if (!listener) return "Envoy filter: applyTo for listener class objects cannot have non listener match";
  const filter = listener.filterChain?.filter;
  if (!filter) return undefined;
  // A chain or listener as a whole is not found by a filter of it.
  if (applyTo === "LISTENER" || applyTo === "FILTER_CHAIN") findings.warn(`Envoy filter: filter match has no effect when used with ${applyTo}`);
  if (!filter.name) return "Envoy filter: filter match has no name to match on";
  if (filter.subFilter && applyTo !== "HTTP_FILTER") return "Envoy filter: subfilter match can be used with applyTo HTTP_FILTER only";
  if (filter.subFilter && !CONNECTION_MANAGERS.includes(filter.name))
    return `Envoy filter: subfilter match requires filter match with ${CONNECTION_MANAGERS[0]}`;
  if (filter.subFilter && !filter.subFilter.name) return "Envoy filter: subfilter match has no name to match on";
  findings.warn(deprecatedName(filter.name), deprecatedName(filter.subFilter?.name));
  return undefined;
}

/** These say so and are looked at further. */
function otherMatchProblem(patch: ConfigPatch): string | undefined {
  const { applyTo = "", match } = patch;
  if (!objectMatch(patch)) return undefined;
  if (ROUTE_CLASS.includes(applyTo) && !match?.routeConfiguration)
    return "Envoy filter: applyTo for http route class objects cannot have non route configuration match";
  return applyTo === "CLUSTER" && !match?.cluster ? "Envoy filter: applyTo for cluster class objects cannot have non cluster match" : undefined;
}

function deprecatedName(name = ""): string | undefined {
  const other = CANONICAL_NAMES[name];
  return other === undefined ? undefined : `using deprecated filter name ${quoted(name)}; use ${quoted(other)} instead`;
}

/** Names of filters of Envoy's first years, and what they are called since. */
const CANONICAL_NAMES: Readonly<Record<string, string>> = {
  "envoy.buffer": "envoy.filters.http.buffer",
  "envoy.client_ssl_auth": "envoy.filters.network.client_ssl_auth",
  "envoy.cors": "envoy.filters.http.cors",
  "envoy.csrf": "envoy.filters.http.csrf",
  "envoy.ext_authz": "envoy.filters.http.ext_authz",
  "envoy.fault": "envoy.filters.http.fault",
  "envoy.grpc_http1_bridge": "envoy.filters.http.grpc_http1_bridge",
  "envoy.grpc_json_transcoder": "envoy.filters.http.grpc_json_transcoder",
  "envoy.grpc_web": "envoy.filters.http.grpc_web",
  "envoy.gzip": "envoy.filters.http.gzip",
  "envoy.health_check": "envoy.filters.http.health_check",
  "envoy.http_connection_manager": "envoy.filters.network.http_connection_manager",
  "envoy.http_dynamo_filter": "envoy.filters.http.dynamo",
  "envoy.ip_tagging": "envoy.filters.http.ip_tagging",
  "envoy.listener.http_inspector": "envoy.filters.listener.http_inspector",
  "envoy.listener.original_dst": "envoy.filters.listener.original_dst",
  "envoy.listener.original_src": "envoy.filters.listener.original_src",
  "envoy.listener.proxy_protocol": "envoy.filters.listener.proxy_protocol",
  "envoy.listener.tls_inspector": "envoy.filters.listener.tls_inspector",
  "envoy.lua": "envoy.filters.http.lua",
  "envoy.mongo_proxy": "envoy.filters.network.mongo_proxy",
  "envoy.rate_limit": "envoy.filters.http.ratelimit",
  "envoy.ratelimit": "envoy.filters.network.ratelimit",
  "envoy.redis_proxy": "envoy.filters.network.redis_proxy",
  "envoy.router": "envoy.filters.http.router",
  "envoy.squash": "envoy.filters.http.squash",
  "envoy.tcp_proxy": "envoy.filters.network.tcp_proxy",
};
