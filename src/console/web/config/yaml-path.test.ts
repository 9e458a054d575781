import { expect, test } from "bun:test";
import { cursorAt } from "./yaml-path.ts";

const TEXT = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: a
spec:
  action: ALLOW
  rules:
  - from:
    - source:
        namespaces: [a]
        |
    to:
    - operation:
        methods: ["GET"]
  |
`;

const at = (nth: number) => {
  const marks = [...TEXT.matchAll(/\|/g)].map(({ index }) => index);
  const text = TEXT.replaceAll("|", "");
  const { path, present, indent } = cursorAt(text, marks[nth]! - nth);
  return { path: path.join("."), present: [...present].sort(), indent };
};

test("an empty line belongs to the mapping of its column", () => {
  expect(at(0)).toEqual({ path: "spec.rules.from.source", present: ["namespaces"], indent: 8 });
  expect(at(1)).toEqual({ path: "spec", present: ["action", "rules"], indent: 2 });
});

test("what is typed of a key, at the root and in a list's item", () => {
  const typing = "spec:\n  rules:\n  - fr";
  expect(cursorAt(typing, typing.length)).toMatchObject({ path: ["spec", "rules"], typed: "fr", indent: 4 });
  expect(cursorAt("ki", 2)).toMatchObject({ path: [], typed: "ki", indent: 0 });
  expect(cursorAt("a: b", 4).typed).toBe("");
});

test("another item of a list is another mapping", () => {
  const text = "spec:\n  rules:\n  - from: []\n    to: []\n  - when: []\n";
  expect([...cursorAt(text, text.indexOf("when")).present]).toEqual([]);
  expect([...cursorAt(text, text.indexOf("to:")).present]).toEqual(["from"]);
});
