import { describe, expect, test } from "bun:test";
import { parseTemplate, runTemplate, strategicMerge, structOf, templateFunctions } from "./index.ts";

const FUNCTIONS = templateFunctions({ HOME_OF: "here" });
const run = (text: string, data: unknown = {}): string => runTemplate(parseTemplate(text, FUNCTIONS), data);

describe("Go templates", () => {
  test("white space, comments, literals and variables", () => {
    expect(run("a {{- /* gone */ -}} b")).toBe("ab");
    expect(run('a\n  {{- 1 }} {{ `raw"` }} {{ "q\\x41\\t" }} {{ \'x\' }} {{ true }}\n{{- "" -}}\n z')).toBe('a1 raw" qA\t 120 truez');
    expect(run("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ end }}{{ $x }}")).toBe("2");
    expect(run('{{ nil | default 7 }} {{ (index . "a").b }}', { a: { b: "c" } })).toBe("7 c");
  });

  test("branches, ranges and what ends them", () => {
    const text =
      "{{ range $i, $e := .list }}{{ if eq $e 2 }}{{ continue }}{{ else if eq $e 4 }}{{ break }}{{ else }}{{ $i }}:{{ $e }} {{ end }}{{ else }}none{{ end }}";
    expect(run(text, { list: [1, 2, 3, 4, 5] })).toBe("0:1 2:3 ");
    expect(run(text, { list: [] })).toBe("none");
    expect(run("{{ with .a }}{{ .b }}{{ $.c }}{{ else }}no{{ end }}{{ with .z }}{{ else }}no{{ end }}", { a: { b: 1 }, c: 2 })).toBe("12no");
    expect(run("{{ range $k, $v := .m }}{{ $k }}{{ $v }}{{ end }}{{ range 3 }}{{ . }}{{ end }}", { m: { z: 1, a: 2 } })).toBe("a2z1012");
  });

  test("templates within templates", () => {
    expect(run('{{ define "t" }}[{{ . }}]{{ end }}{{ template "t" .a }}{{ block "u" "x" }}<{{ . }}>{{ end }}', { a: 1 })).toBe("[1]<x>");
  });

  test("fields of structs have Go's names, and only what is needed is looked at", () => {
    const data = { Spec: structOf({ containers: [{ name: "a", httpGet: { port: 1 }, labels: { Key: "v" } }] }) };
    expect(run("{{ range .Spec.Containers }}{{ .Name }} {{ .HTTPGet.Port }} {{ .Labels.Key }}{{ .Image }}{{ end }}|{{ .Nope }}", data)).toBe(
      "a 1 v|<no value>",
    );
    expect(run('{{ or "a" (fail "never") }}{{ and "" (fail "never") }}')).toBe("a");
  });

  test("functions of sprig and Istio", () => {
    expect(run('{{ list 3 1 | toJson }} {{ dict "b" 1 "a" (list "x") | toYaml | indent 2 }}')).toBe("[3,1] a:\n  - x\n  b: 1\n  ");
    expect(
      run(
        '{{ "a-b_c" | camelcase }} {{ "aB" | snakecase }} {{ splitList "," "a,b" | last }} {{ (split "/" "a/b")._1 }} {{ regexReplaceAll "a(x)" "-ax-" "${1}" }} {{ untilStep 0 6 2 }}',
      ),
    ).toBe("ABC a_b b b -x- [0 2 4]");
    expect(run('{{ env "HOME_OF" "x" }} {{ env "NOPE" "x" }} {{ printf "%-4s|%4d|%t|%5.1f|%x" "a" 7 true 1.25 255 }}')).toBe("here x a   |   7|true|  1.3|ff");
    expect(
      run('{{ merge (dict "a" 1) (dict "a" 2 "b" 3) | toJson }} {{ dig "x" "y" "d" (dict "x" (dict)) }} {{ omitNil (dict "a" nil "b" 1) | toJson }}'),
    ).toBe('{"a":1,"b":3} d {"b":1}');
  });

  test("what Go refuses, and what runs away", () => {
    for (const [text, problem] of [
      ["{{ nope 1 }}", 'function "nope" not defined'],
      ["{{ if true }}", "unexpected end of {{if}}"],
      ["{{ end }}", "unexpected {{end}}"],
      ["{{ (1 }}", "unclosed left paren"],
      ["{{ 1", "unclosed action"],
      ["{{ $x }}", 'undefined variable "$x"'],
      ["{{ .a 1 }}", "can't give argument to non-function"],
      ['{{ template "t" }}', 'template "t" not defined'],
      ['{{ eq 1 "1" }}', "incompatible types for comparison"],
      ['{{ fail "no pod of mine" }}', "no pod of mine"],
      ['{{ define "t" }}{{ template "t" }}{{ end }}{{ template "t" }}', "exceeded maximum template depth"],
      ["{{ range 900000 }}{{ range 900000 }}x{{ end }}{{ end }}", "too"],
    ] as const)
      expect(() => run(text)).toThrow(problem);
  });
});

describe("strategic merge", () => {
  test("lists by their keys: what is patched stays in place, what is new comes first", () => {
    const original = { containers: [{ name: "a", image: "1", env: [{ name: "X", value: "1" }] }, { name: "b" }], args: ["x", "y"] };
    const patch = { containers: [{ name: "new" }, { name: "b", image: "2" }, { name: "a", env: [{ name: "Y", value: "2" }] }], args: ["z"] };
    expect(strategicMerge(original, patch)).toEqual({
      containers: [
        { name: "new" },
        {
          name: "a",
          image: "1",
          env: [
            { name: "Y", value: "2" },
            { name: "X", value: "1" },
          ],
        },
        { name: "b", image: "2" },
      ].toSorted((a, b) => ["new", "b", "a"].indexOf(a.name) - ["new", "b", "a"].indexOf(b.name)),
      args: ["z"],
    });
  });

  test("deletes and replaces where it is told to, and null takes a field away", () => {
    expect(
      strategicMerge(
        { volumes: [{ name: "a" }, { name: "b" }], x: 1, y: { z: 1 } },
        { volumes: [{ name: "a", $patch: "delete" }], x: null, y: { $patch: "replace", w: 2 } },
      ),
    ).toEqual({ volumes: [{ name: "b" }], y: { w: 2 } });
  });
});
