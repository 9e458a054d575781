/**
 * Generates src/cluster/apiserver/discovery/gen/explanations.json: what Kubernetes' own OpenAPI, and Istio's definitions,
 * say of each type and field, for `kubectl explain`. The packages kubernetes-models and @kubernetes-models/istio carry it
 * as comments of their declarations. Skipped when the stamp says nothing has changed.
 *
 *   bun scripts/generate-explanations.ts [--force]
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Explanation, Explanations } from "../src/cluster/apiserver/discovery/explanations.ts";

const ROOT = join(import.meta.dir, "..");
const PACKAGES = ["kubernetes-models", "@kubernetes-models/apimachinery"].map((name) => join(ROOT, "node_modules", name));
const ISTIO = join(ROOT, "node_modules/@kubernetes-models/istio");
const OUT = join(ROOT, "src/cluster/apiserver/discovery/gen");
/** Fewer would mean that the package has another form than the one read here. */
const LEAST_TYPES = 500;

function main(): void {
  const stamp = join(OUT, ".stamp");
  const wanted = fingerprint();
  if (!process.argv.includes("--force") && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  const types: Explanations = {};
  for (const folder of PACKAGES) {
    for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
      if (!file.endsWith(".d.ts") || file.startsWith("_schemas") || file.endsWith("index.d.ts")) continue;
      const found = readType(readFileSync(join(folder, file), "utf8"));
      if (found) types[found.name] = found.explanation;
    }
  }
  for (const file of readdirSync(ISTIO, { recursive: true, encoding: "utf8" }).sort()) {
    const [, group = "", version, kind] = /^([\w.]+\.istio\.io)\/(v\w+)\/(\w+)\.d\.ts$/.exec(file) ?? [];
    if (kind && kind !== "index")
      types[`${group.split(".").reverse().join(".")}.${version}.${kind}`] = { paths: readPaths(readFileSync(join(ISTIO, file), "utf8")) };
  }
  const count = Object.keys(types).length;
  if (count < LEAST_TYPES) throw new Error(`only ${count} types in kubernetes-models: its declarations have changed their form`);
  mkdirSync(OUT, { recursive: true });
  // Whole or not at all: another process may be reading.
  writeFileSync(join(OUT, "explanations.json.part"), JSON.stringify(types));
  renameSync(join(OUT, "explanations.json.part"), join(OUT, "explanations.json"));
  writeFileSync(stamp, wanted);
  console.log(`src/cluster/apiserver/discovery/gen: ${count} types`);
}

function fingerprint(): string {
  const hash = createHash("sha256").update(readFileSync(import.meta.path));
  for (const folder of [...PACKAGES, ISTIO]) hash.update(readFileSync(join(folder, "package.json")));
  return hash.digest("hex");
}

/** A field with its comment, up to the next one or the end of the interface. */
const FIELD = /^ {4}(?:\/\*\*\n([\s\S]*?) {4} \*\/\n {4})?"([^"]+)"(\?)?: ([\s\S]*?);$(?=\n {4}(?:\/|")|\n?$(?![\s\S]))/gm;

