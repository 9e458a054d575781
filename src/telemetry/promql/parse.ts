import type { SyntaxNode, Tree } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";
import { ChainmailError } from "../../base/index.ts";
import { type MatchOp, type Matcher, createMatcher } from "../store/matchers.ts";
import { type AggregateExpr, type AtModifier, type BinaryExpr, type Expr, type VectorSelector, typeOf } from "./ast.ts";
import { type Mistake, checkAggregate, checkBinary, checkCall } from "./check.ts";
import { numberOrDuration, unquote } from "./literals.ts";
import { PromqlError } from "./promql-error.ts";
import { PARAMETER_TYPES } from "./signatures.ts";

/** A query can come from the network: no dashboard writes longer ones. */
const MAX_QUERY_LENGTH = 64 << 10;
/** Nor deeper ones; the parser and the evaluator go down by recursion. */
const MAX_DEPTH = 200;

const BINARY_OPS: Record<string, string> = {
  Add: "+",
  Sub: "-",
  Mul: "*",
  Div: "/",
  Mod: "%",
  Pow: "^",
  Atan2: "atan2",
  Eql: "==",
  EqlSingle: "==",
  Neq: "!=",
  Gtr: ">",
  Lss: "<",
  Gte: ">=",
  Lte: "<=",
  And: "and",
  Or: "or",
  Unless: "unless",
};

/** Stops at the first mistake: going on after it, as editors want it, takes long where there are many. */
const strict = parser.configure({ strict: true });

