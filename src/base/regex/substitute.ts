import type { Regex } from "./regex.ts";

/** What stands for a match: text, and numbers of groups. */
export type Rewrite = readonly (string | number)[];

/**
 * A template of RE2: `\1` stands for a group, `\0` for the whole match, `\\` for a backslash. At another escape it ends,
 * as RE2 stops there. Undefined when it names a group beyond `groups`: then RE2 replaces nothing.
 */
export function parseRewrite(template: string, groups: number): Rewrite | undefined {
  const out: (string | number)[] = [];
  let ended = false;
  for (const part of template.match(/\\[^]?|[^\\]+/g) ?? []) {
    const group = /^\\\d$/.test(part) ? Number(part[1]) : undefined;
    if (group !== undefined && group > groups) return undefined;
    ended ||= part[0] === "\\" && group === undefined && part !== "\\\\";
    if (!ended) out.push(group ?? (part === "\\\\" ? "\\" : part));
  }
  return out;
}

/** Every match replaced, as RE2's GlobalReplace does it: an empty match does not count right behind another match. */
export function replaceAll(regex: Regex, text: string, rewrite: Rewrite): string {
  if (!regex.found(text)) return text;
  let out = "";
  let at = 0;
  for (let lastEnd = -1; at <= text.length;) {
    const match = regex.search(text, at);
    if (!match) break;
    const start = match[0] as number;
    const end = match[1] as number;
    out += text.slice(at, start);
    if (start === lastEnd && end === start) {
      out += text.slice(at, at + 1);
      at++;
      continue;
    }
    for (const part of rewrite) out += typeof part === "string" ? part : groupText(text, match, part);
    at = end;
    lastEnd = end;
  }
  return out + text.slice(at);
}

/** What a group matched, empty where it has no part in the match. */
export function groupText(text: string, match: ArrayLike<number>, group: number): string {
  const start = match[group * 2] ?? -1;
  return start < 0 ? "" : text.slice(start, match[group * 2 + 1]);
}

/** All matches in a text as Go's FindAll has them: an empty one does not count right behind another. */
export function allMatches(regex: Regex, text: string): ArrayLike<number>[] {
  const out: ArrayLike<number>[] = [];
  for (let at = 0, lastEnd = -1; at <= text.length;) {
    const match = regex.search(text, at);
    if (!match) break;
    const start = match[0] as number;
    const end = match[1] as number;
    if (end !== at || start !== lastEnd) out.push(match);
    at = end === at ? at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) : end;
    lastEnd = end;
  }
  return out;
}

/** Go's templates: $1, $name, ${1}, ${name}, and $$ for a dollar; a name is as long as it can be. What is not there is empty. */
export function expandGo(template: string, group: (name: string) => string | undefined): string {
  return template.replace(/\$(?:\$|\{(\w+)\}|(\w+))/g, (_, braced?: string, plain?: string) => {
    const name = braced ?? plain;
    return name === undefined ? "$" : (group(name) ?? "");
  });
}
