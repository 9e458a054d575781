import { compileRegex, groupText } from "../../base/regex/index.ts";

/** What a match and its groups stand for, by number (0 is the whole) and by name. */
export interface Groups {
  readonly texts: readonly string[];
  readonly named: ReadonlyMap<string, string>;
}

/** Whether an expression of Go's regexp, as Prometheus takes it, fits a whole text. Throws an Error in Go's words when it is none. */
export function compileRe2(expression: string): (text: string) => boolean {
  return compileRegex(expression, "go").fits;
}

/** The same for who wants to know what its groups stand for; undefined for a text that it does not fit. Throws an Error. */
export function compileRe2Groups(expression: string): (text: string) => Groups | undefined {
  const regex = compileRegex(expression, "go");
  return (text) => {
    const match = regex.match(text);
    if (!match) return undefined;
    const texts = [text, ...regex.names.map((_, index) => groupText(text, match, index + 1))];
    return { texts, named: new Map(regex.names.flatMap((name, index) => (name === undefined ? [] : [[name, texts[index + 1] ?? ""] as const]))) };
  };
}
