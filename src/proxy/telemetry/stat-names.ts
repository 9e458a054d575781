import type { StatsConfig, StatsMatcher } from "../../proto/gen/envoy/config/metrics/v3/stats_pb.ts";
import { errorText } from "../../base/index.ts";
import { compileRegex, groupText } from "../../base/regex/index.ts";
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
  readonly find: (dotted: string) => TagPlace | undefined;
}

/** The first group is taken out of the name, the second (or else the first) is the value. */
interface TagPlace {
  readonly from: number;
  readonly to: number;
  readonly value: string;
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
    const patterns = [
      ...defaults.map(([tag, regex]) => ({ tag, regex, find: defaultPattern(regex) })),
      ...given.flatMap(({ tagName, tagValue }) =>
        tagValue.case === "regex" ? [{ tag: tagName, regex: tagValue.value, find: givenPattern(tagValue.value) }] : [],
      ),
    ];
    this.#extractors = [...patterns.filter(({ regex }) => !TOKEN_PREFIX.test(regex)), ...patterns.filter(({ regex }) => TOKEN_PREFIX.test(regex))].map(
      ({ tag, find }) => ({ tag: sanitized(tag), find }),
    );
    this.#fixed = given.flatMap(({ tagName, tagValue }) => (tagValue.case === "fixedValue" ? [[sanitized(tagName), tagValue.value] as const] : []));
    this.#included = compileMatcher(config?.statsMatcher);
  }

  includes(dotted: string): boolean {
    return this.#included(dotted);
  }

  name(dotted: string): StatName {
    const labels: (readonly [string, string])[] = [...this.#fixed];
    const cuts: [number, number][] = [];
    for (const { tag, find } of this.#extractors) {
      if (labels.some(([name]) => name === tag)) continue;
      const place = find(dotted);
      if (!place) continue;
      labels.push([tag, place.value]);
      cuts.push([place.from, place.to]);
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

function defaultPattern(source: string): TagExtractor["find"] {
  const pattern = compileRegex(source, "re2");
  return (dotted) => {
    const match = pattern.found(dotted) ? pattern.search(dotted) : undefined;
    const [, , from = -1, to = -1] = match ?? [];
    return match && from >= 0 ? { from, to, value: groupText(dotted, match, (match[4] ?? -1) >= 0 ? 2 : 1) } : undefined;
  };
}

/**
 * What a bootstrap gives Envoy reads as std::regex, whose syntax is ECMAScript's with classes of POSIX: Istio's own have
 * assertions, which RE2 lacks. They are as trusted as the program's flags, and so are the names that they are tried on.
 */
function givenPattern(source: string): TagExtractor["find"] {
  let pattern: RegExp;
  try {
    pattern = new RegExp(
      source.replace(POSIX_CLASS, (whole, name: string) => POSIX_CLASSES[name] ?? whole),
      "d",
    );
  } catch (cause) {
    throw new InvalidResource("INVALID_REGEX", `Invalid regex '${source}': ${errorText(cause)}`, { cause });
  }
  return (dotted) => {
    const match = pattern.exec(dotted);
    const [from, to] = match?.indices?.[1] ?? [];
    return from === undefined || to === undefined ? undefined : { from, to, value: match?.[2] ?? match?.[1] ?? "" };
  };
}

const POSIX_CLASS = /\[:(\w+):\]/g;
const POSIX_CLASSES: Readonly<Record<string, string>> = {
  alnum: "a-zA-Z0-9",
  alpha: "a-zA-Z",
  digit: "0-9",
  lower: "a-z",
  upper: "A-Z",
  space: "\\s",
  xdigit: "0-9a-fA-F",
};

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
