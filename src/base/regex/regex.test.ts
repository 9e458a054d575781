import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { allMatches, compileRegex, expandGo, parseRewrite, regexProblem, replaceAll } from "./index.ts";
import goAnswers from "./testdata/go.json";
import re2Answers from "./testdata/re2.json";

const SEED = Number(process.env.CHAINMAIL_FUZZ_SEED ?? 20_261_124);
const RUNS = Number(process.env.CHAINMAIL_FUZZ ?? 1);

type Places = number[] | null;

test("RE2 itself: what it refuses and why, matches of the whole and of a part with their groups, sizes of programs", () => {
  let sizes = 0;
  for (const [pattern, answer, cases] of re2Answers as unknown as [string, string | number, [string, Places, Places][]?][]) {
    if (cases === undefined) {
      expect([pattern, regexProblem(pattern, "re2")]).toEqual([pattern, answer as string]);
      continue;
    }
    const regex = compileRegex(pattern, "re2");
    if (regex.programSize !== answer) sizes++;
    const ours: unknown[] = [];
    for (const [text] of cases) {
      const found = [regex.match(text), regex.search(text)].map((match) => (match ? [...match] : null));
      ours.push([text, ...found, regex.fits(text), regex.found(text)]);
    }
    expect([pattern, ours]).toEqual([pattern, cases.map(([text, whole, part]) => [text, whole, part, whole !== null, part !== null])]);
  }
  // RE2 simplifies a little more, which nobody writes: its limit is not drawn that finely.
  expect(sizes).toBeLessThan(8);
});

test("Go itself: what it refuses and why, all matches with their groups", () => {
  const inBytes = (text: string, at: number): number => (at < 0 ? -1 : Buffer.byteLength(text.slice(0, at)));
  for (const [pattern, answer] of goAnswers as unknown as [string, string | [string, number[][] | null][]][]) {
    expect([pattern, regexProblem(pattern, "go")]).toEqual([pattern, typeof answer === "string" ? answer : undefined]);
    if (typeof answer === "string") continue;
    const regex = compileRegex(pattern, "go");
    const ours = answer.map(([text]) => [text, allMatches(regex, text).map((match) => Array.from(match, (at) => inBytes(text, at)))]);
    expect([pattern, ours]).toEqual([pattern, answer.map(([text, matches]) => [text, matches ?? []])]);
  }
});

describe("in time that grows with the text", () => {
  test("expressions that explode elsewhere", () => {
    const text = "a".repeat(50_000);
    for (const source of ["(a+)+b", "(a*)*b", "(a|a)*b", "(a|aa)+b", ".*.*.*.*=.*", "(.*a){12}b", `${"a?".repeat(30)}a{30}b`, "(a+)+\\bb", "(?m)(a+)+^b"]) {
      expect([source, compileRegex(source, "re2").fits(text)]).toEqual([source, false]);
    }
    expect(compileRegex("(x+x+)+y", "re2").fits(`${"x".repeat(50_000)}y`)).toBe(true);
    const short = text.slice(0, 5_000);
    for (const source of ["(a+)+b", "(a|aa)+b", "(a*)*b"]) expect(compileRegex(source, "go").search(short)).toBeUndefined();
    expect(compileRegex("(a*)*", "go").search(short)?.[1]).toBe(5_000);
  });

  test("many states are no more than there is room for", () => {
    const regex = compileRegex("(a|b)*a(a|b){12}", "re2");
    const texts = Array.from({ length: 3_000 }, (_, index) => index.toString(2).padStart(14, "0").replaceAll("0", "a").replaceAll("1", "b"));
    for (const text of texts) expect(regex.fits(text)).toBe(/^(a|b)*a(a|b){12}$/.test(text));
  });
});

