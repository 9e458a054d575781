/** Where in a manifest a cursor stands. */
export interface Cursor {
  /** Keys from the root to the mapping that the line is in: `["spec", "rules", "from"]`. Items of lists leave no trace. */
  path: string[];
  /** Keys that the mapping has already. */
  present: Set<string>;
  /** Columns that a new key of this mapping begins at. */
  indent: number;
  /** What of a key is typed before the cursor. */
  typed: string;
}

/** Reads the lines around a position; indentation alone tells where it is, so a half-typed manifest is understood too. */
export function cursorAt(text: string, position: number): Cursor {
  const before = text.slice(0, position);
  const lines = text.split("\n");
  const at = before.split("\n").length - 1;
  const line = lines[at] ?? "";
  const typed = /^[\s-]*([\w.-]*)$/.exec(before.slice(before.lastIndexOf("\n") + 1))?.[1] ?? "";
  // An empty line belongs to the mapping that its column says.
  const indent = line.trim() === "" ? Math.max(line.length, 0) : keyColumn(line);
  const path: string[] = [];
  let column = indent;
  for (let i = at - 1; i >= 0 && column > 0; i--) {
    const other = lines[i] ?? "";
    const key = keyOf(other);
    if (key === undefined) continue;
    if (keyColumn(other) >= column) continue;
    path.unshift(key);
    column = keyColumn(other);
  }
  return { path, present: presentKeys(lines, at, indent), indent, typed };
}

/** Keys beside this line: up and down to where a shallower line, or another item of a list, begins. */
function presentKeys(lines: readonly string[], at: number, indent: number): Set<string> {
  const present = new Set<string>();
  const look = (from: number, step: -1 | 1): void => {
    for (let i = from; i >= 0 && i < lines.length; i += step) {
      const line = lines[i]!;
      if (line.trim() === "" || line.trim().startsWith("#")) continue;
      const column = keyColumn(line);
      const item = isListItem(line);
      if (column < indent || (item && step === 1 && column === indent)) return;
      const key = keyOf(line);
      if (column === indent && key !== undefined) present.add(key);
      if (item && column === indent) return;
    }
  };
  // The line with the dash is its item's first.
  if (!isListItem(lines[at] ?? "")) look(at - 1, -1);
  look(at + 1, 1);
  return present;
}

/** The column of a line's first key, behind the dashes of list items. */
function keyColumn(line: string): number {
  return /^(?: |- )*/.exec(line)![0].length;
}

function isListItem(line: string): boolean {
  return /^\s*- /.test(line);
}

function keyOf(line: string): string | undefined {
  return /^(?: |- )*([\w./-]+):(?:\s|$)/.exec(line)?.[1];
}
