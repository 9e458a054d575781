import { contains } from "./char-class.ts";
import { compile, type Program, type Step } from "./program.ts";
import { simplified } from "./simplify.ts";
import type { Expression, RegexNode } from "./syntax.ts";

/**
 * How large an expression's program is as RE2 counts it, once laid out as lists: a list is what is reached from a step
 * without reading or saving anything. Envoy has a limit of that size (`re2.max_program_size.error_level`).
 */
export function programSize({ node, names }: Expression): number {
  const { parts, anchored } = withoutAnchors(simplified(node));
  const program = compile({ node: { kind: "sequence", parts }, names }, "re2");
  return FAIL + (anchored ? 0 : LOOP) + listed(program);
}

/** The step that fails, which every program begins with. */
const FAIL = 1;
/** The loop that looks for a beginning: any character, or on to the program. */
const LOOP = 2;

/** RE2 notes anchors rather than compile them, and looks itself for the text that an anchored expression begins with. */
function withoutAnchors(node: RegexNode): { parts: RegexNode[]; anchored: boolean } {
  const parts = node.kind === "sequence" ? [...node.parts] : [node];
  const is = (part: RegexNode | undefined, what: string): boolean => part?.kind === "assertion" && part.what === what;
  let anchored = false;
  while (is(parts[0], "begin-text")) {
    parts.shift();
    anchored = true;
  }
  while (anchored && parts[0] && (literal(parts[0]) || parts.length === 0)) {
    parts.shift();
    if (!parts[0] || !literal(parts[0])) anchored = false;
  }
  while (is(parts.at(-1), "end-text")) parts.pop();
  return { parts, anchored };
}

function literal(node: RegexNode): boolean {
  return node.kind === "class" && (node.fold || (node.set.length === 2 && node.set[0] === node.set[1]));
}

/** The sum of the lists of all roots: the beginning, what follows a step that reads or saves, and what is reached from several lists. */
function listed({ steps, first }: Program): number {
  const roots = new Set<number>([first]);
  const predecessors = new Map<number, number[]>();
  const pending = [first];
  const seen = new Set<number>();
  for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
    if (seen.has(index)) continue;
    seen.add(index);
    const step = steps[index] as Step;
    if (step.op === "fork") {
      for (const next of [step.first, step.second]) predecessors.set(next, [...(predecessors.get(next) ?? []), index]);
      pending.push(step.second, step.first);
    } else if (step.op !== "match") {
      roots.add(step.next);
      pending.push(step.next);
    }
  }
  for (const root of [...roots].sort((a, b) => a - b)) {
    if (root === first) continue;
    const reached = list(steps, root, roots).reached;
    for (const index of reached) if ((predecessors.get(index) ?? []).some((from) => !reached.has(from))) roots.add(index);
  }
  let size = 0;
  for (const root of roots) size += list(steps, root, roots).size;
  return size;
}

function list(steps: readonly Step[], root: number, roots: ReadonlySet<number>): { reached: Set<number>; size: number } {
  const reached = new Set<number>();
  const pending = [root];
  let size = 0;
  for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
    if (reached.has(index)) continue;
    reached.add(index);
    const step = steps[index] as Step;
    if (index !== root && roots.has(index)) size++;
    else if (step.op === "fork") {
      pending.push(step.second, step.first);
      if (matchesAnything(steps, index)) size++;
    } else size += step.op === "character" ? ranges(step) : 1;
  }
  return { reached, size };
}

/** A loop over anything at all that ends in the match is marked by a step of its own. */
function matchesAnything(steps: readonly Step[], fork: number): boolean {
  const { first, second } = steps[fork] as Step & { op: "fork" };
  const loops = (index: number): boolean => {
    const step = steps[index];
    return step?.op === "character" && step.next === fork && step.set.length === 2 && step.set[0] === 0 && step.set[1] === MAX_BYTE;
  };
  return (loops(first) && steps[second]?.op === "match") || (loops(second) && steps[first]?.op === "match");
}

const MAX_BYTE = 0xff;
const [UPPER_A, UPPER_Z, LOWER_A] = [0x41, 0x5a, 0x61];

/** A step of RE2 reads one range. Where a set has both cases of all its letters, one for the lower ones reads the upper ones too. */
function ranges({ set, fold }: Step & { op: "character" }): number {
  if (fold) return Math.ceil(set.length / 4);
  for (let letter = UPPER_A; letter <= UPPER_Z; letter++) {
    if (contains(set, letter) !== contains(set, letter + LOWER_A - UPPER_A)) return set.length / 2;
  }
  let count = 0;
  for (let index = 0; index < set.length; index += 2) if ((set[index] as number) < UPPER_A || (set[index + 1] as number) > UPPER_Z) count++;
  return count;
}
