import { isMap, isScalar, isSeq, type Document, type Node } from "yaml";
import type { KubeObject } from "../../../resources/types.ts";
import { MAX_ALIASES, parseKubeYaml } from "../format/kube-yaml.ts";
import { readStructure } from "./structure.ts";

/** Where an object was read. */
export interface FileReference {
  readonly file: string;
  /** Line of the document's beginning, from 1. */
  readonly line: number;
  /** Lines of fields by path, as `.spec.hosts[0]`. */
  readonly fields: ReadonlyMap<string, number>;
}

/** What a file holds, and what of it could not be read. */
export interface FileContent {
  readonly objects: KubeObject[];
  /** One text a document. */
  readonly problems: string[];
}

export interface FileOptions {
  /** Namespace of objects that name none; without one they have none. */
  readonly namespace: string | undefined;
  /** Kinds that are taken; others are passed over. */
  readonly takes: (apiVersion: string, kind: string) => boolean;
}

const REFERENCES = new WeakMap<KubeObject, FileReference>();

export function referenceOf(object: KubeObject): FileReference | undefined {
  return REFERENCES.get(object);
}

/** Kinds of the cluster itself, which have no namespace. */
const CLUSTER_KINDS = new Set(["Namespace", "Node", "CustomResourceDefinition", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]);

/** Objects of a YAML or JSON text. */
export function readObjects(file: string, text: string, options: FileOptions): FileContent {
  const objects: KubeObject[] = [];
  const problems: string[] = [];
  for (const [index, { body, line }] of documentsOf(text).entries()) {
    try {
      objects.push(...readDocument(file, body, line, options));
    } catch (error) {
      if (!(error instanceof DocumentProblem)) throw error;
      problems.push(`error processing ${file}[${index}]: ${error.message}`);
    }
  }
  return { objects, problems };
}

class DocumentProblem extends Error {}

/** Documents with the line of their first content, as Istio counts it. */
function documentsOf(text: string): { body: string; line: number }[] {
  const documents: { body: string; line: number }[] = [];
  let [lines, start, found] = [[] as string[], 1, false];
  const all = text.split("\n");
  for (const [index, line] of all.entries()) {
    const separator = /^---\s*$/.test(line);
    if (!found && line !== "" && line !== "---") [start, found] = [index + 1, true];
    if (separator && lines.length > 0) {
      documents.push({ body: lines.join("\n"), line: start });
      [lines, start, found] = [[], index + 2, false];
    } else if (index < all.length - 1 || line !== "") {
      lines.push(line);
    }
  }
  if (lines.length > 0) documents.push({ body: lines.join("\n"), line: start });
  return documents.map(({ body, line }) => ({ body: body.replace(/^\s+|\s+$/g, ""), line })).filter(({ body }) => body !== "");
}

function readDocument(file: string, body: string, line: number, options: FileOptions): KubeObject[] {
  const { document, lineAt, problem } = parseKubeYaml(body);
  if (problem !== undefined) throw new DocumentProblem(`failed converting YAML to JSON: ${problem}`);
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null)) return [];
  if (!isMap(contents)) throw new DocumentProblem("failed interpreting jsonChunk: couldn't get version/kind; json parse error: it is not an object");
  const lineOf = (node: Node): number => lineAt(node.range?.[0] ?? 0) + line - 1;
  if (document.get("kind") === "List") {
    const items = document.get("items", true);
    if (!isSeq(items)) throw new DocumentProblem("failed extracting resource chunks from list yaml chunk: failed parsing yamlChunk: malformed items field");
    return items.items.flatMap((item) => (isMap(item) ? readObject({ file, document, lineOf, options }, item, lineOf(item)) : []));
  }
  return readObject({ file, document, lineOf, options }, contents, line);
}

interface Source {
  readonly file: string;
  readonly document: Document;
  readonly lineOf: (node: Node) => number;
  readonly options: FileOptions;
}

function readObject({ file, document, lineOf, options: { namespace, takes } }: Source, node: Node, line: number): KubeObject[] {
  const value = node.toJS(document, { maxAliasCount: MAX_ALIASES }) as { apiVersion?: unknown; kind?: unknown; metadata?: unknown };
  const { apiVersion, kind } = value;
  if (typeof kind !== "string" && typeof apiVersion !== "string") throw new DocumentProblem("unable to parse resource with no group, version and kind");
  if (typeof kind !== "string" || typeof apiVersion !== "string" || !takes(apiVersion, kind)) return [];
  const metadata = typeof value.metadata === "object" && value.metadata !== null ? (value.metadata as Record<string, unknown>) : {};
  const place = CLUSTER_KINDS.has(kind) ? undefined : (metadata.namespace ?? namespace);
  const { namespace: _, ...rest } = metadata;
  const written = {
    ...value,
    metadata: { ...rest, name: typeof metadata.name === "string" ? metadata.name : "", ...(typeof place === "string" && place !== "" && { namespace: place }) },
  } as KubeObject;
  const structure = readStructure(written, true);
  if (structure.problem !== undefined) throw new DocumentProblem(`failed parsing JSON for built-in type: ${structure.problem}`);
  const { object } = structure;
  const fields = new Map<string, number>();
  collectFields(node, "", lineOf, fields);
  REFERENCES.set(object, { file, line, fields });
  return [object];
}

/** Lines of all plain values; a list's element is `name[0]`. */
function collectFields(node: unknown, path: string, lineOf: (node: Node) => number, fields: Map<string, number>): void {
  if (!isMap(node)) return;
  for (const { key, value } of node.items) {
    const below = `${path}.${isScalar(key) ? String(key.value) : ""}`;
    if (isScalar(value)) fields.set(below, lineOf(value));
    else if (isSeq(value)) {
      for (const [index, item] of value.items.entries()) {
        if (isScalar(item)) fields.set(`${below}[${index}]`, lineOf(item));
        else collectFields(item, `${below}[${index}]`, lineOf, fields);
      }
    } else collectFields(value, below, lineOf, fields);
  }
}
