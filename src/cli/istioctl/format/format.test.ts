import { expect, test } from "bun:test";
import { goYaml } from "./go-yaml.ts";
import { marshalIndent } from "./go-json.ts";
import { goSort } from "./go-sort.ts";
import { tabwriter } from "./tabwriter.ts";
import { unifiedDiff } from "./unified-diff.ts";

test("tabwriter: columns end where lines have them, the last cell is not padded", () => {
  expect(tabwriter([["a", "bbb", "c"], ["aaaa", "b", ""], ["x"], ["aa", "b"]], 2)).toBe("a     bbb  c\naaaa  b    \nx\naa  b\n");
  expect(
    tabwriter(
      [
        ["é", "x"],
        ["ab", "y"],
      ],
      1,
    ),
  ).toBe("é  x\nab y\n");
});

test("YAML: what would read as another type is quoted, sequences stand under their key", () => {
  const value = {
    b10: 1,
    b9: "1",
    list: [{ a: "yes", b: [] }, ["x"], "10:30"],
    text: "one\ntwo\n",
    tail: "no end",
    tab: "a\tb",
    at: "@x",
    colon: "a: b",
    time: "2026-11-24T05:56:56Z",
    version: "2026-11-24T05:56:56Z/1",
    empty: "",
    none: null,
    big: 4294967295,
    half: 0.5,
    map: {},
  };
  expect(goYaml(value)).toBe(`at: '@x'
b9: "1"
b10: 1
big: 4294967295
colon: 'a: b'
empty: ""
half: 0.5
list:
- a: "yes"
  b: []
- - x
- "10:30"
map: {}
none: null
tab: "a\\tb"
tail: no end
text: |
  one
  two
time: "2026-11-24T05:56:56Z"
version: 2026-11-24T05:56:56Z/1
`);
});

test("JSON: Go escapes what HTML would read", () => {
  expect(marshalIndent({ a: "<b> & c" })).toBe('{\n    "a": "\\u003cb\\u003e \\u0026 c"\n}');
});

test("sort: an order that does not compare everything gives Go's result", () => {
  const less = (a: string, b: string): boolean => /^\d+$/.test(a) && /^\d+$/.test(b) && Number(a) < Number(b);
  expect(goSort(["15010", "80", "x", "8080", "15014"], less)).toEqual(["80", "15010", "x", "8080", "15014"]);
});

test("unified diff: hunks with context, nothing for equal texts", () => {
  const lines = Array.from({ length: 20 }, (_, index) => `line ${index}`);
  expect(unifiedDiff("a", "a", "x", "y")).toBe("");
  const changed = lines.with(5, "changed").toSpliced(15, 1);
  expect(unifiedDiff(lines.join("\n"), changed.join("\n"), "x", "y", 3)).toBe(
    "--- x\n+++ y\n@@ -3,7 +3,7 @@\n line 2\n line 3\n line 4\n-line 5\n+changed\n line 6\n line 7\n line 8\n@@ -13,7 +13,6 @@\n line 12\n line 13\n line 14\n-line 15\n line 16\n line 17\n line 18\n",
  );
});

test("unified diff: braces that occur everywhere hold nothing together, as in Python's difflib", () => {
  const a = ["{", ...Array.from({ length: 120 }, (_, i) => ["  },", "  {", `    "n${i}": ${i}`]).flat(), "}"];
  const b = [...a.slice(0, 31), '    "new": 1', "  },", "  {", ...a.slice(31, 200), ...a.slice(206, 300), "    changed", ...a.slice(301)];
  expect(unifiedDiff(a.join("\n"), b.join("\n"), "x", "y", 2)).toBe(
    '--- x\n+++ y\n@@ -30,4 +30,7 @@\n   {\n     "n9": 9\n+    "new": 1\n+  },\n+  {\n   },\n   {\n@@ -200,10 +203,4 @@\n   },\n   {\n-    "n66": 66\n-  },\n-  {\n-    "n67": 67\n-  },\n-  {\n     "n68": 68\n   },\n@@ -299,5 +296,5 @@\n   },\n   {\n-    "n99": 99\n+    changed\n   },\n   {\n',
  );
});

test("YAML with a width: broken at the first space past it, further in than its key, and only at single spaces", () => {
  const long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen";
  expect(goYaml([{ message: long, other: `a: ${long}` }], 80)).toBe(`- message: one two three four five six seven eight nine ten eleven twelve thirteen
    fourteen fifteen sixteen seventeen
  other: 'a: one two three four five six seven eight nine ten eleven twelve thirteen
    fourteen fifteen sixteen seventeen'
`);
  expect(goYaml([long], 20)).toBe("- one two three four five\n  six seven eight nine\n  ten eleven twelve thirteen\n  fourteen fifteen sixteen\n  seventeen\n");
  expect(goYaml({ text: "aaaaaaaaaa  b  c" }, 5)).toBe("text: aaaaaaaaaa  b  c\n");
  expect(goYaml({ text: long })).toBe(`text: ${long}\n`);
});
