import { toClass } from "./char-class.ts";
import type { RegexNode } from "./syntax.ts";

/**
 * The same expression with fewer steps, by the rules by which RE2 simplifies: alternatives that begin alike share their
 * beginning, those of one character become a class, and repetitions of the same that follow each other become one.
 */
export function simplified(node: RegexNode): RegexNode {
  switch (node.kind) {
    case "sequence":
      return sequence(coalesced(node.parts.map(simplified).flatMap(partsOf)));
    case "choice":
      return choice(factored(node.parts.map(simplified).flatMap((part) => (part.kind === "choice" ? part.parts : [part]))));
    case "capture":
      return { ...node, part: simplified(node.part) };
    case "repeat":
      return repeated({ ...node, part: simplified(node.part) });
    default:
      return node;
  }
}

type Repeat = RegexNode & { kind: "repeat" };

const EMPTY: RegexNode = { kind: "sequence", parts: [] };

function sequence(parts: readonly RegexNode[]): RegexNode {
  return parts.length === 1 && parts[0] ? parts[0] : { kind: "sequence", parts };
}

function choice(parts: readonly RegexNode[]): RegexNode {
  return parts.length === 1 && parts[0] ? parts[0] : { kind: "choice", parts };
}

function partsOf(node: RegexNode): readonly RegexNode[] {
  return node.kind === "sequence" ? node.parts : [node];
}

function repeated(node: Repeat): RegexNode {
  const { part, min, max, lazy } = node;
  if (max === 0 || isEmpty(part)) return EMPTY;
  if (max === 1 && min === 1) return part;
  // `(?:a+)?` is `a*`, and `(?:a*)*` too.
  if (
    min <= 1 &&
    (max === 1 || !Number.isFinite(max)) &&
    part.kind === "repeat" &&
    part.lazy === lazy &&
    part.min <= 1 &&
    (part.max === 1 || !Number.isFinite(part.max))
  ) {
    return part.min === min && part.max === max ? part : { ...part, min: 0, max: Number.POSITIVE_INFINITY };
  }
  return onlyConditions(part) ? onceEnough({ ...node, min: Math.min(min, 1), max: Number.isFinite(max) ? 1 : max }) : node;
}

/** What matches nothing but conditions is as true once as it is many times. */
function onceEnough(node: Repeat): RegexNode {
  return node.min === 1 && node.max === 1 ? node.part : node;
}

function isEmpty(node: RegexNode): boolean {
  return node.kind === "sequence" && node.parts.length === 0;
}

function onlyConditions(node: RegexNode): boolean {
  switch (node.kind) {
    case "class":
    case "capture":
      return false;
    case "assertion":
      return true;
    case "sequence":
    case "choice":
      return node.parts.every(onlyConditions);
    case "repeat":
      return onlyConditions(node.part);
  }
}

/** `.+.` is `.{2,}`, `a*a?` is `a*`: a repetition of a character, then the same again. */
function coalesced(parts: readonly RegexNode[]): RegexNode[] {
  const out: RegexNode[] = [];
  for (const part of parts) {
    const last = out.at(-1);
    if (last?.kind === "repeat" && last.part.kind === "class") {
      const more: Repeat | undefined =
        part.kind === "class"
          ? { kind: "repeat", part, min: 1, max: 1, lazy: last.lazy }
          : part.kind === "repeat" && part.lazy === last.lazy
            ? part
            : undefined;
      if (more && same(last.part, more.part)) {
        out[out.length - 1] = { ...last, min: last.min + more.min, max: last.max + more.max };
        continue;
      }
    }
    out.push(part);
  }
  return out;
}

/** What alternatives beside each other have in common at their beginning is written once. */
function factored(parts: readonly RegexNode[]): RegexNode[] {
  const shared = (given: readonly RegexNode[], lead: (node: RegexNode) => readonly RegexNode[]): RegexNode[] => {
    const out: RegexNode[] = [];
    for (let at = 0; at < given.length;) {
      let common = lead(given[at] as RegexNode);
      let end = at + 1;
      for (; end < given.length && common.length > 0; end++) {
        const other = lead(given[end] as RegexNode);
        let length = 0;
        while (length < common.length && other[length] && same(common[length] as RegexNode, other[length] as RegexNode)) length++;
        if (length === 0) break;
        common = common.slice(0, length);
      }
      if (end === at + 1 || common.length === 0) out.push(given[at++] as RegexNode);
      else {
        const rests = given.slice(at, end).map((each) => sequence(partsOf(each).slice(common.length)));
        out.push(sequence([...common, ...partsOf(choice(factored(rests)))]));
        at = end;
      }
    }
    return out;
  };
  return merged(shared(shared(parts, leadingText), leadingPiece));
}

function leadingText(node: RegexNode): readonly RegexNode[] {
  const parts = partsOf(node);
  const [first] = parts;
  if (!isLiteral(first)) return [];
  const end = parts.findIndex((part) => !isLiteral(part) || part.fold !== first.fold);
  return end < 0 ? parts : parts.slice(0, end);
}

function leadingPiece(node: RegexNode): readonly RegexNode[] {
  const [first] = partsOf(node);
  if (first?.kind === "assertion" || (first?.kind === "class" && !isLiteral(first))) return [first];
  return first?.kind === "repeat" && first.min === first.max && first.part.kind === "class" ? [first] : [];
}

/** Characters and classes beside each other become one class, and what is empty is there once. */
function merged(parts: readonly RegexNode[]): RegexNode[] {
  const out: RegexNode[] = [];
  for (const part of parts) {
    const last = out.at(-1);
    if (last?.kind === "class" && part.kind === "class") out[out.length - 1] = { kind: "class", set: toClass([...last.set, ...part.set]), fold: false };
    else if (!(last && isEmpty(last) && isEmpty(part))) out.push(part);
  }
  return out;
}

function isLiteral(node: RegexNode | undefined): node is RegexNode & { kind: "class" } {
  return node?.kind === "class" && (node.fold || (node.set.length === 2 && node.set[0] === node.set[1]));
}

function same(a: RegexNode, b: RegexNode): boolean {
  if (a.kind === "class")
    return b.kind === "class" && a.fold === b.fold && a.set.length === b.set.length && a.set.every((edge, index) => edge === b.set[index]);
  if (a.kind === "assertion") return b.kind === "assertion" && a.what === b.what;
  return a.kind === "repeat" && b.kind === "repeat" && a.min === b.min && a.max === b.max && a.lazy === b.lazy && same(a.part, b.part);
}
