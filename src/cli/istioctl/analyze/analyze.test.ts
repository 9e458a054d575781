import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KubeObject } from "../../../resources/types.ts";
import { analyze, ANALYZERS, findingsText } from "./analyze.ts";
import { alphaAnnotations } from "./annotations.ts";
import { readObjects } from "./file-objects.ts";
import { isKnownCode, levelOf, type Finding } from "./findings.ts";
import { isAnalyzed, isTakenFromFiles } from "./kinds.ts";
import { fileObjects, gatherFiles } from "./load.ts";
import { World } from "./world.ts";

const folder = `${import.meta.dir}/../../../../test/golden/analyze`;
const golden = (name: string): string => readFileSync(`${folder}/${name}`, "utf8");
const recorded = JSON.parse(Buffer.from(Bun.gunzipSync(new Uint8Array(readFileSync(`${folder}/world.json.gz`)))).toString("utf8")) as { items: KubeObject[] };
const SYSTEM = { istioNamespace: "istio-system" };

const inNamespace =
  (namespace: string) =>
  ({ about }: Finding): boolean =>
    about.metadata.namespace === namespace || (about.kind === "Namespace" && about.metadata.name === namespace);
const everything = (): boolean => true;
const lines = (objects: KubeObject[], include = everything): string => findingsText(analyze(new World(objects, SYSTEM), ANALYZERS, include), { format: "log" });
/** As if they had been read from a cluster: without a file. */
const withoutFile = (objects: readonly KubeObject[]): KubeObject[] => objects.map((object) => structuredClone(object));

test("a mistake of every kind gives the lines that Istio gives, with the lines of the file", () => {
  const { objects, problems } = readObjects("mistakes.yaml", golden("mistakes.yaml"), { namespace: undefined, takes: isAnalyzed });
  expect(problems).toEqual([]);
  expect(lines(objects)).toBe(golden("mistakes.txt"));
  const codes = new Set(golden("mistakes.txt").match(/IST\d{4}/g));
  expect(codes.size).toBeGreaterThan(50);
  for (const code of codes) expect(isKnownCode(code)).toBe(true);
});

test("the recorded mistakes of a cluster give the recorded lines", () => {
  const { objects } = readObjects("input.yaml", golden("input.yaml"), { namespace: "istioinaction", takes: isAnalyzed });
  expect(lines([...recorded.items, ...withoutFile(objects)], inNamespace("istioinaction") as typeof everything)).toBe(
    `${golden("bad.txt").split("\n").slice(0, 7).join("\n")}\n`,
  );
});

test("a clean namespace has no findings; a bare one is told how to join", () => {
  expect(lines(recorded.items, inNamespace("istioinaction") as typeof everything)).toBe("\n");
  expect(golden("clean.txt")).toContain(lines(recorded.items, inNamespace("default") as typeof everything));
});

test("findings as JSON and YAML, with the file they came from", () => {
  const { objects } = readObjects(
    "a.yaml",
    "# first\n---\n\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec: {selector: {a: b}, servers: []}\n",
    { namespace: "ns", takes: isAnalyzed },
  );
  const findings = analyze(new World(objects, SYSTEM), ANALYZERS, ({ code, path }) => code === "IST0101" && path !== undefined);
  expect(findingsText(findings, { format: "log" })).toBe('Error [IST0101] (Gateway ns/g a.yaml:7) Referenced selector not found: "a=b"\n');
  expect(findingsText(findings, { format: "log", color: true })).toStartWith("\u001b[1;31mError\u001b[0m [IST0101]");
  expect(JSON.parse(findingsText(findings, { format: "json", reference: "istioctl-analyze" }))).toEqual([
    {
      code: "IST0101",
      documentationUrl: "https://istio.io/v1.30/docs/reference/config/analysis/ist0101/?ref=istioctl-analyze",
      level: "Error",
      message: 'Referenced selector not found: "a=b"',
      origin: "Gateway ns/g",
      reference: "a.yaml:7",
    },
  ]);
  expect(findingsText(findings, { format: "yaml" })).toStartWith("- code: IST0101\n  documentationUrl: https://");
  expect(findingsText([], { format: "json" })).toBe("[]\n");
  expect(findingsText([], { format: "log" })).toBe("\n");
});

