import { type ReactNode, useMemo, useState } from "react";

export interface Column<Row> {
  title: string;
  cell(row: Row): ReactNode;
  /** What rows are sorted and searched by; columns without it are neither. */
  value?(row: Row): string | number;
  number?: boolean;
}

interface TableProps<Row> {
  columns: Column<Row>[];
  rows: readonly Row[];
  rowKey(row: Row): string;
  /** Names the table for those who do not see it. */
  label: string;
  /** Shown when there is nothing to show. */
  empty?: ReactNode;
  filter?: boolean;
  children?: ReactNode;
}

/** Beyond this a table is filtered rather than read. */
const SHOWN = 300;

/** A table that sorts by its headings and is filtered as one types. */
export function Table<Row>({ columns, rows, rowKey, label, empty, filter = false, children }: TableProps<Row>) {
  const [sort, setSort] = useState<{ by: number; down: boolean }>();
  const [text, setText] = useState("");
  const shown = useMemo(() => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const kept =
      words.length === 0
        ? rows
        : rows.filter((row) => {
            const line = columns
              .map((column) => String(column.value?.(row) ?? ""))
              .join(" ")
              .toLowerCase();
            return words.every((word) => line.includes(word));
          });
    const value = sort && columns[sort.by]?.value;
    if (!value) return kept;
    return kept.toSorted((a, b) => {
      const [x, y] = [value(a), value(b)];
      const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
      return sort.down ? -order : order;
    });
  }, [rows, text, sort, columns]);
  return (
    <>
      {(filter || children) && (
        <div className="table-tools">
          {filter && (
            <label className="search">
              <span>Filter</span>
              <input type="search" value={text} onChange={(event) => setText(event.target.value)} />
            </label>
          )}
          {children}
          {text && (
            <small role="status">
              {shown.length} of {rows.length}
            </small>
          )}
        </div>
      )}
      <div className="table-scroll">
        <table className="list" aria-label={label}>
          <thead>
            <tr>
              {columns.map(({ title, value, number }, index) => (
                <th
                  key={title}
                  scope="col"
                  className={number ? "number" : undefined}
                  aria-sort={sort?.by === index ? (sort.down ? "descending" : "ascending") : undefined}
                >
                  {value ? (
                    <button type="button" className="sort" onClick={() => setSort({ by: index, down: sort?.by === index ? !sort.down : (number ?? false) })}>
                      {title}
                      {sort?.by === index ? (sort.down ? " ▾" : " ▴") : ""}
                    </button>
                  ) : (
                    title
                  )}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.slice(0, SHOWN).map((row) => (
              <tr key={rowKey(row)}>
                {columns.map(({ title, cell, number }) => (
                  <td key={title} className={number ? "number" : undefined}>
                    {cell(row)}
                  </td>
                ))}
              </tr>
            ))}
            {shown.length === 0 && (
              <tr>
                <td colSpan={columns.length} className="muted">
                  {text ? "Nothing fits the filter." : (empty ?? "Nothing here.")}
                </td>
              </tr>
            )}
          </tbody>
        </table>
      </div>
      {shown.length > SHOWN && (
        <p className="muted">
          The first {SHOWN} of {shown.length}: filter to see others.
        </p>
      )}
    </>
  );
}
