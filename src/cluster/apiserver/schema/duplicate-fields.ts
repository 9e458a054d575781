/** As many as the real server tells of. */
const MAX_TOLD = 100;

/**
 * The paths of fields that a JSON text names twice, such as `spec.containers[0].image`: parsers keep the last and say
 * nothing. `source` must be valid JSON, and `value` what was parsed of it.
 */
export function duplicateFields(source: string, value: unknown): string[] {
  // A parser that dropped something gives back less: most clients send compact JSON, and this is four times faster.
  if (JSON.stringify(value).length === source.trimEnd().length) return [];
  const found = new Set<string>();
  /** One entry an open object or array: the names seen (undefined for arrays), and where in it we are. */
  const open: { names: Set<string> | undefined; name: string; index: number }[] = [];
  let expectName = false;
  for (let i = 0; i < source.length; i++) {
    switch (source.charCodeAt(i)) {
      case 0x7b: // {
        open.push({ names: new Set(), name: "", index: 0 });
        expectName = true;
        break;
      case 0x5b: // [
        open.push({ names: undefined, name: "", index: 0 });
        expectName = false;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        expectName = false;
        break;
      case 0x2c: {
        // ,
        const here = open.at(-1);
        if (here) here.index++;
        expectName = here?.names !== undefined;
        break;
      }
      case 0x22: {
        // "
        const end = endOfString(source, i);
        const here = open.at(-1);
        if (expectName && here?.names) {
          const text = source.slice(i + 1, end);
          here.name = text.includes("\\") ? (JSON.parse(`"${text}"`) as string) : text;
          if (here.names.has(here.name)) found.add(pathOf(open));
          else here.names.add(here.name);
          if (found.size >= MAX_TOLD) return [...found];
          expectName = false;
        }
        i = end;
      }
    }
  }
  return [...found];
}

/** Where the closing quote is. */
function endOfString(source: string, start: number): number {
  for (let end = source.indexOf('"', start + 1); end >= 0; end = source.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (source.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return source.length;
}

function pathOf(open: readonly { names: unknown; name: string; index: number }[]): string {
  return open
    .map(({ names, name, index }) => (names ? `.${name}` : `[${index}]`))
    .join("")
    .replace(/^\./, "");
}
