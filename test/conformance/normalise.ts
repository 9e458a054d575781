/** Makes two answers comparable: what differs from run to run becomes a placeholder, what is only text for people is left out. */

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const UID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const UNSTABLE = new Set(["resourceVersion", "clusterIP", "nodePort", "continue"]);

export function normalise(value: unknown, key = ""): unknown {
  if (Array.isArray(value))
    return key === "clusterIPs"
      ? ["<clusterIP>"]
      : key === "managedFields"
        ? sortedManagers(value.map((item) => normalise(item)))
        : value.map((item) => normalise(item));
  if (typeof value === "object" && value !== null) {
    if (isTable(value)) return table(value);
    const entries = Object.entries(value).map(([name, item]): [string, unknown] => [name, normalise(item, name)]);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }
  if (UNSTABLE.has(key) && value !== "" && value !== "None" && value !== 0) return `<${key}>`;
  if (typeof value !== "string") return value;
  return TIME.test(value) ? "<time>" : value.replace(UID, "<uid>");
}

interface Table {
  columnDefinitions: { name: string; type: string; format: string; priority: number }[];
  rows: { cells: unknown[]; object?: { metadata?: { name?: string } } }[];
}

function isTable(value: object): value is Table & { kind: string } {
  return (value as { kind?: unknown }).kind === "Table" && Array.isArray((value as Partial<Table>).columnDefinitions);
}

/** Columns, and which rows: cells have tests of their own beside the columns, and ages of objects pass. */
function table({ columnDefinitions }: Table): unknown {
  return { kind: "Table", columns: columnDefinitions.map(({ name, type, format, priority }) => ({ name, type, format, priority })) };
}

/** Entries of one second come in the order of their managers' names on one server and may not on another. */
function sortedManagers(entries: unknown[]): unknown[] {
  return entries.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}
