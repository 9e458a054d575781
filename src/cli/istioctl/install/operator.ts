import { ChainmailError, errorText } from "../../../base/index.ts";
import { readFileSync } from "node:fs";
import { fileError } from "../format/file-error.ts";

/** An IstioOperator as plain data: `metadata` and `spec`. */
export type OperatorTree = { [key: string]: unknown };

/** Files in their order, and `--set` flags over them, below `spec`. */
export function mergeInputs(files: readonly string[], sets: readonly string[]): OperatorTree {
  const tree: OperatorTree = { apiVersion: "install.istio.io/v1alpha1", kind: "IstioOperator", metadata: {}, spec: {} };
  for (const file of files) merge(tree, readOperator(file));
  for (const set of sets) {
    const equals = set.indexOf("=");
    const path = (equals < 0 ? set : set.slice(0, equals)).trim();
    setPath(tree, `spec.${path}`, parseValue(`spec.${path}`, equals < 0 ? "" : set.slice(equals + 1).trim()));
  }
  return tree;
}

function readOperator(file: string): OperatorTree {
  let text: string;
  try {
    text = readFileSync(file === "-" ? 0 : file.trim(), "utf8");
  } catch (cause) {
    throw new ChainmailError("FILE_UNREADABLE", `merge inputs: ${fileError(file, cause)}`, { cause });
  }
  let documents: unknown[];
  try {
    documents = text
      .split(/^---.*$/m)
      .map((part) => Bun.YAML.parse(part) as unknown)
      .filter((document) => document !== null && document !== undefined);
  } catch (cause) {
    throw new ChainmailError("FILE_INVALID", `merge inputs: ${file}: ${errorText(cause)}`, { cause });
  }
  if (documents.length > 1) throw new ChainmailError("FILE_INVALID", "merge inputs: contains multiple IstioOperator CRs, only one per file is supported");
  const [document = {}] = documents;
  if (!isTree(document)) throw new ChainmailError("FILE_INVALID", `merge inputs: ${file} holds no IstioOperator`);
  if (document.kind !== undefined && document.kind !== "IstioOperator")
    throw new ChainmailError("FILE_INVALID", `merge inputs: ${file} holds a ${String(document.kind)}, not an IstioOperator`);
  return Object.fromEntries(Object.entries(document).filter(([key, value]) => key !== "spec" || value !== null));
}

/** Maps are merged key by key; everything else is replaced. Lists of named things are merged by name, as Istio's. */
export function merge(target: OperatorTree, source: OperatorTree): void {
  for (const [key, value] of Object.entries(source)) {
    const known = target[key];
    if (isTree(known) && isTree(value)) merge(known, value);
    else if (isNamedList(known) && isNamedList(value)) target[key] = mergeNamed(known, value);
    else target[key] = structuredClone(value);
  }
}

function mergeNamed(known: readonly OperatorTree[], changes: readonly OperatorTree[]): OperatorTree[] {
  const all = known.map((item) => structuredClone(item));
  for (const change of changes) {
    const same = all.find(({ name }) => name === change.name);
    if (same) merge(same, change);
    else all.push(structuredClone(change));
  }
  return all;
}

/** Sets a value at `a.b\.c.d[0].e` or `a[name:x].b`; what is missing on the way is made. */
export function setPath(tree: OperatorTree, path: string, value: unknown): void {
  const steps = splitPath(path);
  if (steps.some((step) => FORBIDDEN.has(step))) throw new ChainmailError("USAGE", `merge inputs: ${path} is no path of an IstioOperator`);
  let place = tree;
  for (let at = 0; at < steps.length; at++) {
    const step = steps[at] ?? "";
    const selector = steps[at + 1]?.startsWith("[") ? steps[++at] : undefined;
    const last = at === steps.length - 1;
    if (selector === undefined) {
      if (last) {
        place[step] = value;
        return;
      }
      const next = place[step] ?? {};
      if (!isTree(next)) throw new ChainmailError("USAGE", `merge inputs: ${path}: ${step} is a value, not a map`);
      place[step] = next;
      place = next;
      continue;
    }
    const list: unknown[] = Array.isArray(place[step]) ? (place[step] as unknown[]) : [];
    place[step] = list;
    const index = indexIn(list, selector);
    if (last) {
      list[index] = value;
      return;
    }
    const item = list[index] ?? {};
    if (!isTree(item)) throw new ChainmailError("USAGE", `merge inputs: ${path}: ${step}${selector} is a value, not a map`);
    list[index] = item;
    place = item;
  }
}

/** Names that JavaScript's objects have from birth. */
const FORBIDDEN = new Set(["__proto__", "constructor", "prototype"]);

/** `[2]`, or `[key:value]` of an element that is there; beyond the end is the end. */
function indexIn(list: readonly unknown[], selector: string): number {
  const inside = selector.slice(1, -1);
  if (/^\d+$/.test(inside)) return Math.min(Number(inside), list.length);
  const [key = "", wanted] = inside.split(":");
  const index = wanted === undefined ? -1 : list.findIndex((item) => isTree(item) && item[key] === wanted);
  if (index < 0)
    throw new ChainmailError("USAGE", wanted === undefined ? `merge inputs: unknown segment ${selector}` : `merge inputs: element ${selector} not found`);
  return index;
}

function splitPath(path: string): string[] {
  return path
    .split(/(?<!\\)\./)
    .filter((part) => part !== "")
    .flatMap((part) => {
      const plain = part.replaceAll("\\.", ".");
      const bracket = plain.indexOf("[");
      return bracket > 0 ? [plain.slice(0, bracket), plain.slice(bracket)] : [plain];
    });
}

/** Paths whose values stay text, whatever they look like. */
const TEXT_PATHS = [
  "spec.tag",
  "spec.values.global.tag",
  "spec.meshConfig.defaultConfig.proxyMetadata.",
  "spec.values.meshConfig.defaultConfig.proxyMetadata.",
  "spec.compatibilityVersion",
  "spec.values.compatibilityVersion",
];

function parseValue(path: string, text: string): unknown {
  if (TEXT_PATHS.some((prefix) => path.startsWith(prefix))) return text;
  if (/^[+-]?\d+$/.test(text) || /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return Number(text);
  if (["t", "T", "TRUE", "true", "True"].includes(text)) return true;
  if (["f", "F", "FALSE", "false", "False"].includes(text)) return false;
  return text.replaceAll("\\,", ",");
}

export function isTree(value: unknown): value is OperatorTree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNamedList(value: unknown): value is OperatorTree[] {
  return Array.isArray(value) && value.every((item) => isTree(item) && typeof item.name === "string");
}
