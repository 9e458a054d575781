import type { StatsConfig, StatsMatcher } from "../../proto/gen/envoy/config/metrics/v3/stats_pb.ts";
import { compileRegex, groupText, type Regex, RegexProblem } from "../../base/regex/index.ts";
import { compileString, type TextMatch } from "../match/strings.ts";
import { InvalidResource } from "../types.ts";
import type { Labels } from "./stats.ts";

export interface StatName {
  /** Prometheus' name of the family. */
  readonly family: string;
  readonly labels: Labels;
}

interface TagExtractor {
  readonly tag: string;
  /** The first group is taken out of the name, the second (or else the first) is the value. */
  readonly pattern: Regex;
}

/** Envoy's default tags, those of the statistics that this proxy has. */
const DEFAULT_TAGS: readonly (readonly [tag: string, regex: string])[] = [
  ["envoy.response_code", "_rq(_(\\d{3}))$"],
  ["envoy.response_code_class", "_rq_((\\d))xx$"],
  ["envoy.local_http_ratelimit_prefix", "^((.*?)\\.)http_local_rate_limit\\."],
  ["envoy.cluster_name", "^cluster\\.((.*?)\\.)"],
  ["envoy.http_conn_manager_prefix", "^http\\.((.*?)\\.)"],
  ["envoy.tcp_prefix", "^tcp\\.((.*?)\\.)"],
  ["envoy.http_conn_manager_prefix", "^listener\\..*?\\.http\\.((.*?)\\.)"],
  ["envoy.worker_id", "^listener\\..*?\\.worker_((\\d+)\\.)"],
  ["envoy.listener_address", "^listener\\.(((?:[_.\\d]*|[_\\[\\]a-fA-F\\d]*))\\.)"],
];

/** Envoy looks at patterns that begin with a whole token after all others, which shows in the order of labels. */
const TOKEN_PREFIX = /^\^\w+\\\./;

/** Which statistics are kept, and how their dotted names become families and labels: a bootstrap's `stats_config`. */
export class StatNaming {
  readonly #extractors: readonly TagExtractor[];
  readonly #fixed: Labels;
  readonly #included: TextMatch;

  /** Throws InvalidResource for a pattern that is none. */
  constructor(config: StatsConfig | undefined) {
    const given = config?.statsTags ?? [];
    const defaults = (config?.useAllDefaultTags ?? true) ? DEFAULT_TAGS.filter(([tag]) => !given.some((each) => each.tagName === tag)) : [];
    const patterns = [...defaults, ...given.flatMap(({ tagName, tagValue }) => (tagValue.case === "regex" ? [[tagName, tagValue.value] as const] : []))];
    this.#extractors = [...patterns.filter(([, regex]) => !TOKEN_PREFIX.test(regex)), ...patterns.filter(([, regex]) => TOKEN_PREFIX.test(regex))].map(([tag, regex]) => ({
      tag: sanitized(tag),
      pattern: tagPattern(regex),
    }));
    this.#fixed = given.flatMap(({ tagName, tagValue }) => (tagValue.case === "fixedValue" ? [[sanitized(tagName), tagValue.value] as const] : []));
    this.#included = compileMatcher(config?.statsMatcher);
  }

  includes(dotted: string): boolean {
    return this.#included(dotted);
  }

  name(dotted: string): StatName {
    const labels: (readonly [string, string])[] = [...this.#fixed];
    const cuts: [number, number][] = [];
    for (const { tag, pattern } of this.#extractors) {
      if (!pattern.found(dotted) || labels.some(([name]) => name === tag)) continue;
      const match = pattern.search(dotted);
      const [, , from = -1, to = -1] = match ?? [];
      if (!match || from < 0) continue;
      labels.push([tag, groupText(dotted, match, (match[4] ?? -1) >= 0 ? 2 : 1)]);
      cuts.push([from, to]);
    }
    let rest = "";
    let at = 0;
    for (const [from, to] of cuts.sort(([a], [b]) => a - b)) {
      rest += dotted.slice(at, Math.max(at, from));
      at = Math.max(at, to);
    }
    return { family: `envoy_${sanitized((rest + dotted.slice(at)).replace(/\.$/, ""))}`, labels };
  }
}

/** Envoy has another engine here than elsewhere, and no limit of its size. */
function tagPattern(source: string): Regex {
  try {
    return compileRegex(source, "re2");
  } catch (cause) {
    if (!(cause instanceof RegexProblem)) throw cause;
    throw new InvalidResource("INVALID_REGEX", `Invalid regex '${source}': ${cause.message}`, { cause });
  }
}

function sanitized(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/g, "_");
}

function compileMatcher(matcher: StatsMatcher | undefined): TextMatch {
  const choice = matcher?.statsMatcher;
  switch (choice?.case) {
    case "rejectAll":
      return () => !choice.value;
    case "inclusionList":
    case "exclusionList": {
      const patterns = choice.value.patterns.map(compileString);
      const listed = (text: string): boolean => patterns.some((pattern) => pattern(text));
      return choice.case === "inclusionList" ? listed : (text) => !listed(text);
    }
    case undefined:
      return () => true;
  }
}
