import { expect, test } from "bun:test";
import type { Schema } from "../../../resources/index.ts";
import { type Checked, dynamicChecker, ruleChecker } from "./cel-check.ts";

const schema: Schema = {
  type: "object",
  properties: {
    count: { type: "integer" },
    name: { type: "string" },
    at: { type: "string", format: "date-time" },
    free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    items: { type: "array", items: { type: "object", properties: { "a-b": { type: "string" } } } },
    labels: { type: "object", additionalProperties: { type: "string" } },
    port: { "x-kubernetes-int-or-string": true },
  },
};
const problem = (checked: Checked) => ("problem" in checked ? checked.problem : checked.type);

test("fields that a schema does not have, names that nobody declared and types that do not go together are refused in cel-go's words", () => {
  const check = ruleChecker(schema, false);
  expect(problem(check("self.nope == 1"))).toBe("ERROR: <input>:1:5: undefined field 'nope'\n | self.nope == 1\n | ....^");
  expect(problem(check("self.items.all(x, x.b == '')"))).toContain("undefined field 'b'");
  expect(problem(check("other == 1"))).toContain("undeclared reference to 'other' (in container '')");
  expect(problem(check("self.name.shout()"))).toContain("undeclared reference to 'shout'");
  expect(problem(check("self.count == 'x'"))).toContain("found no matching overload for '_==_' applied to '(int, string)'");
  expect(problem(check("self.count =="))).toContain("1:14: Syntax error: mismatched input '<EOF>'");
  expect(check("self.count")).toEqual({ type: "int" });
});

test("what rules may well say passes", () => {
  const check = ruleChecker(schema, true);
  const rules = [
    "self.count > 0 && self.name.startsWith('a')",
    "self.at > timestamp('2020-01-01T00:00:00Z')",
    "self.items.all(x, x.a__dash__b != '')",
    "has(self.free.any.thing) && self.free.x == 3",
    "self.labels.all(k, self.labels[k].size() < 9)",
    "type(self.port) == int || self.port == 'http'",
    "self.metadata.name.size() < 20 && self.kind == 'X'",
    "oldSelf.count <= self.count && self == oldSelf",
    "self.items.map(x, x.a__dash__b).exists_one(n, n == 'a')",
  ];
  for (const rule of rules) expect([rule, ["bool", "dyn"].includes(problem(check(rule)))]).toEqual([rule, true]);
});

test("expressions over what nobody can know are held to their names", () => {
  const check = dynamicChecker(["object", "variables"]);
  expect(check("object.spec.replicas <= variables.max")).toEqual({ type: "bool" });
  expect(problem(check("oldObject.spec == 1"))).toContain("undeclared reference to 'oldObject'");
});