/** Strings as they are, and the old name of a function, which the grammar knows no more. */
const OLD_NAME = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|\bholt_winters\b(?=\s*\()/gs;

/** Parses one expression and checks its types. Throws PromqlError, with the place as Prometheus states it. */
export function parsePromql(text: string): Expr {
  if (text.length > MAX_QUERY_LENGTH) throw new PromqlError(`the query has ${text.length} characters, more than ${MAX_QUERY_LENGTH}`);
  const query = text.replace(OLD_NAME, (found) => (found === "holt_winters" ? "double_exponential_smoothing" : found));
  const builder = new Builder(query);
  const tree = builder.tree();
  let depth = 0;
  tree.iterate({
    enter(node) {
      if (++depth > MAX_DEPTH) throw new PromqlError(`the query is nested more than ${MAX_DEPTH} deep`);
      if (node.type.isError) throw builder.syntaxError(node.from);
    },
    leave() {
      depth--;
    },
  });
  const top = tree.topNode.firstChild;
  if (!top || top.name === "LineComment") throw new PromqlError("parse error: no expression found in input");
  return builder.expr(top);
}

class Builder {
  constructor(readonly query: string) {}

  tree(): Tree {
    try {
      return strict.parse(this.query);
    } catch (thrown) {
      const at = thrown instanceof SyntaxError ? /^No parse at (\d+)/.exec(thrown.message)?.[1] : undefined;
      throw at === undefined ? thrown : this.syntaxError(Number(at));
    }
  }

  expr(node: SyntaxNode): Expr {
    switch (node.name) {
      case "NumberDurationLiteral":
        return { kind: "number", value: this.located(node, () => numberOrDuration(this.text(node))) };
      case "StringLiteral":
        return { kind: "string", value: this.string(node) };
      case "ParenExpr":
        return this.expr(child(node, 0));
      case "VectorSelector":
        return this.selector(node);
      case "MatrixSelector": {
        const of = child(node, 0);
        if (of.name !== "VectorSelector")
          throw this.fail(
            of.to,
            of.name === "OffsetExpr" || of.name === "StepInvariantExpr"
              ? "no offset modifiers allowed before range"
              : "ranges only allowed for vector selectors",
          );
        return { kind: "matrix", selector: this.selector(of), range: this.range(child(node, 1)) };
      }
      case "SubqueryExpr": {
        const parts = children(node);
        const expr = this.expr(parts[0]!);
        if (typeOf(expr) !== "instant vector")
          throw this.fail(node.from, `subquery is only allowed on instant vector, got ${typeOf(expr)} in ${JSON.stringify(this.text(node))} instead`);
        return { kind: "subquery", expr, range: this.range(parts[1]!), step: parts[2] && this.range(parts[2]), offset: 0, at: undefined };
      }
      case "OffsetExpr": {
        const parts = children(node);
        const target = this.moved(node, parts[0]!, "offset");
        if (target.moves.offset !== 0) throw this.fail(node.from, "offset may not be set multiple times");
        target.moves.offset = this.duration(parts.at(-1)!) * 1000;
        return target.expr;
      }
      case "StepInvariantExpr": {
        const parts = children(node);
        const target = this.moved(node, parts[0]!, "@");
        if (target.moves.at !== undefined) throw this.fail(node.from, "@ <timestamp> may not be set multiple times");
        target.moves.at = this.at(parts.at(-1)!);
        return target.expr;
      }
      case "UnaryExpr": {
        const expr = this.expr(child(node, 1));
        const type = typeOf(expr);
        if (type !== "scalar" && type !== "instant vector")
          throw this.fail(node.from, `unary expression only allowed on expressions of type scalar or instant vector, got ${JSON.stringify(type)}`);
        return { kind: "unary", op: this.text(child(node, 0)) === "-" ? "-" : "+", expr };
      }
      case "FunctionCall": {
        const args = argumentsOf(node);
        const name = this.text(child(node, 0));
        const call = { kind: "call" as const, name, args: args.map((arg) => this.expr(arg)) };
        this.check(checkCall(name, call.args), node, args);
        return call;
      }
      case "AggregateExpr":
        return this.aggregate(node);
      case "BinaryExpr":
        return this.binary(node);
      default:
        throw this.fail(node.from, `${this.text(node).slice(0, 40)} is not evaluated here (${node.name})`);
    }
  }

  selector(node: SyntaxNode): VectorSelector {
    const matchers: Matcher[] = [];
    const identifier = node.getChild("Identifier");
    let name = identifier ? this.text(identifier) : undefined;
    if (name !== undefined) matchers.push(createMatcher("__name__", "=", name));
    const list = node.getChild("LabelMatchers");
    for (const matcher of list ? children(list) : []) {
      const parts = children(matcher);
      if (parts.length === 1) {
        const quoted = this.string(parts[0]!);
        if (name !== undefined) throw this.fail(node.from, `metric name must not be set twice: ${JSON.stringify(name)} or ${JSON.stringify(quoted)}`);
        matchers.push(createMatcher("__name__", "=", (name = quoted)));
      } else if (parts.length === 3) {
        const label = parts[0]!.name === "LabelName" ? this.text(parts[0]!) : this.string(parts[0]!);
        const [op, value] = [this.text(parts[1]!) as MatchOp, this.string(parts[2]!)];
        if (label === "__name__" && name !== undefined)
          throw this.fail(node.from, `metric name must not be set twice: ${JSON.stringify(name)} or ${JSON.stringify(value)}`);
        matchers.push(this.located(matcher, () => createMatcher(label, op, value)));
      } else throw this.fail(matcher.from, `cannot read the matcher ${JSON.stringify(this.text(matcher))}`);
    }
    if (matchers.every((m) => m.matches(""))) throw this.fail(node.from, "vector selector must contain at least one non-empty matcher");
    return { kind: "vector", matchers, offset: 0, at: undefined };
  }

  aggregate(node: SyntaxNode): Expr {
    const args = argumentsOf(node);
    const op = this.text(child(node, 0)).toLowerCase();
    const wanted = op in PARAMETER_TYPES ? 2 : 1;
    if (args.length === 0) throw this.fail(node.from, "no arguments for aggregate expression provided");
    if (args.length !== wanted)
      throw this.fail(node.from, `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`);
    const modifier = node.getChild("AggregateModifier");
    const expr: AggregateExpr = {
      kind: "aggregate",
      op,
      expr: this.expr(args.at(-1)!),
      param: wanted === 2 ? this.expr(args[0]!) : undefined,
      grouping: modifier ? this.labels(modifier.getChild("GroupingLabels")) : [],
      without: modifier?.getChild("Without") != null,
    };
    this.check(checkAggregate(expr), node, args);
    return expr;
  }

  binary(node: SyntaxNode): Expr {
    const parts = children(node);
    const operator = parts.find((part) => part.name in BINARY_OPS);
    if (!operator) throw this.fail(node.from, `no operator in ${JSON.stringify(this.text(node))}`);
    const matching = node.getChild("MatchingModifierClause");
    const lists = matching?.getChildren("GroupingLabels") ?? [];
    const group = matching?.getChild("GroupLeft") ? "left" : matching?.getChild("GroupRight") ? "right" : undefined;
    // The grammar takes the sign of a number for a part of it, but a power binds more tightly.
    const negated = operator.name === "Pow" && parts[0]!.name === "NumberDurationLiteral" && this.text(parts[0]!).startsWith("-");
    const left = this.expr(parts[0]!);
    const expr: BinaryExpr = {
      kind: "binary",
      op: BINARY_OPS[operator.name]!,
      left: negated && left.kind === "number" ? { kind: "number", value: -left.value } : left,
      right: this.expr(parts.at(-1)!),
      bool: node.getChild("BoolModifier") != null,
      on: matching?.getChild("On") != null,
      labels: this.labels(lists[0] ?? null),
      group,
      include: this.labels(lists[1] ?? null),
    };
    this.check(checkBinary(expr, matching !== null), operator, []);
    return negated ? { kind: "unary", op: "-", expr } : expr;
  }

  labels(node: SyntaxNode | null): string[] {
    return node
      ? children(node)
          .map((label) => (label.name === "LabelName" ? this.text(label) : this.string(label)))
          .sort()
      : [];
  }

  /** The selector or subquery whose time a modifier moves. */
  moved(node: SyntaxNode, inner: SyntaxNode, modifier: string): { expr: Expr; moves: { offset: number; at: AtModifier | undefined } } {
    const expr = this.expr(inner);
    const target = expr.kind === "matrix" ? expr.selector : expr;
    if (inner.name === "ParenExpr" || (target.kind !== "vector" && target.kind !== "subquery"))
      throw this.fail(node.from, `${modifier} modifier must be preceded by an instant vector selector or range vector selector or a subquery`);
    return { expr, moves: target };
  }

  /** The length of a window or a step, in ms. */
  range(node: SyntaxNode): number {
    const ms = Math.round(this.duration(node) * 1000);
    if (!(ms > 0)) throw this.fail(node.from, "duration must be greater than 0");
    return ms;
  }

  /** Seconds; durations may be computed. */
  duration(node: SyntaxNode): number {
    const parts = children(node);
    if (parts.length === 0) return this.located(node, () => numberOrDuration(this.text(node)));
    if (parts.length === 1) return this.duration(parts[0]!);
    if (parts.length === 2) return this.duration(parts[1]!) * (this.text(parts[0]!) === "-" ? -1 : 1);
    const [left, right] = [this.duration(parts[0]!), this.duration(parts[2]!)];
    switch (parts[1]!.name) {
      case "Add":
        return left + right;
      case "Sub":
        return left - right;
      case "Mul":
        return left * right;
      case "Div":
        return left / right;
      default:
        throw this.fail(node.from, `cannot read the duration ${JSON.stringify(this.text(node))}`);
    }
  }

  at(node: SyntaxNode): AtModifier {
    const text = this.text(node);
    if (text.startsWith("start")) return "start";
    if (text.startsWith("end")) return "end";
    const seconds = this.located(node, () => numberOrDuration(text));
    if (!Number.isFinite(seconds)) throw this.fail(node.from, `timestamp out of bounds for @ modifier: ${text}`);
    return Math.round(seconds * 1000);
  }

  string(node: SyntaxNode): string {
    return this.located(node, () => unquote(this.text(node)));
  }

  text(node: SyntaxNode): string {
    return this.query.slice(node.from, node.to);
  }

  check(mistake: Mistake, node: SyntaxNode, args: readonly SyntaxNode[]): void {
    if (mistake) throw this.fail((mistake.argument === undefined ? undefined : args[mistake.argument])?.from ?? node.from, mistake.message);
  }

  located<T>(node: SyntaxNode, read: () => T): T {
    try {
      return read();
    } catch (thrown) {
      throw thrown instanceof ChainmailError ? this.fail(node.from, thrown.message) : thrown;
    }
  }

  syntaxError(at: number): PromqlError {
    const unknown = /^[a-zA-Z_]\w*(?=\s*\()/.exec(this.query.slice(this.query.slice(0, at).search(/[a-zA-Z_]\w*\s*\(?$/)));
    if (unknown && this.query[at] === "(") return this.fail(at - unknown[0].length, `unknown function with name ${JSON.stringify(unknown[0])}`);
    const rest = this.query.slice(at, at + 20);
    return this.fail(at, rest === "" ? "unexpected end of input" : `unexpected ${JSON.stringify(rest)}`);
  }

  /** An error at a character of the query, as line:column. */
  fail(at: number, message: string): PromqlError {
    const before = this.query.slice(0, at).split("\n");
    return new PromqlError(`${before.length}:${before.at(-1)!.length + 1}: parse error: ${message}`);
  }
}

function argumentsOf(node: SyntaxNode): SyntaxNode[] {
  const body = node.getChild("FunctionCallBody");
  return body ? children(body) : [];
}

function children(node: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let at = node.firstChild; at; at = at.nextSibling) if (at.name !== "LineComment") found.push(at);
  return found;
}

function child(node: SyntaxNode, index: number): SyntaxNode {
  const found = children(node)[index];
  if (!found) throw new PromqlError(`parse error: ${node.name} has no part ${index}`);
  return found;
}
