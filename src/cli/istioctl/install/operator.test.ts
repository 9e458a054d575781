import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { merge, mergeInputs, setPath, type OperatorTree } from "./operator.ts";

const folder = mkdtempSync(join(tmpdir(), "operator-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

test("later files go over earlier ones, --set over both; lists of named things are merged by name", () => {
  const first = file(
    "a.yaml",
    "kind: IstioOperator\nspec:\n  profile: demo\n  components: {egressGateways: [{name: a, enabled: true}, {name: b, enabled: false}]}\n",
  );
  const second = file("b.yaml", "spec:\n  profile: minimal\n  components: {egressGateways: [{name: b, enabled: true}, {name: c}]}\n");
  const { spec } = mergeInputs(
    [first, second],
    ["profile=default", "meshConfig.accessLogFile=/dev/stdout", "tag=1.10", "values.global.logAsJson=true", "values.pilot.replicaCount=2"],
  );
  expect(spec as object).toEqual({
    profile: "default",
    components: { egressGateways: [{ name: "a", enabled: true }, { name: "b", enabled: true }, { name: "c" }] },
    meshConfig: { accessLogFile: "/dev/stdout" },
    // A version that looks like a number stays what was written.
    tag: "1.10",
    values: { global: { logAsJson: true }, pilot: { replicaCount: 2 } },
  });
});

test("paths: escaped dots, places in lists, elements by a field", () => {
  const tree: OperatorTree = { spec: { list: [{ name: "x", port: 1 }] } };
  setPath(tree, "spec.labels.app\\.kubernetes\\.io/name", "a");
  setPath(tree, "spec.list[name:x].port", 2);
  setPath(tree, "spec.list[7].name", "y");
  setPath(tree, "spec.words[0]", "w");
  expect(tree as object).toEqual({ spec: { labels: { "app.kubernetes.io/name": "a" }, list: [{ name: "x", port: 2 }, { name: "y" }], words: ["w"] } });
  expect(() => setPath(tree, "spec.list[name:nosuch].port", 1)).toThrow("element [name:nosuch] not found");
  expect(() => setPath(tree, "spec.words[0].x", 1)).toThrow("words[0] is a value, not a map");
  expect(() => setPath(tree, "spec.__proto__.polluted", true)).toThrow("no path of an IstioOperator");
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test("merging leaves the source alone and replaces what is no map", () => {
  const source: OperatorTree = { a: { b: [1] } };
  const target: OperatorTree = { a: { b: [9, 9], c: 1 } };
  merge(target, source);
  (source.a as { b: number[] }).b.push(2);
  expect(target as object).toEqual({ a: { b: [1], c: 1 } });
});

test("files that are none, or hold something else, are named", () => {
  expect(() => mergeInputs([join(folder, "nosuch.yaml")], [])).toThrow(/merge inputs: open .*nosuch.yaml: no such file or directory$/);
  expect(() => mergeInputs([file("c.yaml", "a: [")], [])).toThrow(/merge inputs: .*c.yaml/);
  expect(() => mergeInputs([file("d.yaml", "kind: Gateway\n")], [])).toThrow("holds a Gateway, not an IstioOperator");
  expect(() => mergeInputs([file("e.yaml", "- 1\n")], [])).toThrow("holds no IstioOperator");
  expect(() => mergeInputs([file("f.yaml", "spec: {}\n---\nspec: {}\n")], [])).toThrow("contains multiple IstioOperator CRs");
});
