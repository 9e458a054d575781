import type * as Generated from "../../proto/gen/validation-rules.ts";

/** Numbers of 64 bits are texts, as in all JSON of protobuf. */
export interface NumberRules {
  readonly lt?: number | string;
  readonly lte?: number | string;
  readonly gt?: number | string;
  readonly gte?: number | string;
}

export interface TextRules {
  readonly min_len?: string;
  readonly max_len?: string;
  readonly max_bytes?: string;
  readonly pattern?: string;
  readonly in?: readonly string[];
  readonly well_known_regex?: "HTTP_HEADER_NAME" | "HTTP_HEADER_VALUE";
  /** Default true: as RFC 9110 has it. Otherwise anything but zeros and ends of lines. */
  readonly strict?: boolean;
  readonly ignore_empty?: boolean;
}

/** Durations as JSON has them: `0.001s`. */
export interface DurationRules {
  readonly required?: boolean;
  readonly lt?: string;
  readonly lte?: string;
  readonly gt?: string;
  readonly gte?: string;
}

/** What protoc-gen-validate's annotations say of a field. */
export interface FieldRules {
  /** The rules are of a oneof: one of it must be there. */
  readonly oneof?: true;
  /** The oneof that the field belongs to. */
  readonly of?: string;
  readonly message?: { readonly required?: boolean };
  readonly any?: { readonly required?: boolean };
  readonly duration?: DurationRules;
  readonly string?: TextRules;
  readonly bytes?: { readonly min_len?: string; readonly max_len?: string };
  readonly bool?: { readonly const?: boolean };
  readonly enum?: { readonly defined_only?: readonly number[]; readonly not_in?: readonly number[] };
  readonly uint32?: NumberRules;
  readonly uint64?: NumberRules;
  readonly int32?: NumberRules;
  readonly int64?: NumberRules;
  readonly double?: NumberRules;
  readonly float?: NumberRules;
  readonly repeated?: { readonly min_items?: string; readonly max_items?: string; readonly unique?: boolean; readonly items?: FieldRules };
  readonly map?: { readonly min_pairs?: string; readonly keys?: FieldRules };
}

type MessageRules = readonly (readonly [field: string, rules: FieldRules])[];

const NONE: MessageRules = [];
const known = new Map<string, MessageRules>();

/** The rules of a message's fields, in the API's order. They stay text until a message of the type comes. */
export function rulesOf(typeName: string): MessageRules {
  let rules = known.get(typeName);
  if (!rules) {
    const { VALIDATION_RULES: all } = require("../../proto/gen/validation-rules.ts") as typeof Generated;
    const mark = `\n${typeName} `;
    const at = all.indexOf(mark);
    rules = at < 0 ? NONE : Object.entries(JSON.parse(all.slice(at + mark.length, all.indexOf("\n", at + 1))) as Record<string, FieldRules>);
    known.set(typeName, rules);
  }
  return rules;
}
