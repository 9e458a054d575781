import type { JsonObject } from "@bufbuild/protobuf";
import type { AgentOptions } from "../options.ts";

/**
 * The bootstrap's `stats_config`: which statistics are kept, since each costs memory for every name that it stands for, and
 * how their names become labels. A pod's annotations and its ProxyConfig add to Istio's list.
 */
export function statsConfig({ annotations, proxyConfig }: Pick<AgentOptions, "annotations" | "proxyConfig">): JsonObject {
  const matcher = proxyConfig.raw["proxyStatsMatcher"];
  const added = (kind: "Prefixes" | "Suffixes" | "Regexps"): string[] => {
    const listed = typeof matcher === "object" && matcher !== null ? (matcher as Record<string, unknown>)[`inclusion${kind}`] : undefined;
    const annotated = (annotations[`sidecar.istio.io/statsInclusion${kind}`] ?? "").split(",").filter((value) => value !== "");
    return annotated.length > 0 ? annotated : Array.isArray(listed) ? listed.filter((each) => typeof each === "string") : [];
  };
  const patterns = [
    ...[...STATS_PREFIXES, ...added("Prefixes")].map((prefix) => ({ prefix })),
    ...[...STATS_SUFFIXES, ...added("Suffixes")].map((suffix) => ({ suffix })),
    ...[ROUTE_STATS, ...added("Regexps")].map((regex) => ({ safe_regex: { regex } })),
  ];
  return {
    use_all_default_tags: false,
    stats_tags: STATS_TAGS.map(([tag_name, regex]) => ({ tag_name, regex })),
    stats_matcher: { inclusion_list: { patterns } },
  };
}

/** How Envoy splits names of statistics into labels: tag and pattern, as Istio's dashboards expect them. */
const STATS_TAGS: readonly (readonly [tag: string, regex: string])[] = [
  ["cluster_name", "^cluster(\\.(.+);)"],
  ["http_conn_manager_prefix", "^http\\.(((?:[_.[:digit:]\\w]*|[_\\[\\]aAbBcCdDeEfF[:digit:]\\w\\:]*));\\.)"],
  ["thread_name", "^server(\\.(.+))\\.watchdog"],
  ["tcp_prefix", "^tcp\\.((.*?)\\.)\\w+?$"],
  ["response_code", "_rq(_(\\d{3}))$"],
  ["response_code_class", "_rq(_(\\dxx))$"],
  ["http_conn_manager_listener_prefix", "^listener(?=\\.).*?\\.http\\.(((?:[_.[:digit:]]*|[_\\[\\]aAbBcCdDeEfF[:digit:]]*))\\.)"],
  ["listener_address", "^listener\\.(((?:[_.[:digit:]]*|[_\\[\\]aAbBcCdDeEfF[:digit:]]*))\\.)"],
  ["mongo_prefix", "^mongo\\.(.+?)\\.(collection|cmd|cx_|op_|delays_|decoding_)(.*?)$"],
  ["cache", "(cache\\.(.+?)\\.)"],
  ["component", "(component\\.(.+?)\\.)"],
  ["tag", "(tag\\.(.+?);\\.)"],
  ["wasm_filter", "(wasm_filter\\.(.+?)\\.)"],
  ["authz_enforce_result", "rbac(\\.(allowed|denied))"],
  ["authz_dry_run_action", "(\\.istio_dry_run_(allow|deny)_)"],
  ["authz_dry_run_result", "(\\.shadow_(allowed|denied))"],
];

/** Statistics that are kept; the rest would cost a sidecar tens of megabytes in a large mesh. */
const STATS_PREFIXES: readonly string[] = ["reporter=", "cluster_manager", "listener_manager", "server", "cluster.xds-grpc", "wasm", "component", "istio"];
const STATS_SUFFIXES: readonly string[] = ["rbac.allowed", "rbac.denied", "shadow_allowed", "shadow_denied"];
const ROUTE_STATS = "vhost\\..*\\.route\\..*";
