import { allMatches, compileRegex, groupText } from "../../../base/regex/index.ts";
import { isIP, isIPv4 } from "node:net";
import { Environment } from "@marcbachmann/cel-js";
import { quantityValue } from "../../../resources/index.ts";

/** A compiled expression. */
export type Program = (variables: Record<string, unknown>) => unknown;

/** Rules are compiled once; CRDs are few. A set that outgrows this is begun anew. */
const MAX_PROGRAMS = 4096;

const programs = new Map<string, Program>();
let environment: Environment | undefined;

/** Compiles a rule for Kubernetes' environment: `self`, `oldSelf` and the functions that CRD rules may call. Throws on bad syntax. */
export function compile(expression: string): Program {
  let program = programs.get(expression);
  if (!program) {
    environment ??= newEnvironment();
    program = environment.parse(expression) as unknown as Program;
    if (programs.size >= MAX_PROGRAMS) programs.clear();
    programs.set(expression, program);
  }
  return program;
}

class Url {
  constructor(readonly url: URL) {}
}

class Quantity {
  constructor(readonly value: number) {}
}

class Ip {
  constructor(readonly address: string) {}
}

/**
 * Kubernetes' functions. `isStrict`: only variables that are registered are there, for a check of types.
 * https://kubernetes.io/docs/reference/using-api/cel/#cel-options-language-features-and-libraries
 */
export function newEnvironment(isStrict = false): Environment {
  const env = new Environment({ unlistedVariablesAreDyn: !isStrict, homogeneousAggregateLiterals: false, enableOptionalTypes: true });
  env
    .registerType("net.URL", { ctor: Url, fields: {} })
    .registerType("kubernetes.Quantity", { ctor: Quantity, fields: {} })
    .registerType("net.IP", { ctor: Ip, fields: {} });
  registerUrls(env);
  registerStrings(env);
  registerLists(env);
  registerQuantities(env);
  env
    .registerFunction("isIP(string): bool", (text: string) => isIP(text) !== 0)
    .registerFunction("ip(string): net.IP", (text: string) => {
      if (isIP(text) === 0) throw new Error(`IP Address ${JSON.stringify(text)} parse error during conversion from string`);
      return new Ip(text);
    })
    .registerFunction("net.IP.family(): int", ({ address }: Ip) => (isIPv4(address) ? 4n : 6n));
  return env;
}

function registerUrls(env: Environment): void {
  env
    .registerFunction("isURL(string): bool", (text: string) => URL.canParse(text))
    .registerFunction("url(string): net.URL", (text: string) => {
      // Go takes paths for URLs too: what has no scheme is read as one.
      if (!URL.canParse(text) && !text.startsWith("/")) return new Url(new URL("none:"));
      return new Url(URL.canParse(text) ? new URL(text) : new URL(text, "none:///"));
    })
    .registerFunction("net.URL.getScheme(): string", ({ url }: Url) => (url.protocol === "none:" ? "" : url.protocol.slice(0, -1)))
    .registerFunction("net.URL.getHost(): string", ({ url }: Url) => url.host)
    .registerFunction("net.URL.getHostname(): string", ({ url }: Url) => url.hostname)
    .registerFunction("net.URL.getPort(): string", ({ url }: Url) => url.port)
    .registerFunction("net.URL.getEscapedPath(): string", ({ url }: Url) => url.pathname);
}

function registerStrings(env: Environment): void {
  env
    .registerFunction("string.charAt(int): string", (text: string, at: bigint) => [...text][Number(at)] ?? "")
    .registerFunction("string.replace(string, string): string", (text: string, from: string, to: string) => text.split(from).join(to))
    .registerFunction("string.reverse(): string", (text: string) => [...text].reverse().join(""))
    .registerFunction("string.find(string): string", (text: string, pattern: string) => found(text, pattern)[0] ?? "")
    .registerFunction("string.findAll(string): list<string>", found);
}

function found(text: string, pattern: string): string[] {
  return allMatches(compileRegex(pattern, "go"), text).map((match) => groupText(text, match, 0));
}

function registerLists(env: Environment): void {
  type Ordered = bigint | number | string;
  const extreme = (list: Ordered[], less: boolean): Ordered => {
    const [first, ...rest] = list;
    if (first === undefined) throw new Error(`${less ? "min" : "max"} called on empty list`);
    return rest.reduce((best, item) => (item < best === less ? item : best), first);
  };
  env
    .registerFunction("list<dyn>.isSorted(): bool", (list: Ordered[]) => list.every((item, i) => i === 0 || (list[i - 1] as Ordered) <= item))
    .registerFunction("list<dyn>.sum(): dyn", (list: (bigint | number)[]) =>
      typeof list[0] === "number" ? (list as number[]).reduce((a, b) => a + b, 0) : (list as bigint[]).reduce((a, b) => a + b, 0n),
    )
    .registerFunction("list<dyn>.min(): dyn", (list: Ordered[]) => extreme(list, true))
    .registerFunction("list<dyn>.max(): dyn", (list: Ordered[]) => extreme(list, false))
    .registerFunction("list<dyn>.indexOf(dyn): int", (list: unknown[], item: unknown) => BigInt(list.indexOf(item)))
    .registerFunction("list<dyn>.lastIndexOf(dyn): int", (list: unknown[], item: unknown) => BigInt(list.lastIndexOf(item)));
}

function registerQuantities(env: Environment): void {
  const parse = (text: string) => {
    const value = quantityValue(text);
    return value === undefined || Number.isNaN(value) ? undefined : value;
  };
  env
    .registerFunction("isQuantity(string): bool", (text: string) => parse(text) !== undefined)
    .registerFunction("quantity(string): kubernetes.Quantity", (text: string) => {
      const value = parse(text);
      if (value === undefined) throw new Error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
      return new Quantity(value);
    })
    .registerFunction("kubernetes.Quantity.sign(): int", ({ value }: Quantity) => BigInt(Math.sign(value)))
    .registerFunction("kubernetes.Quantity.isInteger(): bool", ({ value }: Quantity) => Number.isInteger(value))
    .registerFunction("kubernetes.Quantity.asInteger(): int", ({ value }: Quantity) => BigInt(value))
    .registerFunction("kubernetes.Quantity.asApproximateFloat(): double", ({ value }: Quantity) => value)
    .registerFunction("kubernetes.Quantity.compareTo(kubernetes.Quantity): int", (a: Quantity, b: Quantity) => BigInt(Math.sign(a.value - b.value)))
    .registerFunction("kubernetes.Quantity.isGreaterThan(kubernetes.Quantity): bool", (a: Quantity, b: Quantity) => a.value > b.value)
    .registerFunction("kubernetes.Quantity.isLessThan(kubernetes.Quantity): bool", (a: Quantity, b: Quantity) => a.value < b.value)
    .registerFunction("kubernetes.Quantity.add(kubernetes.Quantity): kubernetes.Quantity", (a: Quantity, b: Quantity) => new Quantity(a.value + b.value))
    .registerFunction("kubernetes.Quantity.sub(kubernetes.Quantity): kubernetes.Quantity", (a: Quantity, b: Quantity) => new Quantity(a.value - b.value));
}
