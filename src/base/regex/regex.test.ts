import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { compileLinear, mayBacktrack, parseRegex } from "./index.ts";

function linear(source: string): (text: string) => boolean {
  const node = parseRegex(source);
  const match = node && compileLinear(node);
  if (!match) throw new Error(`not compiled: ${source}`);
  return match;
}

describe("in time that grows with the text", () => {
  test("expressions that explode elsewhere", () => {
    const text = "a".repeat(50_000);
    for (const source of ["(a+)+b", "(a*)*b", "(a|a)*b", "(a|aa)+b", ".*.*.*.*=.*", "(.*a){12}b", "a?".repeat(30) + "a{30}b"]) expect([source, linear(source)(text)]).toEqual([source, false]);
    expect(linear("(x+x+)+y")(`${"x".repeat(50_000)}y`)).toBe(true);
  });

  test("many states are no more than there is room for", () => {
    const match = linear("(a|b)*a(a|b){12}");
    const texts = Array.from({ length: 3_000 }, (_, index) => index.toString(2).padStart(14, "0").replaceAll("0", "a").replaceAll("1", "b"));
    for (const text of texts) expect(match(text)).toBe(/^(a|b)*a(a|b){12}$/.test(text));
  });
});

test("what one engine matches the other does", () => {
  const sources = ["a|b|cd", "(?i)aB[c-e]+", "[^/]+/[^/]*", "\\d{2,4}-\\w?", "a.c", "(?s)a.c", "(?:ab)*", "(?P<n>x+)y", "^a$|^b", "[[:alpha:]]+[0-9]", "\\.\\*\\x41", "[\\]a-]+", "é+", "a{0}b", "(a|)b", "\\pL+", "[^a\\d]{1,2}", "\\/v[12]\\/.*", "", "(a(b(c)?)?)?", "(?i:x)X"];
  const native = (source: string): RegExp => new RegExp(`^(?:${source.replaceAll("(?P<", "(?<").replaceAll("[[:alpha:]]", "[A-Za-z]").replaceAll("\\pL", "\\p{L}").replace(/^\(\?[is]\)/, "")})$`, source.startsWith("(?i)") ? "iu" : source.startsWith("(?s)") ? "su" : "u");
  const texts = fc.string({ unit: fc.constantFrom("a", "b", "c", "d", "x", "X", "y", "/", "v", "1", "2", "-", ".", "*", "A", "]", "é", "\n", "B"), maxLength: 8 });
  for (const source of sources) {
    const [ours, theirs] = [linear(source), native(source)];
    fc.assert(fc.property(texts, (text) => expect([source, text, ours(text)]).toEqual([source, text, theirs.test(text)])), { numRuns: 300 });
  }
});

test("which expressions could take long", () => {
  const may = (source: string): boolean | undefined => {
    const node = parseRegex(source);
    return node && mayBacktrack(node);
  };
  for (const source of ["/api/v[0-9]+/x", ".*", "a|b|c", "x?y?", "[a-z]{3}"]) expect([source, may(source)]).toEqual([source, false]);
  for (const source of ["(a+)+", ".*a.*", "(ab)*", "(a|b){2,}", "a?".repeat(20)]) expect([source, may(source)]).toEqual([source, true]);
  for (const source of ["a\\b", "(?m)^a", "(", "a{2000}", "a**"]) expect([source, may(source)]).toEqual([source, undefined]);
});

test("an expression larger than Envoy takes is not compiled", () => {
  const node = parseRegex("((a{1000}){100}){10}");
  expect(node && compileLinear(node)).toBeUndefined();
});
