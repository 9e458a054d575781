import { expect, test } from "bun:test";
import { compileRe2, compileRe2Groups } from "./re2.ts";

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
  for (const text of fits) expect([text, compiled(text)]).toEqual([text, true]);
  for (const text of not) expect([text, compiled(text)]).toEqual([text, false]);
});

test.each(["(", "(?=a)", "a(?!b)", "(?<=a)b", "(a)\\1", "[z-a]", "a**", "*a", "[:alpha:", "\\"])("%s is no expression", (expression) => {
  expect(() => compileRe2(expression)).toThrow(/error parsing regexp/);
});

test("an expression made to be tried without end is answered at once, its groups too", () => {
  const text = "a".repeat(20_000);
  for (const expression of ["(a+)+b", "(a|aa)+b", "(.*a){12}b"]) {
    expect(compileRe2(expression)(text)).toBe(false);
    expect(compileRe2Groups(expression)(text)).toBeUndefined();
  }
  expect(compileRe2Groups("(a+)+")(text)?.texts[1]).toBe(text);
  expect(compileRe2Groups("(.*):(?P<port>\\d+)")("host:80")?.named.get("port")).toBe("80");
  expect(compileRe2Groups("(\\d{1,3}\\.){3}(\\d{1,3})")("10.244.0.12")?.texts[2]).toBe("12");
  expect(compileRe2Groups("(?:(foo|bar)-)?(.*)")("foo-x")?.texts[1]).toBe("foo");
  expect(compileRe2Groups("(x)?[[:^alpha:]]\\b.*")("-y")?.texts[1]).toBe("");
});
