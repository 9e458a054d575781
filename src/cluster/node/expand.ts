/**
 * Replaces `$(NAME)` by Kubernetes' rules: `$$` stands for `$` (so `$$(NAME)` stays as text `$(NAME)`), and a name that
 * is not known is left as it is written.
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? "";
    if (char !== "$" || i + 1 >= text.length) {
      out += char;
      continue;
    }
    const next = text[i + 1];
    if (next === "$") {
      out += "$";
      i += 1;
      continue;
    }
    const close = next === "(" ? text.indexOf(")", i + 2) : -1;
    if (close < 0) {
      out += char;
      continue;
    }
    const name = text.slice(i + 2, close);
    out += lookup(name) ?? `$(${name})`;
    i = close;
  }
  return out;
}
