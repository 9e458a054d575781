/**
 * regex matches texts against regular expressions in time that grows with the text and nothing else, as RE2 does in Envoy.
 * The engine of JavaScript tries the ways in which an expression can match one by one: a request whose path is made for it
 * would hold up all others for seconds. Expressions that have one way only go on to that engine, which is faster.
 */
export { compileLinear } from "./automaton.ts";
export { mayBacktrack, nestsRepeats, parseRegex, type RegexNode } from "./parse.ts";
