import { expect, test } from "bun:test";
import { re2Problem } from "./re2.ts";

test("what RE2 takes", () => {
  for (const good of [
    "",
    "a|b",
    "^/v[0-9]+(/.*)?$",
    "(?i)abc",
    "(?P<name>x)",
    "[^]a]",
    "[a-z&&\\d]",
    "\\p{Greek}+",
    "x{2,3}?",
    "a{,3}",
    "[[:alpha:]]",
    "\\Qa(b\\E",
    "\\x{10FFFF}",
    "é+",
  ]) {
    expect([good, re2Problem(good)]).toEqual([good, undefined]);
  }
});

test("what it refuses, in Go's words", () => {
  const cases: Record<string, string> = {
    "[": "missing closing ]: `[`",
    "a[b": "missing closing ]: `[b`",
    "(a": "missing closing ): `(a`",
    "a)": "unexpected ): `a)`",
    "*a": "missing argument to repetition operator: `*`",
    "a**": "invalid nested repetition operator: `**`",
    "(?=a)": "invalid or unsupported Perl syntax: `(?=`",
    "(?!a)": "invalid or unsupported Perl syntax: `(?!`",
    "a{1001}": "invalid repeat count: `{1001}`",
    "a{3,2}": "invalid repeat count: `{3,2}`",
    "[z-a]": "invalid character class range: `z-a`",
    "\\8": "invalid escape sequence: `\\8`",
    "(a)\\1": "invalid escape sequence: `\\1`",
    "a\\": "trailing backslash at end of expression: ``",
    "(?P<n": "invalid named capture: `(?P<n`",
    "[[:nope:]]": "invalid character class range: `[:nope:]`",
  };
  for (const [text, problem] of Object.entries(cases)) expect([text, re2Problem(text)]).toEqual([text, `error parsing regexp: ${problem}`]);
});