/** `export type { IPodSpec as IIoK8sApiCoreV1PodSpec, …`, after an interface with a comment on each field. */
function readType(source: string): { name: string; explanation: Explanation } | undefined {
  const alias = /^export type \{ \w+ as I(IoK8s\w+)/m.exec(source)?.[1];
  const name = alias && fullName(alias);
  const head = /^\/\*\*\n([\s\S]*?) \*\/\nexport (?:interface|type) I(\w+)/m.exec(source);
  if (!name) return undefined;
  const body = /^export interface I\w+[^{]*\{\n([\s\S]*?)^\}/m.exec(source)?.[1] ?? "";
  const fields: Explanation["fields"] = {};
  for (const [, comment, field = "", optional, type = ""] of body.matchAll(FIELD)) {
    const values = field === "apiVersion" || field === "kind" ? undefined : enumOf(type);
    fields[field] = {
      ...(comment ? { text: textOf(comment) } : {}),
      form: formOf(type, name),
      ...(optional ? {} : { required: true }),
      ...(values ? { enum: values } : {}),
    };
  }
  return { name, explanation: { ...(head ? { text: textOf(head[1] ?? "") } : {}), ...(Object.keys(fields).length > 0 ? { fields } : {}) } };
}

/** Of a type whose fields are all written out in place: the text of each, by its path (spec.mtls.mode). */
function readPaths(source: string): Record<string, string> {
  const lines = (/^export interface I\w+[^{]*\{\n([\s\S]*?)^\}/m.exec(source)?.[1] ?? "").split("\n");
  const paths: Record<string, string> = {};
  const above: string[] = [];
  let comment: string[] | undefined;
  let text = "";
  for (const line of lines) {
    if (comment) {
      if (line.trim() === "*/") [text, comment] = [textOf(comment.join("\n")), undefined];
      else comment.push(line);
      continue;
    }
    if (line.trim() === "/**") comment = [];
    const [, indent = "", name] = /^( +)(?:"([^"]+)"\??|\[key: string\]): /.exec(line) ?? [];
    if (indent === "") continue;
    // Four spaces a level; a map's values stand under no name of their own.
    const level = indent.length / 4 - 1;
    above.splice(level, above.length, name ?? "");
    const path = above.filter((part) => part !== "").join(".");
    if (name !== undefined && text !== "") paths[path] ??= text;
    text = "";
  }
  return paths;
}

/** The words of a comment; its lines are the text's lines. */
function textOf(comment: string): string {
  return comment
    .split("\n")
    .map((line) => line.replace(/^ *\* ?/, ""))
    .join("\n")
    .trim()
    .replaceAll("\\*", "*")
    .replaceAll("*\\/", "*/");
}

/** `Array<IIoK8sApiCoreV1Container>` is []io.k8s.api.core.v1.Container; what is written out in place is an object. */
function formOf(type: string, owner: string): string {
  const text = type.trim();
  const items = /^Array<([\s\S]*)>$/.exec(text)?.[1];
  if (items !== undefined) return `[]${formOf(items, owner)}`;
  const values = /^\{\s*\[key: string\]: ([\s\S]*);\s*\}$/.exec(text)?.[1];
  if (values !== undefined) return `map[string]${formOf(values, owner)}`;
  const reference = /^I(IoK8s\w+)$/.exec(text)?.[1];
  if (reference) return fullName(reference) ?? "object";
  if (text === `I${owner.split(".").pop()}`) return owner;
  if (text === "number") return "integer";
  return text === "string" || text === "boolean" ? text : text.startsWith('"') ? "string" : "object";
}

/** `"Always" | "Never"`, also as what an array holds. */
function enumOf(type: string): string[] | undefined {
  const inner = /^Array<(.*)>$/s.exec(type)?.[1] ?? type;
  return /^\(?"[^"]*"(?: \| "[^"]*")*\)?$/.test(inner) ? [...inner.matchAll(/"([^"]*)"/g)].map(([, value]) => value ?? "") : undefined;
}

/** IoK8sApiCoreV1PodSpec is io.k8s.api.core.v1.PodSpec. */
function fullName(alias: string): string | undefined {
  const api = /^IoK8sApi([A-Z][a-z0-9]+)(V\d+(?:(?:alpha|beta)\d+)?)([A-Z]\w*)$/.exec(alias);
  if (api) return `io.k8s.api.${api[1]?.toLowerCase()}.${api[2]?.toLowerCase()}.${api[3]}`;
  for (const [prefix, full] of [
    ["IoK8sApimachineryPkgApisMetaV1", "io.k8s.apimachinery.pkg.apis.meta.v1."],
    ["IoK8sApimachineryPkgApiResource", "io.k8s.apimachinery.pkg.api.resource."],
    ["IoK8sApimachineryPkgUtilIntstr", "io.k8s.apimachinery.pkg.util.intstr."],
    ["IoK8sApimachineryPkgRuntime", "io.k8s.apimachinery.pkg.runtime."],
    ["IoK8sApiextensionsApiserverPkgApisApiextensionsV1", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."],
    ["IoK8sKubeAggregatorPkgApisApiregistrationV1", "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1."],
  ] as const) {
    if (alias.startsWith(prefix)) return full + alias.slice(prefix.length);
  }
  return undefined;
}

main();
