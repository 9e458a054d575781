import { TemplateError } from "./template-error.ts";

export type Token =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "open" | "close" }
  /** A keyword, a function, true, false or nil. */
  | { readonly kind: "word"; readonly text: string; readonly adjacent: boolean }
  /** `.` alone is "". */
  | { readonly kind: "field"; readonly text: string; readonly adjacent: boolean }
  /** With its dollar sign. */
  | { readonly kind: "variable"; readonly text: string; readonly adjacent: boolean }
  | { readonly kind: "literal"; readonly value: string | number; readonly adjacent: boolean }
  | { readonly kind: "punctuation"; readonly text: string; readonly adjacent: boolean };

/** Of what stands between the braces, one at a time; strings in back quotes may span lines. */
const TOKEN =
  /\s+|\/\*[^]*?\*\/|"(?:\\.|[^"\\\n])*"|`[^`]*`|'(?:\\.|[^'\\\n])+'|[-+]?(?:0[xX][0-9a-fA-F]+|\d[\d_]*(?:\.\d+)?(?:[eE][-+]?\d+)?)|\$\w*|\.[A-Za-z_]\w*|\.|[A-Za-z_]\w*|:=|[|(),=]/y;

/** Text and the tokens of actions, in order. A dash beside the braces takes the white space beyond them away. */
export function tokens(source: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  let trim = false;
  for (;;) {
    const open = source.indexOf("{{", at);
    let text = open < 0 ? source.slice(at) : source.slice(at, open);
    if (trim) text = text.trimStart();
    const trimsBefore = open >= 0 && /^-\s/.test(source.slice(open + 2, open + 4));
    if (trimsBefore) text = text.trimEnd();
    if (text !== "") found.push({ kind: "text", text });
    if (open < 0) return found;
    const action = actionAt(source, open + 2 + (trimsBefore ? 1 : 0), found);
    at = action.end;
    trim = action.trims;
  }
}

function actionAt(source: string, start: number, into: Token[]): { end: number; trims: boolean } {
  into.push({ kind: "open" });
  let at = start;
  let adjacent = false;
  for (;;) {
    const trims = /^\s-}}/.exec(source.slice(at, at + 4));
    if (trims || source.startsWith("}}", at)) {
      into.push({ kind: "close" });
      return { end: at + (trims ? 4 : 2), trims: trims !== null };
    }
    // White space of any length may stand before the dash.
    const spaced = /^\s+-}}/.exec(source.slice(at, at + 64));
    if (spaced) {
      at += spaced[0].length - 4;
      continue;
    }
    TOKEN.lastIndex = at;
    const text = TOKEN.exec(source)?.[0];
    if (text === undefined) throw new TemplateError(at >= source.length ? "unclosed action" : `unexpected ${JSON.stringify(source[at])} in action`);
    at += text.length;
    if (/^(\s|\/\*)/.test(text)) {
      adjacent = false;
      continue;
    }
    into.push(tokenOf(text, adjacent));
    adjacent = true;
  }
}

function tokenOf(text: string, adjacent: boolean): Token {
  const first = text[0] ?? "";
  if (first === '"') return { kind: "literal", value: unquoted(text), adjacent };
  if (first === "`") return { kind: "literal", value: text.slice(1, -1), adjacent };
  if (first === "'") return { kind: "literal", value: unquoted(`"${text.slice(1, -1).replace(/^"$/, '\\"')}"`).codePointAt(0) ?? 0, adjacent };
  if (/^[-+]?\d/.test(text)) return { kind: "literal", value: Number(text.replaceAll("_", "")), adjacent };
  if (first === "$") return { kind: "variable", text, adjacent };
  if (first === ".") return { kind: "field", text: text.slice(1), adjacent };
  return { kind: /^[A-Za-z_]/.test(text) ? "word" : "punctuation", text, adjacent };
}

/** Go's escapes that JSON has not, as JSON's. */
function unquoted(text: string): string {
  const json = text.replace(/\\(x[0-9a-fA-F]{2}|[av'])/g, (_, escape: string) =>
    escape[0] === "x" ? `\\u00${escape.slice(1)}` : escape === "'" ? "'" : escape === "a" ? "\\u0007" : "\\u000b",
  );
  try {
    return JSON.parse(json.replaceAll("\t", "\\t")) as string;
  } catch {
    throw new TemplateError(`invalid string ${text}`);
  }
}
