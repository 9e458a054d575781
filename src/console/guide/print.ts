import { ApiProblem } from "../api/router.ts";

/** A Table of the API server as kubectl prints it. */
export function tableText(value: unknown, allNamespaces: boolean): string {
  type Table = {
    kind?: string;
    columnDefinitions?: { name: string; priority?: number }[];
    rows?: { cells?: unknown[]; object?: { metadata?: { namespace?: string } } }[];
  };
  const { kind, columnDefinitions = [], rows = [] } = value as Table;
  if (kind !== "Table") throw new ApiProblem(502, "the API server did not answer with a table");
  if (rows.length === 0) return "No resources found\n";
  const shown = columnDefinitions
    .map(({ name, priority }, index) => ({ name: name.toUpperCase(), index, wide: (priority ?? 0) > 0 }))
    .filter(({ wide }) => !wide);
  return columns([
    [...(allNamespaces ? ["NAMESPACE"] : []), ...shown.map(({ name }) => name)],
    ...rows.map(({ cells = [], object }) => [
      ...(allNamespaces ? [object?.metadata?.namespace ?? ""] : []),
      ...shown.map(({ index }) => (cells[index] === null || cells[index] === undefined || cells[index] === "" ? "<none>" : String(cells[index]))),
    ]),
  ]);
}

/** Rows of cells, padded to columns three blanks apart. */
export function columns(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `${row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]! + 3))).join("")}\n`).join("");
}

interface Chain {
  name?: string;
  filterChainMatch?: { transportProtocol?: string; applicationProtocols?: string[]; destinationPort?: number };
}

/** The filter chains of one listener of a dump in protojson, and how many of them take plain text. */
export function listenerText(dump: { configs: Record<string, unknown>[] }, name: string): string {
  type Entry = { name?: string; activeState?: { listener?: { name?: string; filterChains?: Chain[] } } };
  const entries = dump.configs.flatMap((config) => (Array.isArray(config.dynamicListeners) ? (config.dynamicListeners as Entry[]) : []));
  const listener = entries.map(({ activeState }) => activeState?.listener).find((candidate) => candidate?.name === name);
  if (!listener) throw new ApiProblem(404, `the proxy has no listener ${name}`);
  const chains = listener.filterChains ?? [];
  const plaintext = chains.filter(({ filterChainMatch }) => filterChainMatch?.transportProtocol === "raw_buffer").length;
  const rows = chains.map(({ name: chain, filterChainMatch: match }) => [
    chain ?? "-",
    match?.transportProtocol ?? "any",
    match?.destinationPort === undefined ? "any" : String(match.destinationPort),
    match?.applicationProtocols?.join(",") ?? "any",
  ]);
  return `listener ${name}: ${chains.length} filter chains\n${columns([["CHAIN", "TRANSPORT", "PORT", "APPLICATION PROTOCOLS"], ...rows])}plaintext chains (transport raw_buffer): ${plaintext}\n`;
}
