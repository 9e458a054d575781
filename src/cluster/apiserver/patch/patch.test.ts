import { expect, test } from "bun:test";
import { builtinResources } from "../../../resources/index.ts";
import { cloneJson, type JsonObject } from "../json.ts";
import { applyJsonPatch, MalformedPatch, PatchMismatch } from "./json-patch.ts";
import { applyMergePatch } from "./merge-patch.ts";
import { applyStrategicMergePatch, StrategicPatchError } from "./strategic-merge.ts";
// Patches and what Kubernetes' own library (apimachinery v0.33) makes of them.
import strategic from "./testdata/strategic.json";

const schemas = new Map(builtinResources().map(({ kind, versions }) => [kind, versions[0]?.schema]));

for (const { kind, name, original, patch, result, error } of strategic as {
  kind: string;
  name: string;
  original: JsonObject;
  patch: JsonObject;
  result?: JsonObject;
  error?: string;
}[]) {
  test(`strategic merge of a ${kind}: ${name}`, () => {
    const run = () => applyStrategicMergePatch(cloneJson(original), cloneJson(patch), schemas.get(kind));
    if (error === undefined) expect(run() as unknown).toEqual(result);
    else expect(run).toThrow(StrategicPatchError);
  });
}

test("merge patches follow RFC 7386", () => {
  // The RFC's appendix.
  const cases: [unknown, unknown, unknown][] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [document, patch, result] of cases) expect(applyMergePatch(document, patch)).toEqual(result);
});

test("JSON patches follow RFC 6902", () => {
  const document = () => ({ a: { b: [1, 2, 3] }, "x/y": 1, "m~n": 2 });
  const run = (...patch: object[]) => applyJsonPatch(document(), patch);
  expect(run({ op: "add", path: "/a/b/1", value: 9 })).toMatchObject({ a: { b: [1, 9, 2, 3] } });
  expect(run({ op: "add", path: "/a/b/-", value: 9 })).toMatchObject({ a: { b: [1, 2, 3, 9] } });
  expect(run({ op: "remove", path: "/a/b/0" })).toMatchObject({ a: { b: [2, 3] } });
  expect(run({ op: "replace", path: "/x~1y", value: 5 }, { op: "replace", path: "/m~0n", value: 6 })).toMatchObject({ "x/y": 5, "m~n": 6 });
  expect(run({ op: "move", from: "/a/b/0", path: "/first" })).toMatchObject({ first: 1, a: { b: [2, 3] } });
  expect(run({ op: "copy", from: "/a", path: "/c" }, { op: "add", path: "/c/b/0", value: 0 })).toMatchObject({ a: { b: [1, 2, 3] }, c: { b: [0, 1, 2, 3] } });
  expect(run({ op: "test", path: "/a", value: { b: [1, 2, 3] } }, { op: "remove", path: "/a" })).not.toHaveProperty("a");
  expect(run({ op: "replace", path: "", value: { whole: true } })).toEqual({ whole: true });
  for (const bad of [
    { op: "test", path: "/a/b/0", value: 7 },
    { op: "remove", path: "/none" },
    { op: "add", path: "/none/below", value: 1 },
    { op: "add", path: "/a/b/9", value: 1 },
    { op: "remove", path: "/a/b/x" },
    { op: "nonsense", path: "/a" },
    { op: "add", path: "/__proto__/x", value: 1 },
  ]) {
    expect(() => run(bad)).toThrow(PatchMismatch);
  }
  expect(() => applyJsonPatch({}, {})).toThrow(MalformedPatch);
});
