import { create } from "@bufbuild/protobuf";
import { expect, test } from "bun:test";
import { RegexMatchAndSubstituteSchema } from "../../proto/gen/envoy/type/matcher/v3/regex_pb.ts";
import { compilePattern, compileSubstitute, DEFAULT_MAX_PROGRAM_SIZE, limitProgramSize } from "./regex.ts";

test("an expression is refused in Envoy's words", () => {
  for (const [source, why] of [
    ["", "value length must be at least 1"],
    ["(?=a)", "invalid perl operator: (?="],
    ["(a)\\1", "invalid escape sequence: \\1"],
    ["a**", "bad repetition operator: **"],
  ] as const) {
    expect(() => compilePattern(source)).toThrow(why);
  }
});

test("larger programs than the runtime allows are refused", () => {
  expect(compilePattern("a{300}").fits("a".repeat(300))).toBe(true);
  limitProgramSize(DEFAULT_MAX_PROGRAM_SIZE);
  try {
    expect(() => compilePattern("a{300}")).toThrow(
      "regex 'a{300}' RE2 program size of 304 > max program size of 100 set for the error level threshold. Increase configured max program size if necessary.",
    );
    expect(() => compilePattern("a{97}")).toThrow("101");
    expect(compilePattern("a{96}").fits("a".repeat(96))).toBe(true);
  } finally {
    limitProgramSize(32_768);
  }
});

test("a substitution with groups that are not there changes nothing, one with another escape ends there", () => {
  const substitute = (regex: string, substitution: string): string =>
    compileSubstitute(create(RegexMatchAndSubstituteSchema, { pattern: { regex }, substitution }))("/abc");
  expect(substitute("/(a)", "/\\1\\1")).toBe("/aabc");
  expect(substitute("/(a)", "/\\2")).toBe("/abc");
  expect(substitute("/(a)", "/x\\q\\1")).toBe("/xbc");
});
