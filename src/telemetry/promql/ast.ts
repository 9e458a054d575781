import type { Matcher } from "../store/matchers.ts";

/** A PromQL expression as plain data. Durations and times are in milliseconds. */
export type Expr =
  | { kind: "number"; value: number }
  | { kind: "string"; value: string }
  | VectorSelector
  | { kind: "matrix"; selector: VectorSelector; range: number }
  | { kind: "subquery"; expr: Expr; range: number; step: number | undefined; offset: number; at: AtModifier | undefined }
  | { kind: "call"; name: string; args: Expr[] }
  | { kind: "aggregate"; op: string; expr: Expr; param: Expr | undefined; grouping: string[]; without: boolean }
  | { kind: "unary"; op: "+" | "-"; expr: Expr }
  | BinaryExpr;

export type AtModifier = number | "start" | "end";

export interface VectorSelector {
  kind: "vector";
  matchers: Matcher[];
  offset: number;
  at: AtModifier | undefined;
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
