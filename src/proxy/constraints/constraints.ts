import { fromBinary, type DescMessage, type Message, type MessageShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { InvalidResource } from "../types.ts";
import { rulesOf, type FieldRules } from "./rules.ts";
import { valueProblem } from "./values.ts";

type Fields = Readonly<Record<string, unknown>>;
interface Oneof {
  readonly case?: string | undefined;
  readonly value?: unknown;
}

/** Throws InvalidResource for a message, or one inside it, whose values Envoy's API does not allow. What an Any holds is not looked at. */
export function checkConstraints(message: Message): void {
  const problem = messageProblem(message);
  if (problem !== undefined) throw new InvalidResource("INVALID_CONFIG", `Proto constraint validation failed (${problem})`);
}

/** Reads a message that has been somebody's `typed_config`, and checks it. Throws InvalidResource. */
export function readConfig<Desc extends DescMessage>(schema: Desc, bytes: Uint8Array): MessageShape<Desc> {
  let message: MessageShape<Desc>;
  try {
    message = fromBinary(schema, bytes);
  } catch (cause) {
    throw new InvalidResource("INVALID_CONFIG", `Unable to unpack as ${schema.typeName}`, { cause });
  }
  checkConstraints(message);
  return message;
}

function messageProblem(message: Message): string | undefined {
  const { $typeName } = message;
  if ($typeName === "google.protobuf.Duration") return negativeDuration(message as Duration);
  if ($typeName.startsWith("google.")) return undefined;
  const fields = message as unknown as Fields;
  const of = (field: string, problem: string): string =>
    `${$typeName.slice($typeName.lastIndexOf(".") + 1)}ValidationError.${field.slice(0, 1).toUpperCase()}${field.slice(1)}: ${problem}`;
  for (const [name, rules] of rulesOf($typeName)) {
    // protoc-gen-validate names neither the message nor a field here.
    if (rules.oneof && (fields[name] as Oneof | undefined)?.case === undefined)
      return `field: "${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}", reason: is required`;
    const problem = fieldProblem(fields, name, rules);
    if (problem !== undefined) return of(name + (problem.at ?? ""), problem.text);
  }
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (typeof value !== "object" || value === null) continue;
    const found = nestedProblem(name, value);
    if (found) return of(found.field, `embedded message failed validation | caused by ${found.problem}`);
  }
  return undefined;
}

/** Envoy reads no time that is less than none. */
function negativeDuration({ seconds, nanos }: Duration): string | undefined {
  return seconds < 0n || nanos < 0 ? `Invalid duration: Expected positive duration: seconds: ${seconds}` : undefined;
}

/** The first problem of the messages that a field holds: one, a list, a map, or the one of a oneof. */
function nestedProblem(name: string, value: object): { field: string; problem: string } | undefined {
  if (isMessage(value)) {
    const problem = messageProblem(value);
    return problem === undefined ? undefined : { field: name, problem };
  }
  if (Array.isArray(value)) {
    for (const [index, each] of value.entries()) {
      const problem = isMessage(each) ? messageProblem(each) : undefined;
      if (problem !== undefined) return { field: `${name}[${index}]`, problem };
    }
    return undefined;
  }
  const { case: chosen, value: content } = value as Oneof;
  if (chosen !== undefined && isMessage(content)) {
    const problem = messageProblem(content);
    return problem === undefined ? undefined : { field: chosen, problem };
  }
  if (name.startsWith("$") || value instanceof Uint8Array) return undefined;
  for (const [key, each] of Object.entries(value)) {
    const problem = isMessage(each) ? messageProblem(each) : undefined;
    if (problem !== undefined) return { field: `${name}[${key}]`, problem };
  }
  return undefined;
}

function isMessage(value: unknown): value is Message {
  return typeof value === "object" && value !== null && typeof (value as Partial<Message>).$typeName === "string";
}

function fieldProblem(fields: Fields, name: string, rules: FieldRules): { at?: string; text: string } | undefined {
  if (rules.oneof) return undefined;
  let value = fields[name];
  if (rules.of !== undefined) {
    const oneof = fields[rules.of] as Oneof | undefined;
    if (oneof?.case !== name) return undefined;
    ({ value } = oneof);
    if (isMessage(value) && value.$typeName.startsWith("google.protobuf.") && value.$typeName.endsWith("Value")) value = (value as unknown as Fields)["value"];
  }
  if (value === undefined || value === null)
    return rules.message?.required || rules.duration?.required || rules.any?.required ? { text: "value is required" } : undefined;
  if (rules.repeated && Array.isArray(value)) return listProblem(value, rules.repeated);
  if (rules.map && typeof value === "object") return mapProblem(Object.keys(value), rules.map);
  const text = valueProblem(value, rules);
  return text === undefined ? undefined : { text };
}

function listProblem(
  list: readonly unknown[],
  { min_items, max_items, unique, items }: NonNullable<FieldRules["repeated"]>,
): { at?: string; text: string } | undefined {
  if (min_items !== undefined && list.length < Number(min_items)) return { text: `value must contain at least ${min_items} item(s)` };
  if (max_items !== undefined && list.length > Number(max_items)) return { text: `value must contain no more than ${max_items} item(s)` };
  if (unique) {
    const repeated = list.findIndex((each, index) => list.indexOf(each) < index);
    if (repeated >= 0) return { at: `[${repeated}]`, text: "repeated value must contain unique items" };
  }
  if (!items) return undefined;
  for (const [index, each] of list.entries()) {
    const text = valueProblem(each, items);
    if (text !== undefined) return { at: `[${index}]`, text };
  }
  return undefined;
}

function mapProblem(names: readonly string[], { min_pairs, keys }: NonNullable<FieldRules["map"]>): { at?: string; text: string } | undefined {
  if (min_pairs !== undefined && names.length < Number(min_pairs)) return { text: `value must contain at least ${min_pairs} pair(s)` };
  for (const name of keys ? names : []) {
    const text = valueProblem(name, keys as FieldRules);
    if (text !== undefined) return { at: `[${name}]`, text };
  }
  return undefined;
}
