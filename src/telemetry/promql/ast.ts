import type { Matcher } from "../store/matchers.ts";
import { SIGNATURES, type ValueType } from "./signatures.ts";

/** A PromQL expression as plain data. Durations and times are in milliseconds. */
export type Expr =
  | { kind: "number"; value: number }
  | { kind: "string"; value: string }
  | VectorSelector
  | { kind: "matrix"; selector: VectorSelector; range: number }
  | { kind: "subquery"; expr: Expr; range: number; step: number | undefined; offset: number; at: AtModifier | undefined }
  | { kind: "call"; name: string; args: Expr[] }
  | AggregateExpr
  | { kind: "unary"; op: "+" | "-"; expr: Expr }
  | BinaryExpr;

export type AtModifier = number | "start" | "end";

export interface VectorSelector {
  kind: "vector";
  matchers: Matcher[];
  offset: number;
  at: AtModifier | undefined;
}

export interface AggregateExpr {
  kind: "aggregate";
  op: string;
  expr: Expr;
  param: Expr | undefined;
  grouping: string[];
  without: boolean;
}

export interface BinaryExpr {
  kind: "binary";
  op: string;
  left: Expr;
  right: Expr;
  bool: boolean;
  /** Labels to match on, or to ignore (the default: ignore none). */
  on: boolean;
  labels: string[];
  group: "left" | "right" | undefined;
  /** Labels that group_left or group_right takes over from the "one" side. */
  include: string[];
}

export function typeOf(expr: Expr): ValueType {
  switch (expr.kind) {
    case "number":
      return "scalar";
    case "string":
      return "string";
    case "vector":
    case "aggregate":
      return "instant vector";
    case "matrix":
    case "subquery":
      return "range vector";
    case "call":
      return SIGNATURES.get(expr.name)?.returns ?? "instant vector";
    case "unary":
      return typeOf(expr.expr);
    case "binary":
      return typeOf(expr.left) === "scalar" && typeOf(expr.right) === "scalar" ? "scalar" : "instant vector";
  }
}
