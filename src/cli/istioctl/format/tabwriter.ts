/**
 * Tables as Go's text/tabwriter aligns them, since istioctl's output is compared and cut by column: cells end in a tab, a
 * column is as wide as its widest cell in a run of lines plus padding, and what follows the last tab is not padded.
 */
export function tabwriter(rows: readonly (readonly string[])[], padding: number, minWidth = 0): string {
  const widths: number[][] = rows.map(() => []);
  layout(rows, 0, rows.length, 0, widths, padding, minWidth);
  return rows
    .map(
      (row, index) =>
        `${row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(cell.length + (widths[index]?.[column] ?? 0) - length(cell)))).join("")}\n`,
    )
    .join("");
}

/** Gives the lines from..to their widths from `column` on; each run of lines that have the column is laid out by itself. */
function layout(rows: readonly (readonly string[])[], from: number, to: number, column: number, widths: number[][], padding: number, minWidth: number): void {
  for (let at = from; at < to;) {
    if (!hasColumn(rows[at], column)) {
      at++;
      continue;
    }
    let end = at;
    let width = minWidth;
    while (end < to && hasColumn(rows[end], column)) {
      width = Math.max(width, length(rows[end]?.[column] ?? "") + padding);
      end++;
    }
    for (let line = at; line < end; line++) widths[line]?.push(width);
    layout(rows, at, end, column + 1, widths, padding, minWidth);
    at = end;
  }
}

/** The last cell of a line ends in no tab and so is in no column. */
function hasColumn(row: readonly string[] | undefined, column: number): boolean {
  return row !== undefined && column < row.length - 1;
}

/** Go counts runes, JavaScript UTF-16 units. */
function length(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
