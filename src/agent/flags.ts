import { ChainmailError } from "../base/index.ts";

export interface FlagSpec {
  /** Long name; values are kept under it. */
  readonly name: string;
  readonly short?: string;
  /** A flag without a value, which may still be written `--name=false`. */
  readonly boolean?: boolean;
  readonly default?: string;
}

export interface ParsedFlags {
  /** Values by long name: given, or the default. */
  readonly values: ReadonlyMap<string, string>;
  readonly positional: readonly string[];
}

/**
 * Flags as Go's pflag reads them (`--a b`, `--a=b`, `-a b`, `-ab`, `--` ends them), since the arguments that injection
 * writes are Istio's. A library for it would be the largest thing a pod's agent loads at start.
 */
export function parseFlags(specs: readonly FlagSpec[], argv: readonly string[]): ParsedFlags {
  const values = new Map<string, string>();
  for (const spec of specs) if (spec.default !== undefined) values.set(spec.name, spec.default);
  const positional: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? "";
    if (argument === "--") {
      positional.push(...argv.slice(at + 1));
      break;
    }
    if (!argument.startsWith("-") || argument === "-") {
      positional.push(argument);
      continue;
    }
    const long = argument.startsWith("--");
    const equals = long ? argument.indexOf("=") : -1;
    const key = long ? argument.slice(2, equals < 0 ? undefined : equals) : argument.slice(1, 2);
    const spec = specs.find((candidate) => (long ? candidate.name === key : candidate.short === key));
    if (!spec) throw new ChainmailError("FLAG_UNKNOWN", `unknown flag: ${long ? "--" : "-"}${key}`);
    let value: string | undefined = long ? (equals < 0 ? undefined : argument.slice(equals + 1)) : argument.slice(2).replace(/^=/, "") || undefined;
    if (value === undefined) {
      if (spec.boolean) value = "true";
      else if (at + 1 < argv.length) value = argv[++at] ?? "";
      else throw new ChainmailError("FLAG_WITHOUT_VALUE", `flag needs an argument: ${argument}`);
    }
    values.set(spec.name, value);
  }
  return { values, positional };
}

/** The value of a flag that has a default. */
export function flag(flags: ParsedFlags, name: string): string {
  return flags.values.get(name) ?? "";
}

export function booleanFlag(flags: ParsedFlags, name: string): boolean {
  return flags.values.get(name) === "true";
}
