import { ChainmailError } from "../../base/index.ts";

type Step =
  | { kind: "field"; name: string }
  | { kind: "index"; index: number }
  | { kind: "all" }
  | { kind: "filter"; path: string[]; operator: "==" | "!=" | "exists"; value: unknown };

/** A printer column's path is a line of text, not a program. */
const MAX_LENGTH = 2048;

/**
 * Compiles a JSON path of the kind that CustomResourceDefinitions use: `.spec.hosts`, `.spec.ports[0].name`,
 * `.metadata.annotations['a\.b']`, `.status.conditions[?(@.type=="Ready")].status`. The result lists what it found.
 */
export function jsonPath(text: string): (value: unknown) => unknown[] {
  const steps = parse(text);
  return (value) => {
    let found: unknown[] = [value];
    for (const step of steps) found = found.flatMap((at) => take(at, step));
    return found;
  };
}

function take(value: unknown, step: Step): unknown[] {
  switch (step.kind) {
    case "field":
      return isObject(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : [];
    case "index": {
      if (!Array.isArray(value)) return [];
      const index = step.index < 0 ? value.length + step.index : step.index;
      return index >= 0 && index < value.length ? [value[index]] : [];
    }
    case "all":
      return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
    case "filter":
      return (Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []).filter((item) => {
        const [at] = step.path.reduce<unknown[]>((found, name) => found.flatMap((one) => take(one, { kind: "field", name })), [item]);
        if (step.operator === "exists") return at !== undefined;
        return step.operator === "==" ? at === step.value : at !== undefined && at !== step.value;
      });
  }
}

function parse(text: string): Step[] {
  if (text.length > MAX_LENGTH) throw invalid(text.slice(0, 64), "it is too long");
  let rest = text
    .trim()
    .replace(/^\{(.*)\}$/, "$1")
    .replace(/^\$/, "");
  const steps: Step[] = [];
  while (rest !== "") {
    const field = /^\.?((?:[^.[\]\\]|\\.)+)/.exec(rest);
    const bracket = /^\.?\[\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(-?\d+)|(\*))\s*\]/.exec(rest);
    const filter = /^\.?\[\?\(\s*@((?:\.[^\s=!.)]+)+)\s*(?:(==|!=)\s*(?:'([^']*)'|"([^"]*)"|([^)\s]+))\s*)?\)\]/.exec(rest);
    if (filter) {
      const [all, path = "", operator, single, double, bare] = filter;
      const value = single ?? double ?? literal(bare ?? "");
      steps.push({ kind: "filter", path: path.slice(1).split("."), operator: operator === "==" || operator === "!=" ? operator : "exists", value });
      rest = rest.slice(all.length);
    } else if (bracket) {
      const [all, single, double, index] = bracket;
      const name = single ?? double;
      steps.push(
        name !== undefined ? { kind: "field", name: unescape(name) } : index !== undefined ? { kind: "index", index: Number(index) } : { kind: "all" },
      );
      rest = rest.slice(all.length);
    } else if (field && (rest.startsWith(".") || steps.length === 0)) {
      const name = unescape(field[1] ?? "");
      steps.push(name === "*" ? { kind: "all" } : { kind: "field", name });
      rest = rest.slice(field[0].length);
    } else if (rest === ".") {
      break;
    } else {
      throw invalid(text, `cannot read it from "${rest.slice(0, 32)}"`);
    }
  }
  return steps;
}

function literal(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  const number = Number(text);
  return text !== "" && !Number.isNaN(number) ? number : text;
}

function unescape(text: string): string {
  return text.replace(/\\(.)/g, "$1");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(text: string, why: string): ChainmailError {
  return new ChainmailError("INVALID_JSON_PATH", `the JSON path ${text} is invalid: ${why}`);
}
