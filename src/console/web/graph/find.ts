import type { GraphEdge, GraphNode } from "../model.ts";
import { ABBREVIATIONS, FLAGS, NUMBERS, type Operand, TEXTS, label } from "./operands.ts";
import type { Scene } from "./scene.ts";

/** One node or edge that an expression looks at. */
export type Candidate = { node: GraphNode } | { edge: GraphEdge };
type Test = (candidate: Candidate, scene: Scene) => boolean;

export interface Find {
  /** Undefined when nothing was asked for or it makes no sense. */
  match: Test | undefined;
  problem: string | undefined;
}

/**
 * An expression in Kiali's language: `name contains web`, `!mtls`, `rt > 100`, joined by `and` or `or`, of which `and` binds
 * tighter. https://kiali.io/docs/features/topology/
 */
export function parseFind(source: string): Find {
  const asked = source.trim();
  if (asked === "") return { match: undefined, problem: undefined };
  try {
    const alternatives = asked.split(/\s+or\s+/i).map((part) => part.split(/\s+and\s+/i).map(condition));
    return { match: (candidate, scene) => alternatives.some((all) => all.every((test) => test(candidate, scene))), problem: undefined };
  } catch (thrown) {
    return { match: undefined, problem: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

/** The ids of all nodes and edges that fit. */
export function matching(match: Test, scene: Scene): { nodes: Set<string>; edges: Set<string> } {
  const { nodes, edges } = scene.graph;
  return {
    nodes: new Set(nodes.filter((node) => match({ node }, scene)).map(({ id }) => id)),
    edges: new Set(edges.filter((edge) => match({ edge }, scene)).map(({ id }) => id)),
  };
}

const COMPARISON = /^(%?[a-z]\w*|label:[\w./-]+)\s*(!=|>=|<=|!?\*=|!?\^=|!?\$=|=|>|<|(?:!|not\s+)?(?:contains|startswith|endswith)\b)\s*(.+)$/i;

function condition(written: string): Test {
  const text = written.trim();
  const [, name, operator, value] = COMPARISON.exec(text) ?? [];
  if (name && operator && value) return comparison(name, operator.toLowerCase().replace(/^not\s+/, "!"), value.trim());
  const negated = /^(?:!\s*|not\s+)/i.exec(text);
  const word = text.slice(negated?.[0].length ?? 0);
  const flag = flagOf(word);
  if (flag) return about(flag, (value) => value !== (negated !== null));
  if (negated || /[\s=<>!]/.test(word)) throw new Error(`"${text}" is no condition: try "name contains …"`);
  // A bare word is a part of a name.
  return comparison("name", "contains", word);
}

const resolve = (name: string) => ABBREVIATIONS[name.toLowerCase()] ?? name.toLowerCase();
const own = <T>(table: Record<string, T>, key: string): T | undefined => (Object.hasOwn(table, key) ? table[key] : undefined);

/** `mtls`, `is mtls`, `has sidecar`, and Kiali's older `ismtls`. */
function flagOf(word: string): Operand<boolean> | undefined {
  const [, key] = /^(?:has\s+)?label:([\w./-]+)$/i.exec(word) ?? [];
  return key ? label(key).flag : (own(FLAGS, resolve(word)) ?? own(FLAGS, resolve(word.replace(/^(?:is|has)\s*/i, ""))));
}

function comparison(name: string, operator: string, value: string): Test {
  const number = own(NUMBERS, resolve(name));
  if (number) return about(number, compareNumber(operator, value));
  const [, key] = /^label:(.+)$/i.exec(name) ?? [];
  const text = key ? label(key).text : own(TEXTS, resolve(name));
  if (!text) throw new Error(flagOf(name) ? `"${name}" stands alone: it is so, or with "!" it is not` : `"${name}" is nothing that can be looked for`);
  return about(text, compareText(operator, value.replace(/^["']|["']$/g, "").toLowerCase()));
}

/** A condition fits only what it is about: "!mtls" finds edges, not every node. */
function about<T>({ node, edge }: Operand<T>, fits: (value: T) => boolean): Test {
  return (candidate, scene) =>
    "node" in candidate ? node !== undefined && fits(node(candidate.node, scene)) : edge !== undefined && fits(edge(candidate.edge, scene));
}

function compareNumber(operator: string, text: string): (value: number | undefined) => boolean {
  if (/^nan$/i.test(text)) {
    if (operator !== "=" && operator !== "!=") throw new Error('NaN is no activity: compare with "=" or "!="');
    return (value) => !value === (operator === "=");
  }
  const wanted = Number(text.replace(/\s*(?:%|ms|rps|bps)$/i, ""));
  if (Number.isNaN(wanted)) throw new Error(`"${text}" is not a number`);
  const compare = {
    "=": (a: number) => a === wanted,
    "!=": (a: number) => a !== wanted,
    ">": (a: number) => a > wanted,
    "<": (a: number) => a < wanted,
    ">=": (a: number) => a >= wanted,
    "<=": (a: number) => a <= wanted,
  }[operator];
  if (!compare) throw new Error(`"${operator}" does not compare numbers`);
  return (value) => value !== undefined && compare(value);
}

function compareText(operator: string, wanted: string): (values: string[]) => boolean {
  const test = {
    "=": (v: string) => v === wanted,
    contains: (v: string) => v.includes(wanted),
    "*=": (v: string) => v.includes(wanted),
    startswith: (v: string) => v.startsWith(wanted),
    "^=": (v: string) => v.startsWith(wanted),
    endswith: (v: string) => v.endsWith(wanted),
    "$=": (v: string) => v.endsWith(wanted),
  }[operator.replace(/^!/, "")];
  if (!test) throw new Error(`"${operator}" does not compare texts`);
  const some = (values: string[]) => values.some((value) => test(value.toLowerCase()));
  return operator.startsWith("!") ? (values) => !some(values) : some;
}
