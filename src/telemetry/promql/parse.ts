import type { SyntaxNode } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";
import { ChainmailError } from "../../base/index.ts";
import { type MatchOp, type Matcher, createMatcher } from "../store/matchers.ts";
import type { AtModifier, BinaryExpr, Expr, VectorSelector } from "./ast.ts";

/** A query that is not PromQL, or PromQL that is not evaluated here. */
export class PromqlError extends ChainmailError {
  constructor(message: string, code = "PROMQL_BAD_DATA") {
    super(code, message);
  }
}

/** A query can come from the network: no dashboard writes longer ones. */
const MAX_QUERY_LENGTH = 64 << 10;

const BINARY_OPS: Record<string, string> = {
  Add: "+", Sub: "-", Mul: "*", Div: "/", Mod: "%", Pow: "^", Atan2: "atan2",
  Eql: "==", EqlSingle: "==", Neq: "!=", Gtr: ">", Lss: "<", Gte: ">=", Lte: "<=",
  And: "and", Or: "or", Unless: "unless",
};

/** Parses one expression. Throws PromqlError. */
export function parsePromql(query: string): Expr {
  if (query.length > MAX_QUERY_LENGTH) throw new PromqlError(`the query has ${query.length} characters, more than ${MAX_QUERY_LENGTH}`);
  const tree = parser.parse(query);
  tree.iterate({
    enter(node) {
      if (node.type.isError) throw new PromqlError(`parse error at char ${node.from + 1}: unexpected ${JSON.stringify(query.slice(node.from, node.from + 20) || "end of input")}`);
    },
  });
  const top = tree.topNode.firstChild;
  if (!top) throw new PromqlError("no expression found in input");
  return new Builder(query).expr(top);
}

class Builder {
  constructor(readonly query: string) {}

  expr(node: SyntaxNode): Expr {
    switch (node.name) {
      case "NumberDurationLiteral":
        return { kind: "number", value: numberOrDuration(this.text(node)) };
      case "StringLiteral":
        return { kind: "string", value: unquote(this.text(node)) };
      case "ParenExpr":
        return this.expr(child(node, 0));
      case "VectorSelector":
        return this.selector(node);
      case "MatrixSelector":
        return { kind: "matrix", selector: this.selector(child(node, 0)), range: this.duration(child(node, 1)) };
      case "SubqueryExpr": {
        const parts = children(node);
        return { kind: "subquery", expr: this.expr(parts[0]!), range: this.duration(parts[1]!), step: parts[2] && this.duration(parts[2]), offset: 0, at: undefined };
      }
      case "OffsetExpr": {
        const parts = children(node);
        const negative = parts.some((part) => part.name === "Sub");
        const offset = this.duration(parts.at(-1)!) * (negative ? -1 : 1);
        return moved(this.expr(parts[0]!), (m) => (m.offset += offset));
      }
      case "StepInvariantExpr": {
        const parts = children(node);
        const at = this.at(parts.at(-1)!);
        return moved(this.expr(parts[0]!), (m) => (m.at = at));
      }
      case "UnaryExpr":
        return { kind: "unary", op: this.text(child(node, 0)) === "-" ? "-" : "+", expr: this.expr(child(node, 1)) };
      case "FunctionCall": {
        const body = node.getChild("FunctionCallBody");
        return { kind: "call", name: this.text(child(node, 0)), args: body ? children(body).map((arg) => this.expr(arg)) : [] };
      }
      case "AggregateExpr":
        return this.aggregate(node);
      case "BinaryExpr":
        return this.binary(node);
      default:
        throw new PromqlError(`unexpected ${node.name} in ${JSON.stringify(this.text(node))}`);
    }
  }

  selector(node: SyntaxNode): VectorSelector {
    const matchers: Matcher[] = [];
    const name = node.getChild("Identifier");
    if (name) matchers.push(createMatcher("__name__", "=", this.text(name)));
    const list = node.getChild("LabelMatchers");
    for (const matcher of list ? children(list) : []) {
      const parts = children(matcher);
      if (parts.length === 1) matchers.push(createMatcher("__name__", "=", unquote(this.text(parts[0]!))));
      else if (parts.length === 3) {
        const label = parts[0]!.name === "LabelName" ? this.text(parts[0]!) : unquote(this.text(parts[0]!));
        matchers.push(createMatcher(label, this.text(parts[1]!) as MatchOp, unquote(this.text(parts[2]!))));
      } else throw new PromqlError(`cannot read the matcher ${JSON.stringify(this.text(matcher))}`);
    }
    if (matchers.every((m) => m.matches(""))) throw new PromqlError("vector selector must contain at least one non-empty matcher");
    return { kind: "vector", matchers, offset: 0, at: undefined };
  }

