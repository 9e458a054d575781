import type { TypedExtensionConfig } from "../../proto/gen/xds/core/v3/extension_pb.ts";
import { IPMatcherSchema, type IPMatcher } from "../../proto/gen/xds/type/matcher/v3/ip_pb.ts";
import { ServerNameMatcherSchema, type ServerNameMatcher } from "../../proto/gen/xds/type/matcher/v3/domain_pb.ts";
import type {
  Matcher,
  Matcher_MatcherList_Predicate as Predicate,
  Matcher_MatcherList_Predicate_SinglePredicate as SinglePredicate,
  Matcher_MatcherTree,
  Matcher_MatcherTree_MatchMap as MatchMap,
  Matcher_OnMatch as OnMatch,
} from "../../proto/gen/xds/type/matcher/v3/matcher_pb.ts";
import { unpackAny } from "../../proto/index.ts";
import { InvalidResource } from "../types.ts";
import { compileCidr, ipBytes, type Cidr } from "./cidr.ts";
import { compileCustomMatch, compileInput, type Input, unknownExtension, type MatchSource, type MatchWhere } from "./matcher-inputs.ts";
import { compileString } from "./strings.ts";

/** What a matcher tree decides for a connection or a request; undefined when nothing in it matches. */
export type Decide<Action> = (source: MatchSource) => Action | undefined;

export interface MatcherOptions<Action> {
  readonly where: MatchWhere;
  /** Reads what stands at a leaf; throws InvalidResource. */
  readonly action: (config: TypedExtensionConfig) => Action;
}

/** xds.type.matcher.v3.Matcher compiled: lists, exact and prefix maps, IP ranges, server names. Throws InvalidResource. */
export function compileMatcher<Action>(proto: Matcher, options: MatcherOptions<Action>): Decide<Action> {
  const decide = compileKind(proto, options);
  const otherwise = proto.onNoMatch && compileOnMatch(proto.onNoMatch, options);
  return otherwise ? (source) => decide(source) ?? otherwise(source) : decide;
}

function compileKind<Action>({ matcherType }: Matcher, options: MatcherOptions<Action>): Decide<Action> {
  switch (matcherType.case) {
    case "matcherList": {
      const fields = matcherType.value.matchers.map(({ predicate, onMatch }) => ({
        test: compilePredicate(required(predicate, "FieldMatcher.Predicate"), options.where),
        act: compileOnMatch(required(onMatch, "FieldMatcher.OnMatch"), options),
      }));
      return (source) => {
        for (const { test, act } of fields) {
          // A nested matcher that finds nothing leaves it to the next.
          const found = test(source) ? act(source) : undefined;
          if (found !== undefined) return found;
        }
        return undefined;
      };
    }
    case "matcherTree":
      return compileTree(matcherType.value, options);
  }
  // As Envoy: an empty tree matches nothing.
  return () => undefined;
}

function compileOnMatch<Action>({ onMatch }: OnMatch, options: MatcherOptions<Action>): Decide<Action> {
  if (onMatch.case === "matcher") return compileMatcher(onMatch.value, options);
  if (onMatch.case === "action") {
    const action = options.action(onMatch.value);
    return () => action;
  }
  throw new InvalidResource("INVALID_MATCHER", "OnMatchValidationError.OnMatch: value is required");
}

function compileTree<Action>({ input, treeType }: Matcher_MatcherTree, options: MatcherOptions<Action>): Decide<Action> {
  const read = compileInput(required(input, "MatcherTree.Input"), options.where);
  switch (treeType.case) {
    case "exactMatchMap": {
      const entries = compileMap(treeType.value, options);
      return (source) => {
        const value = read(source);
        return value === undefined ? undefined : entries.get(value)?.(source);
      };
    }
    case "prefixMatchMap": {
      // The longest first; one whose own matcher finds nothing leaves it to a shorter one.
      const entries = [...compileMap(treeType.value, options)].sort(([a], [b]) => b.length - a.length);
      return (source) => {
        const value = read(source);
        if (value === undefined) return undefined;
        return first(entries, ([prefix, act]) => (value.startsWith(prefix) ? act(source) : undefined));
      };
    }
    case "customMatch": {
      const ip = unpackAny(IPMatcherSchema, treeType.value.typedConfig);
      if (ip) return compileIps(ip, read, options);
      const names = unpackAny(ServerNameMatcherSchema, treeType.value.typedConfig);
      if (names) return compileServerNames(names, read, options);
      throw unknownExtension(treeType.value);
    }
  }
  throw new InvalidResource("INVALID_MATCHER", "MatcherTreeValidationError.TreeType: value is required");
}

