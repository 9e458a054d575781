import { jsonSyntaxProblem } from "../../base/index.ts";
import type { Scalar } from "./types.ts";

/** What cannot be read, in the words of Go's JSON reader. */
export class ReadProblem extends Error {
  /** `string` and `[]json.RawMessage` of a value of another type than its place. */
  readonly mismatch: { readonly value: string; readonly goType: string } | undefined;

  constructor(text: string, mismatch?: { value: string; goType: string }) {
    super(text);
    this.mismatch = mismatch;
  }
}

export function mismatch(value: unknown, goType: string): ReadProblem {
  const named = kindOf(value);
  // Of a number that does not fit, the number is told; of one where something else belongs, it is not.
  const told = named === "number" && INTEGERS.has(goType) ? `number ${String(value)}` : named;
  return new ReadProblem(`json: cannot unmarshal ${told} into Go value of type ${goType}`, { value: told, goType });
}

export const GO_TYPES: Readonly<Record<Scalar, string>> = {
  bool: "bool",
  int32: "int32",
  uint32: "uint32",
  int64: "int64",
  uint64: "uint64",
  float: "float32",
  double: "float64",
  string: "string",
  bytes: "[]uint8",
};
export const ENUM_NUMBER = "protoreflect.EnumNumber";

const INTEGERS = new Set(["int32", "uint32", "int64", "uint64", ENUM_NUMBER]);
const RANGES: Readonly<Record<string, readonly [low: number, high: number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  [ENUM_NUMBER]: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [-(2 ** 63), 2 ** 63],
  uint64: [0, 2 ** 64],
};

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "object" ? "object" : typeof value === "boolean" ? "bool" : typeof value;
}

/** A scalar that is not null. Numbers may also be written as strings. */
export function readScalar(value: unknown, scalar: Scalar): unknown {
  const goType = GO_TYPES[scalar];
  switch (scalar) {
    case "string":
      if (typeof value !== "string") throw mismatch(value, goType);
      return value;
    case "bool":
      if (typeof value !== "boolean") throw mismatch(value, goType);
      return value;
    case "bytes":
      if (typeof value !== "string") throw mismatch(value, goType);
      if (!/^[A-Za-z0-9+/]*={0,2}$/.test(value)) throw new ReadProblem(`illegal base64 data at input byte ${value.search(/[^A-Za-z0-9+/=]/)}`);
      return value;
    default:
      return readNumber(value, goType, scalar === "float" || scalar === "double");
  }
}

export function readNumber(value: unknown, goType: string, fraction: boolean): number {
  const number = typeof value === "string" ? unquoted(value, fraction) : value;
  // An empty value is as good as none.
  if (number === null) return 0;
  if (typeof number !== "number") throw mismatch(number, goType);
  const [low, high] = RANGES[goType] ?? [-Infinity, Infinity];
  if (!fraction && (!Number.isInteger(number) || number < low || number > high)) throw mismatch(number, goType);
  return number;
}

/** Of a string where a number belongs, what is between the quotes is read as JSON. */
function unquoted(text: string, fraction: boolean): unknown {
  if (fraction && ["NaN", "Infinity", "-Infinity"].includes(text)) return Number(text);
  try {
    return JSON.parse(text);
  } catch {
    throw new ReadProblem(jsonSyntaxProblem(text));
  }
}
