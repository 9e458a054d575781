import type { RegexNode } from "./parse.ts";

/** Steps of a program: a unit to read, two ways to go on, a condition, or the end. */
type Step =
  | { readonly kind: "unit"; readonly test: (unit: number) => boolean; next: number }
  | { readonly kind: "fork"; a: number; b: number }
  | { readonly kind: "start" | "end"; next: number }
  | { readonly kind: "match" };

/** Istio's limit of a program's size in Envoy (re2.max_program_size.error_level): such an expression is refused there too. */
const MAX_STEPS = 32_768;
/** States are made as texts come along; a text that needs ever more of them makes room for itself. */
const MAX_STATES = 1_000;
/** Code units with a place of their own in a state's table; others are looked up. */
const TABLE = 256;

/** Whether a whole text matches, in time that grows with its length only. Undefined for an expression that is too large. */
export function compileLinear(node: RegexNode): ((text: string) => boolean) | undefined {
  const program = new Program();
  const match = program.add({ kind: "match" });
  const first = program.compile(node, match);
  if (first === undefined) return undefined;
  const automaton = new Automaton(program.steps, first);
  return (text) => automaton.matches(text);
}

class Program {
  readonly steps: Step[] = [];

  add(step: Step): number {
    this.steps.push(step);
    return this.steps.length - 1;
  }

  /** The first step of a part that goes on at `next`; undefined when it becomes too large. */
  compile(node: RegexNode, next: number): number | undefined {
    if (this.steps.length > MAX_STEPS) return undefined;
    switch (node.kind) {
      case "unit":
        return this.add({ kind: "unit", test: node.test, next });
      case "start":
      case "end":
        return this.add({ kind: node.kind, next });
      case "sequence":
        return node.parts.reduceRight<number | undefined>((after, part) => (after === undefined ? undefined : this.compile(part, after)), next);
      case "choice":
        return node.parts.reduceRight<number | undefined>((other, part, index) => {
          const own = other === undefined && index < node.parts.length - 1 ? undefined : this.compile(part, next);
          return own === undefined || index === node.parts.length - 1 ? own : this.add({ kind: "fork", a: own, b: other ?? next });
        }, undefined);
      case "repeat":
        return this.#repeat(node, next);
    }
  }

  #repeat({ part, min, max }: RegexNode & { kind: "repeat" }, next: number): number | undefined {
    let after: number | undefined = next;
    if (max === Number.POSITIVE_INFINITY) {
      const loop = this.add({ kind: "fork", a: next, b: next });
      const body = this.compile(part, loop);
      if (body === undefined) return undefined;
      this.steps[loop] = { kind: "fork", a: body, b: next };
      after = loop;
    } else {
      for (let index = min; index < max && after !== undefined; index++) {
        const body = this.compile(part, after);
        after = body === undefined ? undefined : this.add({ kind: "fork", a: body, b: next });
      }
    }
    for (let index = 0; index < min && after !== undefined; index++) after = this.compile(part, after);
    return after;
  }
}

/** A set of steps that the program may be at, and where units lead from there as far as that is known. */
interface State {
  readonly units: readonly number[];
  /** Whether the text may end here. */
  readonly accepts: boolean;
  readonly next: (State | undefined)[];
  readonly others: Map<number, State>;
}

/** A deterministic automaton whose states are made when a text first leads to them. */
class Automaton {
  #states = new Map<string, State>();
  #initial: State;

  constructor(
    private readonly steps: readonly Step[],
    private readonly first: number,
  ) {
    this.#initial = this.#stateOf([first], true);
  }

  matches(text: string): boolean {
    let state = this.#initial;
    const { length } = text;
    for (let at = 0; at < length; at++) {
      const unit = text.charCodeAt(at);
      state = (unit < TABLE ? state.next[unit] : state.others.get(unit)) ?? this.#step(state, unit);
      if (state.units.length === 0) return at === length - 1 && state.accepts;
    }
    return state.accepts;
  }

  #step(state: State, unit: number): State {
    const starts = state.units.flatMap((index) => {
      const step = this.steps[index] as Step;
      return step.kind === "unit" && step.test(unit) ? [step.next] : [];
    });
    const next = this.#stateOf(starts, false);
    if (unit < TABLE) state.next[unit] = next;
    else if (state.others.size < MAX_STATES) state.others.set(unit, next);
    return next;
  }

  #stateOf(starts: readonly number[], atStart: boolean): State {
    const reached = this.#closure(starts, atStart, false);
    const units = [...reached].filter((index) => this.steps[index]?.kind === "unit").sort((a, b) => a - b);
    const accepts = [...this.#closure(starts, atStart, true)].some((index) => this.steps[index]?.kind === "match");
    const key = `${accepts}${units.join()}`;
    const known = this.#states.get(key);
    if (known) return known;
    const state: State = { units, accepts, next: Array.from({ length: TABLE }, () => undefined), others: new Map() };
    if (this.#states.size >= MAX_STATES) {
      // A new beginning: what led to the old states goes with them, once the text that is being read has left them.
      this.#states = new Map();
      this.#initial = this.#stateOf([this.first], true);
    }
    this.#states.set(key, state);
    return state;
  }

  /** Everything that is reached without reading. */
  #closure(starts: readonly number[], atStart: boolean, atEnd: boolean): Set<number> {
    const reached = new Set<number>();
    const pending = [...starts];
    for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
      if (reached.has(index)) continue;
      reached.add(index);
      const step = this.steps[index] as Step;
      if (step.kind === "fork") pending.push(step.a, step.b);
      else if ((step.kind === "start" && atStart) || (step.kind === "end" && atEnd)) pending.push(step.next);
    }
    return reached;
  }
}
