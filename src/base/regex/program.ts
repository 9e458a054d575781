import type { CharClass } from "./char-class.ts";
import { simplified } from "./simplify.ts";
import { type Assertion, type Dialect, type Expression, type RegexNode, RegexProblem } from "./syntax.ts";

/** A step of a program. Of two ways to go on, the first is the one that is preferred. */
export type Step =
  | { readonly op: "character"; readonly set: CharClass; readonly fold: boolean; next: number }
  | { readonly op: "fork"; first: number; second: number }
  | { readonly op: "save"; readonly slot: number; next: number }
  | { readonly op: "assert"; readonly what: Assertion; next: number }
  | { readonly op: "match" };

export interface Program {
  readonly steps: readonly Step[];
  readonly first: number;
  /** Places that are kept: two for each group, and two for all. */
  readonly slots: number;
  readonly names: readonly (string | undefined)[];
}

/** RE2 gives up at about as many, by the memory that it allows itself by default (8 MiB). */
const MAX_STEPS = 170_000;

/** Makes the steps of an expression. Throws RegexProblem for one that is too large. */
export function compile({ node, names }: Expression, dialect: Dialect): Program {
  const compiler = new Compiler(dialect);
  const match = compiler.add({ op: "match" });
  const first = compiler.part(simplified(node), match);
  return { steps: compiler.steps, first, slots: 2 + names.length * 2, names };
}

class Compiler {
  readonly steps: Step[] = [];

  constructor(readonly dialect: Dialect) {}

  add(step: Step): number {
    if (this.steps.length >= MAX_STEPS) throw new RegexProblem(this.dialect, "too-large", "");
    this.steps.push(step);
    return this.steps.length - 1;
  }

  /** The first step of a part that goes on at `next`. */
  part(node: RegexNode, next: number): number {
    switch (node.kind) {
      case "class":
        return this.add({ op: "character", set: node.set, fold: node.fold, next });
      case "assertion":
        return this.add({ op: "assert", what: node.what, next });
      case "sequence":
        return node.parts.reduceRight((after, part) => this.part(part, after), next);
      case "choice":
        return node.parts
          .slice(0, -1)
          .reduceRight((second, part) => this.add({ op: "fork", first: this.part(part, next), second }), this.part(node.parts.at(-1) ?? EMPTY, next));
      case "capture": {
        const end = this.add({ op: "save", slot: node.index * 2 + 1, next });
        return this.add({ op: "save", slot: node.index * 2, next: this.part(node.part, end) });
      }
      case "repeat":
        return this.#repeat(node, next);
    }
  }

  #repeat(node: RegexNode & { kind: "repeat" }, next: number): number {
    const { part, min, max, lazy } = node;
    let after = next;
    let copies = min;
    if (max === Number.POSITIVE_INFINITY) {
      // The last required copy is the one that repeats; one that can be empty is repeated as `(x+)?`, so that it may be left out.
      const plus = min > 0 || nullable(part);
      const loop = this.#fork(0, next, lazy);
      const body = this.part(part, loop);
      this.steps[loop] = fork(body, next, lazy);
      after = min > 0 ? body : plus ? this.#fork(body, next, lazy) : loop;
      copies = Math.max(min - 1, 0);
    } else {
      // x{2,4} is xx(x(x)?)?.
      for (let index = min; index < max; index++) after = this.#fork(this.part(part, after), next, lazy);
    }
    for (let index = 0; index < copies; index++) after = this.part(part, after);
    return after;
  }

  #fork(body: number, next: number, lazy: boolean): number {
    return this.add(fork(body, next, lazy));
  }
}

const EMPTY: RegexNode = { kind: "sequence", parts: [] };

function fork(body: number, next: number, lazy: boolean): Step {
  return lazy ? { op: "fork", first: next, second: body } : { op: "fork", first: body, second: next };
}

/** Whether a part can match without reading anything. */
export function nullable(node: RegexNode): boolean {
  switch (node.kind) {
    case "class":
      return false;
    case "assertion":
      return true;
    case "sequence":
      return node.parts.every(nullable);
    case "choice":
      return node.parts.some(nullable);
    case "capture":
      return nullable(node.part);
    case "repeat":
      return node.min === 0 || nullable(node.part);
  }
}
