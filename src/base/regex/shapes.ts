import type { CharClass } from "./char-class.ts";
import type { RegexNode } from "./syntax.ts";

export type TextTest = (text: string) => boolean;

/** Without the automaton, for the shapes that most expressions have: one text, a few texts, a text before or behind anything. */
export function shapeTest(node: RegexNode): TextTest | undefined {
  const parts = withoutAnchors(flattened(node));
  const literal = literalOf(parts);
  if (literal !== undefined) return (text) => text === literal;
  if (parts.length === 1 && parts[0]?.kind === "choice") {
    const texts = parts[0].parts.map((part) => literalOf(flattened(part)));
    return texts.includes(undefined)
      ? undefined
      : (
          (set) => (text) =>
            set.has(text)
        )(new Set(texts as string[]));
  }
  const rest = anything(parts.at(-1));
  const prefix = rest && literalOf(parts.slice(0, -1));
  if (rest && prefix !== undefined) return (text) => text.startsWith(prefix) && rest(text, prefix.length, text.length);
  const front = anything(parts[0]);
  const suffix = front && literalOf(parts.slice(1));
  if (front && suffix !== undefined) return (text) => text.endsWith(suffix) && front(text, 0, text.length - suffix.length);
  return undefined;
}

/** The parts of a sequence, groups opened: nobody asks here what they matched. */
function flattened(node: RegexNode): RegexNode[] {
  if (node.kind === "sequence") return node.parts.flatMap(flattened);
  return node.kind === "capture" ? flattened(node.part) : [node];
}

/** A match is of the whole text anyway. */
function withoutAnchors(parts: RegexNode[]): RegexNode[] {
  const from = isAssertion(parts[0], "begin-text") ? 1 : 0;
  const last = parts.at(-1);
  return parts.slice(from, parts.length > from && isAssertion(last, "end-text") ? -1 : undefined);
}

function isAssertion(node: RegexNode | undefined, what: string): boolean {
  return node?.kind === "assertion" && node.what === what;
}

function literalOf(parts: readonly RegexNode[]): string | undefined {
  let text = "";
  for (const part of parts) {
    if (part.kind !== "class" || part.set.length !== 2 || part.set[0] !== part.set[1]) return undefined;
    text += String.fromCodePoint(part.set[0] as number);
  }
  return text;
}

type Rest = (text: string, from: number, to: number) => boolean;

/** `.*` and `.+`, also over lines: what may stand there. */
function anything(node: RegexNode | undefined): Rest | undefined {
  if (node?.kind !== "repeat" || node.max !== Number.POSITIVE_INFINITY || node.min > 1 || node.part.kind !== "class") return undefined;
  const { min } = node;
  if (all(node.part.set)) return (_, from, to) => to - from >= min;
  if (!allButLines(node.part.set)) return undefined;
  return (text, from, to) => {
    const line = text.indexOf("\n", from);
    return to - from >= min && (line < 0 || line >= to);
  };
}

const all = (set: CharClass): boolean => set.length === 2 && set[0] === 0;
const allButLines = (set: CharClass): boolean => set.length === 4 && set[0] === 0 && set[1] === 9 && set[2] === 11;
