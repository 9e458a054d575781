/**
 * regex matches texts against regular expressions in time that grows with the text and nothing else, as RE2 does in Envoy
 * and Go's regexp in istiod and Prometheus, with their syntax, their semantics and their words for what is no expression.
 * The engine of JavaScript tries the ways in which an expression can match one by one: a request whose path is made for it
 * would hold up all others for seconds.
 */
export { compileRegex, type Regex, regexProblem, utf8Bytes } from "./regex.ts";
export { allMatches, expandGo, groupText, parseRewrite, replaceAll, type Rewrite } from "./substitute.ts";
export { RegexProblem } from "./syntax.ts";
