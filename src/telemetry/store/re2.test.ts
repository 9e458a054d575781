import { expect, test } from "bun:test";
import { compileRe2 } from "./re2.ts";

const FITS: [string, string[], string[]][] = [
  ["a|bc", ["a", "bc"], ["b", "ac", "abc"]],
  ["(?i)web|API", ["WEB", "api"], ["weba"]],
  ["a(?i)b|c", ["aB", "C", "c"], ["Ab", "aC"]],
  ["(?:x(?i)y|z)w", ["xYw", "Zw"], ["Xyw", "zW"]],
  ["(?s).+", ["a\nb"], [""]],
  [".+", ["ab"], ["a\nb"]],
  ["[[:alpha:]]+\\d{2,}", ["ab12"], ["ab1", "12"]],
  ["[]a-]+", ["]a-"], ["b"]],
  ["[^]]", ["a"], ["]"]],
  ["\\Qa.b\\E+", ["a.bb"], ["axb"]],
  ["\\p{Lu}\\pL*", ["Łódź"], ["łódź"]],
  ["\\p{Greek}+", ["αβ"], ["ab"]],
  ["(?P<n>a)\\-b\\_\\/", ["a-b_/"], ["ab"]],
  ["\\x41\\x{1F600}", ["A😀"], ["A"]],
  ["a{,2}", ["a{,2}"], ["aa"]],
  [".", ["😀"], ["ab"]],
  ["^(?:a)$", ["a"], ["aa"]],
];

test.each(FITS)("%s", (expression, fits, not) => {
  const compiled = compileRe2(expression);
  for (const text of fits) expect([text, compiled.test(text)]).toEqual([text, true]);
  for (const text of not) expect([text, compiled.test(text)]).toEqual([text, false]);
});

test.each(["(", "(?=a)", "a(?!b)", "(?<=a)b", "(a)\\1", "[z-a]", "a**", "*a", "[:alpha:", "\\"])("%s is no expression", (expression) => {
  expect(() => compileRe2(expression)).toThrow(/error parsing regexp/);
});
