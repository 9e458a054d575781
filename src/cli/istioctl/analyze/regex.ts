/** What is known of one alternative of a group while it is read. */
interface Branch {
  /** Something in it repeats without a limit. */
  repeats: boolean;
  /** Something in it, apart from what repeats, must be there: it keeps one turn of an outer repetition from the next. */
  separated: boolean;
}

/**
 * Whether a group that repeats without a limit contains something that does so too, with nothing between the turns, as in
 * `(a+)+`: then the same text can be matched in exponentially many ways. Envoy's engine does not try them one by one, but
 * others do. The expression need not be valid.
 */
export function explodes(expression: string): boolean {
  const stack: Branch[][] = [];
  let branches: Branch[] = [{ repeats: false, separated: false }];
  for (let at = 0; at < expression.length;) {
    const character = expression[at] ?? "";
    const branch = branches.at(-1) as Branch;
    if (character === "|") {
      branches.push({ repeats: false, separated: false });
      at++;
    } else if (character === "(") {
      stack.push(branches);
      branches = [{ repeats: false, separated: false }];
      at += /^\((?:\?(?:P?<\w+>|[imsU-]*:))?/.exec(expression.slice(at))?.[0].length ?? 1;
    } else if (character === ")") {
      const inner = branches;
      branches = stack.pop() ?? [{ repeats: false, separated: false }];
      const quantifier = quantifierAt(expression, at + 1);
      at += 1 + quantifier.length;
      if (quantifier.unbounded && inner.some(({ repeats, separated }) => repeats && !separated)) return true;
      const outer = branches.at(-1) as Branch;
      outer.repeats ||= quantifier.unbounded || inner.some(({ repeats }) => repeats);
      outer.separated ||= !quantifier.optional && inner.every(({ separated }) => separated);
    } else {
      const length = atomLength(expression, at);
      const quantifier = quantifierAt(expression, at + length);
      at += length + quantifier.length;
      if (character === "^" || character === "$") continue;
      if (quantifier.unbounded) branch.repeats = true;
      else if (!quantifier.optional) branch.separated = true;
    }
  }
  return false;
}

function quantifierAt(expression: string, at: number): { length: number; unbounded: boolean; optional: boolean } {
  const [whole = "", mark = "", min = "", comma = "", max = ""] = /^(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/.exec(expression.slice(at)) ?? [];
  return {
    length: whole.length,
    unbounded: mark === "*" || mark === "+" || (comma !== "" && max === ""),
    optional: mark === "*" || mark === "?" || min === "0",
  };
}

function atomLength(expression: string, at: number): number {
  if (expression[at] === "\\") return /^\\(?:[pP]\{[^}]*\}|x\{[^}]*\}|x..|.)?/su.exec(expression.slice(at))?.[0].length ?? 1;
  if (expression[at] !== "[") return 1;
  return /^\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]?/su.exec(expression.slice(at))?.[0].length ?? 1;
}
