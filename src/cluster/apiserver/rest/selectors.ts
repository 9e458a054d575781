import type { KubeObject, ResourceDefinition } from "../../../resources/index.ts";
import { badRequest } from "../http/status.ts";

/** Whether an object is wanted; undefined selects all. */
export type Filter = (object: KubeObject) => boolean;

interface Requirement {
  key: string;
  operator: "=" | "!=" | "in" | "notin" | "exists" | "!exists" | ">" | "<";
  values: string[];
}

const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;

/** `app=web,tier in (a, b),!old`. Throws 400 with Kubernetes' words. */
export function parseLabelSelector(text: string | null): Filter | undefined {
  if (!text?.trim()) return undefined;
  const requirements = parseRequirements(text);
  return (object) => {
    const labels = object.metadata.labels;
    return requirements.every((requirement) => matches(requirement, labels?.[requirement.key]));
  };
}

function parseRequirements(text: string): Requirement[] {
  const lexer = new Lexer(text);
  const requirements: Requirement[] = [];
  for (;;) {
    requirements.push(parseRequirement(lexer));
    const token = lexer.next();
    if (token === "") return requirements;
    if (token !== ",") throw unable(`found '${token}', expected: ',' or 'end of string'`);
  }
}

function parseRequirement(lexer: Lexer): Requirement {
  let key = lexer.next();
  if (key === "!") return { key: checkKey(lexer.next()), operator: "!exists", values: [] };
  key = checkKey(key);
  const following = lexer.peek();
  if (following === "" || following === ",") return { key, operator: "exists", values: [] };
  const operator = lexer.next();
  switch (operator) {
    case "=":
    case "==":
    case "!=":
      return { key, operator: operator === "!=" ? "!=" : "=", values: [checkValue(lexer.nextValue(), key)] };
    case "in":
    case "notin": {
      if (lexer.next() !== "(") throw unable("found '" + lexer.peek() + "', expected: '('");
      const values = [checkValue(lexer.nextValue(), key)];
      for (let token = lexer.next(); token !== ")"; token = lexer.next()) {
        if (token !== ",") throw unable(`found '${token}', expected: ',' or ')'`);
        values.push(checkValue(lexer.nextValue(), key));
      }
      return { key, operator, values };
    }
    case ">":
    case "<":
      return { key, operator, values: [lexer.nextValue()] };
    default:
      throw unable(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
  }
}

function matches({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case "=":
    case "in":
      return value !== undefined && values.includes(value);
    case "!=":
    case "notin":
      return value === undefined || !values.includes(value);
    case "exists":
      return value !== undefined;
    case "!exists":
      return value === undefined;
    case ">":
      return value !== undefined && Number(value) > Number(values[0]);
    case "<":
      return value !== undefined && Number(value) < Number(values[0]);
  }
}

class Lexer {
  #at = 0;
  constructor(private readonly text: string) {}

  /** The next token, "" at the end. */
  next(): string {
    this.#skipSpace();
    const rest = this.text.slice(this.#at);
    const token = /^(?:==|!=|[=!<>(),]|[^=!<>(),\s]+)/.exec(rest)?.[0] ?? "";
    this.#at += token.length;
    return token;
  }

  peek(): string {
    const at = this.#at;
    const token = this.next();
    this.#at = at;
    return token;
  }

  /** A value, which may be empty: nothing is taken when a separator follows. */
  nextValue(): string {
    const token = this.peek();
    return token === "," || token === ")" || token === "" ? "" : this.next();
  }

  #skipSpace(): void {
    while (/\s/.test(this.text[this.#at] ?? "")) this.#at++;
  }
}

function checkKey(key: string): string {
  const name = key.slice(key.indexOf("/") + 1);
  if (!LABEL_KEY.test(key) || name.length > 63) {
    throw unable(
      `<nil>: Invalid value: ${JSON.stringify(key)}: name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
    );
  }
  return key;
}

function checkValue(value: string, key: string): string {
  if (!LABEL_VALUE.test(value) || value.length > 63) {
    throw unable(
      `values[0][${key}]: Invalid value: ${JSON.stringify(value)}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
    );
  }
  return value;
}

function unable(why: string): Error {
  return badRequest(`unable to parse requirement: ${why}`);
}

export interface FieldSelector {
  filter: Filter | undefined;
  /** When exactly one name can match: lists need not look at others. */
  name: string | undefined;
}

/** `metadata.name=x,status.phase!=Failed` against the fields that a resource offers. Throws 400 for others. */
export function parseFieldSelector(text: string | null, definition: ResourceDefinition): FieldSelector {
  if (!text?.trim()) return { filter: undefined, name: undefined };
  const terms = splitTerms(text).map((term) => {
    const match = /^([^=!]*?)(==|!=|=)(.*)$/s.exec(term);
    if (!match) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    const [, field = "", operator, value = ""] = match;
    return { read: fieldReader(field, definition), field, equals: operator !== "!=", value: unescape(value) };
  });
  return {
    filter: (object) => terms.every(({ read, equals, value }) => (read(object) === value) === equals),
    name: terms.find(({ field, equals }) => field === "metadata.name" && equals)?.value,
  };
}

function fieldReader(field: string, definition: ResourceDefinition): (object: KubeObject) => string {
  if (field === "metadata.name") return (object) => object.metadata.name;
  if (field === "metadata.namespace" && definition.namespaced) return (object) => object.metadata.namespace ?? "";
  const read = definition.selectableFields[field];
  if (read) return read;
  // Kinds with fields of their own refuse in other words than those that know only the common ones.
  throw badRequest(
    definition.custom || Object.keys(definition.selectableFields).length > 0
      ? `field label not supported: ${field}`
      : `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
  );
}

/** Commas and equals signs in values are escaped by a backslash. */
function splitTerms(text: string): string[] {
  return text
    .split(/(?<!\\),/)
    .map((term) => term.trim())
    .filter((term) => term !== "");
}

function unescape(value: string): string {
  return value.replaceAll(/\\([\\,=])/g, "$1");
}
