import { expect, test } from "bun:test";
import { mergeSlashes, normalizePath } from "./path-normalize.ts";

test("dot segments, back-slashes and needless escapes go; the query stays", () => {
  const cases: [string, string | undefined][] = [
    ["/a/b", "/a/b"],
    ["/a/../b", "/b"],
    ["/a/./b/..", "/a/"],
    ["/../../x", "/x"],
    ["/a/b/.", "/a/b/"],
    ["/%61/%2e%2E/b", "/b"],
    ["/a%2fb", "/a%2fb"],
    ["/a\\b\\..\\c", "/a/c"],
    ["/a//b", "/a//b"],
    ["/a?x=/../y", "/a?x=/../y"],
    ["/a%zz", "/a%zz"],
    ["/<a>", "/%3Ca%3E"],
    ["/...", "/..."],
    ["/.a/..b", "/.a/..b"],
    ["/%00", undefined],
    ["/a#b", undefined],
    ["a", undefined],
  ];
  for (const [path, normal] of cases) expect([path, normalizePath(path)]).toEqual([path, normal]);
});

test("slashes are merged in the path only", () => {
  expect(mergeSlashes("//a///b?c=//d")).toBe("/a/b?c=//d");
});
