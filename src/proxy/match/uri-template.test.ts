import { expect, test } from "bun:test";
import { compileRegex } from "../../base/regex/index.ts";
import { templateExpression } from "./uri-template.ts";

test.each([
  ["/a/*/c", "/a/b/c", true],
  ["/a/*/c", "/a/b/b/c", false],
  ["/a/*/c", "/a//c", false],
  ["/a/**", "/a/b/c", true],
  ["/a/**", "/a/", true],
  ["/a/**", "/b", false],
  ["/**/end", "/x/y/end", true],
  ["/a/{x}/c", "/a/b/c", true],
  ["/a/{x=*}", "/a/b/c", false],
  ["/a/{x=**}", "/a/b/c", true],
  ["/a.b", "/axb", false],
])("%p and %p: %p", (template, path, matches) => {
  expect(compileRegex(templateExpression(template), "re2").fits(path)).toBe(matches);
});

test.each(["a/*", "/a/{}", "/a/{x", "/{*}"])("%p is refused", (template) => {
  expect(() => templateExpression(template)).toThrow("is invalid");
});