test("files: folders with all below, what cannot be read is told, what runs is passed over", () => {
  const place = mkdtempSync(join(tmpdir(), "analyze-"));
  const file = (name: string, text: string): string => {
    writeFileSync(join(place, name), text);
    return join(place, name);
  };
  const good = file(
    "good.yaml",
    "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: p}\n---\napiVersion: kube.example.com/v1\nkind: Other\n---\n# nothing\n",
  );
  const bad = file("bad.yaml", "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec: {servers: many}\n---\nfoo: bar\n---\n- 1\n");
  file("notes.txt", "");
  const warnings: string[] = [];
  const files = gatherFiles([place], (text) => void warnings.push(text));
  expect(files).toEqual([bad, good]);
  expect(warnings).toEqual([`Skipping file ${join(place, "notes.txt")}, recognized file extensions are: [.json .yaml .yml]\n`]);
  const { objects, problems } = fileObjects(files, "ns");
  rmSync(place, { recursive: true });
  expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`)).toEqual(["PeerAuthentication ns/p"]);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toStartWith(
    `errors parsing content ${JSON.stringify(bad)}: 3 errors occurred:\n\t* error processing ${bad}[0]: failed parsing JSON for built-in type: json: cannot unmarshal string into Go struct field Gateway.spec of type []json.RawMessage\n`,
  );
  expect(problems[0]).toContain(`\t* error processing ${bad}[1]: unable to parse resource with no group, version and kind\n`);
  expect(isTakenFromFiles("v1", "Pod")).toBe(false);
  expect(isTakenFromFiles("v1", "ConfigMap")).toBe(true);
  expect(isTakenFromFiles("networking.istio.io/v1", "PeerAuthentication")).toBe(false);
});

test("a file with anchors that multiply is refused, and words of YAML 1.1 are what kubectl takes them for", () => {
  const bomb = `apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`;
  expect(() => readObjects("bomb.yaml", bomb, { namespace: "ns", takes: isAnalyzed })).toThrow();
  const { problems } = readObjects(
    "y.yaml",
    "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v}\nspec: {hosts: [a], http: [{route: [{destination: {host: y}}]}]}\n",
    { namespace: "ns", takes: isAnalyzed },
  );
  expect(problems[0]).toContain("cannot unmarshal bool into Go struct field VirtualService.spec of type string");
});

test("annotations of an alpha stage are for precheck", () => {
  const pod: KubeObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "p",
      namespace: "ns",
      annotations: { "sidecar.istio.io/logLevel": "debug", "sidecar.istio.io/interceptionMode": "TPROXY", "proxy.istio.io/config": "{}" },
    },
    spec: { initContainers: [] },
  };
  expect(alphaAnnotations.run(new World([pod], SYSTEM)).map(({ message }) => message)).toEqual([
    'Annotation "sidecar.istio.io/logLevel" is part of an alpha-phase feature and may be incompletely supported.',
  ]);
});

test("every analyzer of Istio is there, and levels are Istio's", () => {
  expect(new Set(ANALYZERS.map(({ name }) => name)).size).toBe(ANALYZERS.length);
  expect(ANALYZERS.map(({ name, description }) => `* ${name}:\n    ${description}\n`).join("")).toBe(golden("analyzers.txt"));
  for (const [, level, code] of golden("mistakes.txt").matchAll(/^(\w+) \[(IST\d+)\]/gm)) expect(levelOf(code ?? "")).toBe(level as never);
});

test("validation within analyze looks at no annotations, as in Istio", () => {
  const policy: KubeObject = {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "p", namespace: "ns", annotations: { "istio.io/dry-run": "true" } },
    spec: { action: "CUSTOM", provider: { name: "x" }, rules: [{}] },
  };
  const analyzer = ANALYZERS.find(({ name }) => name === "schema.ValidationAnalyzer.AuthorizationPolicy");
  expect(analyzer?.run(new World([policy], SYSTEM))).toEqual([]);
});
