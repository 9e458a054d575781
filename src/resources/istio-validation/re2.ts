import { regexProblem } from "../../base/regex/index.ts";

/** Why a text is no RE2 expression, in the words of Go's regexp package, which istiod compiles with; undefined when it is one. */
export function re2Problem(expression: string): string | undefined {
  return regexProblem(expression, "go");
}
