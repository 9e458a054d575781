/** `max_age_2` in protobuf is `maxAge2` in JSON and in JavaScript (https://protobuf.com/docs/language-spec#default-json-names). */
export function camelCase(name: string): string {
  let camel = "";
  let upper = false;
  for (const char of name) {
    if (char === "_") upper = true;
    else {
      camel += upper ? char.toUpperCase() : char;
      upper = false;
    }
  }
  return camel;
}

/** Names that every JavaScript object has are told apart by a dollar sign, as in the generated types. */
export function safeName(name: string): string {
  return TAKEN.has(name) ? `${name}$` : name;
}

/** The prefix that all values of an enum share, such as `my_enum_`, which generated types leave out. */
export function sharedPrefix(enumName: string, values: readonly string[]): string | undefined {
  const prefix = `${(enumName.slice(0, 1) + enumName.slice(1).replace(/[A-Z]/g, (letter) => `_${letter}`)).toLowerCase()}_`;
  // An identifier cannot begin with a digit.
  const all = values.every((name) => name.toLowerCase().startsWith(prefix) && name.length > prefix.length && !/^\d/.test(name.slice(prefix.length)));
  return all ? prefix : undefined;
}

const TAKEN: ReadonlySet<string> = new Set(["constructor", "toString", "toJSON", "valueOf"]);
