import { type Document, LineCounter, parseDocument, type ScalarTag, type Tags } from "yaml";

/** Anchors that repeat others are how a small file becomes a huge one. */
const MAX_ALIASES = 100;

export interface KubeDocument {
  readonly document: Document.Parsed;
  /** Line of an offset, from 1. */
  lineAt(offset: number): number;
  /** The first mistake, as `yaml: line 3: …`. */
  readonly problem: string | undefined;
}

/** YAML as Kubernetes' tools read it: of version 1.1, where `y` and `on` are booleans, but without dates and numbers to the base of 60. */
export function parseKubeYaml(text: string): KubeDocument {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    version: "1.1",
    lineCounter,
    prettyErrors: false,
    uniqueKeys: false,
    customTags: (tags) =>
      tags
        .filter((tag) => typeof tag === "string" || !(NOT_JSON.has(tag.tag) || isSexagesimal(tag)))
        .map((tag) => (isFloat(tag) ? { ...tag, test: FLOAT } : tag)),
  });
  const lineAt = (offset: number): number => lineCounter.linePos(offset).line;
  const [problem] = document.errors;
  return { document, lineAt, problem: problem && `yaml: line ${lineAt(problem.pos[0]) + 1}: ${problem.message}` };
}

/** With at least one digit: a dot alone (as in exportTo) and `e0` are words. */
const FLOAT = /^[-+]?(?:\.[0-9_]*[0-9]|[0-9][0-9_]*(?:\.[0-9_]*|(?=[eE])))(?:[eE][-+]?[0-9]+)?$/;

/** Of decimal notation: those for infinity and what is no number have no format and begin otherwise. */
function isFloat(tag: Tags[number]): tag is ScalarTag {
  return typeof tag === "object" && tag.tag === "tag:yaml.org,2002:float" && "test" in tag && tag.test?.test("1.5e3") !== tag.test?.test("1.5");
}

function isSexagesimal(tag: Tags[number]): boolean {
  return typeof tag === "object" && "format" in tag && tag.format === "TIME";
}

const NOT_JSON = new Set([
  "tag:yaml.org,2002:timestamp",
  "tag:yaml.org,2002:binary",
  "tag:yaml.org,2002:set",
  "tag:yaml.org,2002:omap",
  "tag:yaml.org,2002:pairs",
]);

export function plainValue({ document }: KubeDocument): unknown {
  return document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown;
}

/** Documents of a text between lines of three dashes; comments and blank lines alone are none. */
export function splitDocuments(text: string): string[] {
  return text.split(/^---[ \t]*(?:#.*)?$/m);
}

export { MAX_ALIASES };