  aggregate(node: SyntaxNode): Expr {
    const body = node.getChild("FunctionCallBody");
    const args = body ? children(body).map((arg) => this.expr(arg)) : [];
    const modifier = node.getChild("AggregateModifier");
    const expr = args.at(-1);
    if (!expr) throw new PromqlError("no arguments for aggregate expression provided");
    return {
      kind: "aggregate",
      op: this.text(child(node, 0)),
      expr,
      param: args.length > 1 ? args[0] : undefined,
      grouping: modifier ? this.labels(modifier.getChild("GroupingLabels")) : [],
      without: modifier?.getChild("Without") != null,
    };
  }

  binary(node: SyntaxNode): BinaryExpr {
    const parts = children(node);
    const operator = parts.find((part) => part.name in BINARY_OPS);
    if (!operator) throw new PromqlError(`no operator in ${JSON.stringify(this.text(node))}`);
    const matching = node.getChild("MatchingModifierClause");
    const lists = matching?.getChildren("GroupingLabels") ?? [];
    const group = matching?.getChild("GroupLeft") ? "left" : matching?.getChild("GroupRight") ? "right" : undefined;
    return {
      kind: "binary",
      op: BINARY_OPS[operator.name]!,
      left: this.expr(parts[0]!),
      right: this.expr(parts.at(-1)!),
      bool: node.getChild("BoolModifier") != null,
      on: matching?.getChild("On") != null,
      labels: this.labels(lists[0] ?? null),
      group,
      include: this.labels(lists[1] ?? null),
    };
  }

  labels(node: SyntaxNode | null): string[] {
    return node ? children(node).map((label) => (label.name === "LabelName" ? this.text(label) : unquote(this.text(label)))) : [];
  }

  duration(node: SyntaxNode): number {
    return numberOrDuration(this.text(node)) * 1000;
  }

  at(node: SyntaxNode): AtModifier {
    const text = this.text(node);
    if (text.startsWith("start")) return "start";
    if (text.startsWith("end")) return "end";
    return numberOrDuration(text) * 1000;
  }

  text(node: SyntaxNode): string {
    return this.query.slice(node.from, node.to);
  }
}

const UNIT_SECONDS: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800, y: 31_536_000 };

/** `1.5`, `0x1f`, `Inf`, `NaN`, or a duration such as `1h30m`, in seconds. */
export function numberOrDuration(text: string): number {
  if (/^(?:\d+(?:ms|[smhdwy]))+$/.test(text)) {
    let seconds = 0;
    for (const [, amount, unit] of text.matchAll(/(\d+)(ms|[smhdwy])/g)) seconds += Number(amount) * UNIT_SECONDS[unit!]!;
    return seconds;
  }
  if (/^[+-]?inf$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  if (/^nan$/i.test(text)) return NaN;
  const value = Number(text.replaceAll("_", ""));
  if (Number.isNaN(value)) throw new PromqlError(`not a number or duration: ${JSON.stringify(text)}`);
  return value;
}

/** Moves the selector or subquery inside `expr` in time. */
function moved(expr: Expr, change: (target: { offset: number; at: AtModifier | undefined }) => void): Expr {
  const target = expr.kind === "matrix" ? expr.selector : expr;
  if (target.kind !== "vector" && target.kind !== "subquery") throw new PromqlError("offset and @ must follow a selector or a subquery");
  change(target);
  return expr;
}

const ESCAPES: Record<string, string> = { a: "\u0007", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

function unquote(text: string): string {
  const inner = text.slice(1, -1);
  if (text.startsWith("`") || !inner.includes("\\")) return inner;
  return inner.replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))/gs, (_, hex?: string, unicode?: string, char?: string) =>
    hex || unicode ? String.fromCharCode(Number.parseInt((hex ?? unicode)!, 16)) : (ESCAPES[char!] ?? char!),
  );
}

function children(node: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let at = node.firstChild; at; at = at.nextSibling) found.push(at);
  return found;
}

function child(node: SyntaxNode, index: number): SyntaxNode {
  const found = children(node)[index];
  if (!found) throw new PromqlError(`${node.name} has no part ${index}`);
  return found;
}