test("what JavaScript's engine finds, of the expressions that both know", () => {
  const atom = fc.constantFrom("a", "b", "c", ".", "[ab]", "[^a]", "\\d", "\\w", "\\b", "\\B", "^", "$", "-");
  const times = fc.constantFrom("", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}");
  const piece = fc.tuple(atom, times).map(([one, count]) => (/^(?:\\[bB]|[$^])$/.test(one) ? one : one + count));
  const expression = fc
    .array(
      fc.oneof(
        piece,
        fc.array(piece, { minLength: 1, maxLength: 3 }).map((parts) => `(${parts.join("")})`),
      ),
      { maxLength: 4 },
    )
    .map((parts) => parts.join(""));
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "1", "-", "\n", "é"), maxLength: 8 });
  fc.assert(
    fc.property(fc.array(expression, { minLength: 1, maxLength: 3 }), fc.array(text, { maxLength: 5 }), (alternatives, texts) => {
      const source = alternatives.join("|");
      const regex = compileRegex(source, "go");
      for (const each of texts) {
        const theirs = new RegExp(source, "du").exec(each)?.indices?.flatMap((pair) => pair ?? [-1, -1]);
        expect([source, each, regex.search(each) && [...(regex.search(each) ?? [])]]).toEqual([source, each, theirs]);
        expect([source, each, regex.fits(each)]).toEqual([source, each, new RegExp(`^(?:${source})$`, "u").test(each)]);
      }
    }),
    { seed: SEED, numRuns: 500 * RUNS },
  );
});

test("shapes without an automaton", () => {
  for (const [source, fits, not] of [
    ["/a/b", ["/a/b"], ["/a/", "/a/bc"]],
    ["^/a/.*$", ["/a/", "/a/b/c"], ["/a", "/a/\n"]],
    ["/a/.+", ["/a/b"], ["/a/"]],
    [".*\\.test", [".test", "a.b.test"], ["a.test.", "a\n.test"]],
    ["(?s).*x", ["\nx"], ["x\n"]],
    ["GET|POST|(PUT)", ["GET", "PUT"], ["GE", "GETPOST"]],
  ] as const) {
    for (const text of fits) expect([source, text, compileRegex(source, "re2").fits(text)]).toEqual([source, text, true]);
    for (const text of not) expect([source, text, compileRegex(source, "re2").fits(text)]).toEqual([source, text, false]);
  }
});

test("for Envoy, characters are bytes of UTF-8", () => {
  expect(compileRegex("é.", "re2").fits(Buffer.from("éa").toString("latin1"))).toBe(true);
  expect(compileRegex(".", "re2").fits(Buffer.from("é").toString("latin1"))).toBe(false);
  expect(compileRegex(".", "go").fits("é")).toBe(true);
  expect(compileRegex("[😀-😂]+", "go").fits("😁😂")).toBe(true);
  expect(regexProblem("\\x{100}", "re2")).toBe("invalid escape sequence: \\x{100");
});

test("replaced as RE2 does", () => {
  const replace = (source: string, template: string, text: string): string => replaceAll(compileRegex(source, "re2"), text, parseRewrite(template, 9) ?? []);
  expect(replace("^/svc/([^/]+)(/.*)$", "/\\1\\2?s=\\1", "/svc/a/b")).toBe("/a/b?s=a");
  expect(replace("a", "<\\0>\\\\", "banana")).toBe("b<a>\\n<a>\\n<a>\\");
  expect(replace("x*", "-", "abxc")).toBe("-a-b-c-");
  expect(replace("(a)|b", "[\\1]", "abc")).toBe("[a][]c");
  expect(replace("$", "!", "ab")).toBe("ab!");
  expect([parseRewrite("a\\x\\1", 1), parseRewrite("a\\", 0), parseRewrite("\\2", 1)]).toEqual([["a"], ["a"], undefined]);
  expect(expandGo("$1-${n}$$$x_", (name) => ({ 1: "one", n: "N" })[name])).toBe("one-N$");
});

test("too deep and too large", () => {
  expect(regexProblem(`${"(".repeat(1_001)}a${")".repeat(1_001)}`, "go")).toContain("nests too deeply");
  expect(regexProblem(`(${"a".repeat(500)}){1000}`, "re2")).toBe("pattern too large - compile failed");
  expect(compileRegex("a{300}", "re2").programSize).toBe(304);
});
