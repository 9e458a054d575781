const WORDS: Readonly<Record<string, string>> = { t: "true", f: "false", n: "null" };
const SPACE = " \t\r\n";

/**
 * Where Go's reader of JSON stops in a text that is no JSON value, in its words: `invalid character 'a' looking for
 * beginning of value`. Texts inside of lists and objects are looked at for their first token only.
 */
export function jsonSyntaxProblem(text: string): string {
  const end = "unexpected end of JSON input";
  const bytes = Buffer.from(text, "utf8").toString("latin1");
  let at = 0;
  const skip = (): void => {
    while (at < bytes.length && SPACE.includes(bytes.charAt(at))) at++;
  };
  const invalid = (context: string): string => `invalid character ${quotedCharacter(bytes.charAt(at))} ${context}`;
  skip();
  if (at >= bytes.length) return end;
  const first = bytes.charAt(at);
  const word = WORDS[first];
  if (word !== undefined) {
    for (let index = 0; index < word.length; index++, at++) {
      if (at >= bytes.length) return end;
      if (bytes[at] !== word[index]) return invalid(`in literal ${word} (expecting ${quotedCharacter(word.charAt(index))})`);
    }
  } else if (/[-0-9]/.test(first)) {
    const problem = numberProblem(bytes, at);
    if (typeof problem === "string") return problem;
    at = problem;
  } else if (first === "{" || first === "[") {
    at++;
    skip();
    // What is further inside may well be right, up to the end.
    if (at >= bytes.length || (first === "{" ? '"}' : '"{[]-0123456789tfn').includes(bytes.charAt(at))) return end;
    return first === "{" ? invalid("looking for beginning of object key string") : invalid("looking for beginning of value");
  } else if (first === '"') return end;
  else return invalid("looking for beginning of value");
  skip();
  return at >= bytes.length ? end : invalid("after top-level value");
}

/** Where a number ends, or what is wrong with it. */
function numberProblem(bytes: string, start: number): number | string {
  const [matched = ""] = /^-?(?:0|[1-9]\d*)?(?:(?<=\d)\.\d*)?(?:(?<=\d)[eE][+-]?\d*)?/.exec(bytes.slice(start)) ?? [];
  const at = start + matched.length;
  const next = bytes.charAt(at);
  const context =
    matched === "-"
      ? "in numeric literal"
      : matched.endsWith(".")
        ? "after decimal point in numeric literal"
        : /[eE][+-]?$/.test(matched)
          ? "in exponent of numeric literal"
          : undefined;
  if (context === undefined) return at;
  return next === "" ? "unexpected end of JSON input" : `invalid character ${quotedCharacter(next)} ${context}`;
}

function quotedCharacter(character: string): string {
  if (character === "'") return "'\\''";
  if (character === '"') return "'\"'";
  return `'${JSON.stringify(character).slice(1, -1)}'`;
}
