/** A cell's text, and the number of its terminal color. */
export interface StyledCell {
  readonly text: string;
  readonly color?: number;
}

/** Columns are this far apart. */
const GAP = 2;

/**
 * Tables with color as some of istioctl's commands print them, on pipes as well. A column is as wide as its longest
 * cell counted in bytes, color codes included: that is what istioctl does, and tables are cut by column.
 */
export function styledTable(rows: readonly (readonly (StyledCell | string)[])[]): string {
  const cells = rows.map((row) => row.map((cell): StyledCell => (typeof cell === "string" ? { text: cell } : cell)));
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => Buffer.byteLength(painted(row[column])))));
  return cells
    .map(
      (row) =>
        `${row.map((cell, column) => (column === row.length - 1 ? painted(cell) : painted(cell) + " ".repeat((widths[column] ?? 0) - [...cell.text].length + GAP))).join("")}\n`,
    )
    .join("");
}

function painted(cell: StyledCell | undefined): string {
  if (!cell) return "";
  return cell.color === undefined ? cell.text : `\u001b[${cell.color}m${cell.text}\u001b[0m`;
}