function compileMap<Action>({ map }: MatchMap, options: MatcherOptions<Action>): Map<string, Decide<Action>> {
  return new Map(Object.entries(map).map(([key, onMatch]) => [key, compileOnMatch(onMatch, options)]));
}

/** The most specific range first. An `exclusive` one counts only as the most specific, not in place of another that finds nothing. */
function compileIps<Action>(proto: IPMatcher, read: Input, options: MatcherOptions<Action>): Decide<Action> {
  const ranges: { readonly cidr: Cidr; readonly act: Decide<Action>; readonly exclusive: boolean }[] = proto.rangeMatchers.flatMap(
    ({ ranges: own, onMatch, exclusive }) => {
      const act = compileOnMatch(required(onMatch, "IPRangeMatcher.OnMatch"), options);
      return own.map((range) => ({ cidr: compileCidr(range), act, exclusive }));
    },
  );
  ranges.sort((a, b) => b.cidr.length - a.cidr.length);
  return (source) => {
    const bytes = ipBytes(read(source) ?? "");
    if (!bytes) return undefined;
    let narrower = false;
    for (const { cidr, act, exclusive } of ranges) {
      if (!cidr.contains(bytes) || (exclusive && narrower)) continue;
      const found = act(source);
      if (found !== undefined) return found;
      narrower = true;
    }
    return undefined;
  };
}

/** Exact names, then wildcards from the longest on, then `*`. */
function compileServerNames<Action>(proto: ServerNameMatcher, read: Input, options: MatcherOptions<Action>): Decide<Action> {
  const byName = new Map<string, Decide<Action>>();
  for (const { domains, onMatch } of proto.domainMatchers) {
    const act = compileOnMatch(required(onMatch, "DomainMatcher.OnMatch"), options);
    for (const domain of domains) {
      if (domain.includes("*") && domain !== "*" && (!domain.startsWith("*.") || domain.indexOf("*", 1) > 0))
        throw new InvalidResource("INVALID_MATCHER", `Domain wildcard is not supported: ${domain}`);
      if (byName.has(domain)) throw new InvalidResource("INVALID_MATCHER", `Duplicate domain in ServerNameMatcher: ${domain}`);
      byName.set(domain, act);
    }
  }
  return (source) => {
    const name = read(source)?.toLowerCase();
    if (name === undefined) return undefined;
    const candidates = [name];
    for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) candidates.push(`*${name.slice(dot)}`);
    candidates.push("*");
    return first(candidates, (candidate) => byName.get(candidate)?.(source));
  };
}

function compilePredicate({ matchType }: Predicate, where: MatchWhere): (source: MatchSource) => boolean {
  switch (matchType.case) {
    case "singlePredicate":
      return compileSingle(matchType.value, where);
    case "orMatcher": {
      const tests = matchType.value.predicate.map((each) => compilePredicate(each, where));
      return (source) => tests.some((test) => test(source));
    }
    case "andMatcher": {
      const tests = matchType.value.predicate.map((each) => compilePredicate(each, where));
      return (source) => tests.every((test) => test(source));
    }
    case "notMatcher": {
      const test = compilePredicate(matchType.value, where);
      return (source) => !test(source);
    }
  }
  throw new InvalidResource("INVALID_MATCHER", "PredicateValidationError.MatchType: value is required");
}

function compileSingle({ input, matcher }: SinglePredicate, where: MatchWhere): (source: MatchSource) => boolean {
  const given = required(input, "SinglePredicate.Input");
  if (matcher.case === "customMatch") return compileCustomMatch(matcher.value, given, where);
  if (matcher.case === undefined) throw new InvalidResource("INVALID_MATCHER", "SinglePredicateValidationError.Matcher: value is required");
  const read = compileInput(given, where);
  const test = compileString(matcher.value);
  return (source) => {
    const value = read(source);
    return value !== undefined && test(value);
  };
}

function required<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw new InvalidResource("INVALID_MATCHER", `${field.split(".")[0]}ValidationError.${field.split(".")[1]}: value is required`);
  return value;
}

function first<T, R>(values: readonly T[], look: (value: T) => R | undefined): R | undefined {
  for (const value of values) {
    const found = look(value);
    if (found !== undefined) return found;
  }
  return undefined;
}
