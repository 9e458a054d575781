/** `npm run bench -- NAME`: runs one benchmark; prints a table and, last, one line of JSON with the figures and ratios. */
const BENCHMARKS: Record<string, { summary: string; load: () => Promise<{ run(args: readonly string[]): Promise<Row[]> }> }> = {
  mesh: { summary: "start, STRICT taking effect, memory and the console's first page of an embedded mesh with the lab", load: () => import("./mesh.ts") },
  sidecar: { summary: "memory of an idle sidecar in the lab: ours beside a real Envoy with its agent", load: () => import("./sidecar.ts") },
  controlplane: {
    summary: "changes to many proxies, sync, memory, certificates, start: ours beside a real istiod",
    load: () => import("./controlplane/index.ts"),
  },
  kubernetes: {
    summary: "the API server beside a real kube-apiserver and etcd: CPU a request, lists, watches, start, memory",
    load: () => import("./kubernetes/index.ts"),
  },
  console: { summary: "the metrics store beside a real Prometheus, and the graph page in Chromium", load: () => import("./console/index.ts") },
  dataplane: { summary: "two mTLS hops: Chainmail's proxy, a real Envoy, HAProxy and nginx in turn", load: () => import("./dataplane/index.ts") },
};

export interface Row {
  name: string;
  value: number;
  unit: string;
  /** What it must not exceed, where there is a bar. */
  bar?: number;
  how: string;
}

const [name, ...args] = process.argv.slice(2);
const benchmark = name ? BENCHMARKS[name] : undefined;
if (!benchmark) {
  console.error(
    `usage: npm run bench -- NAME [PART...]\n${Object.entries(BENCHMARKS)
      .map(([n, b]) => `  ${n.padEnd(10)}${b.summary}`)
      .join("\n")}`,
  );
  process.exit(2);
}
const rows = await (await benchmark.load()).run(args);
const format = (n: number) => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2));
console.log(
  `\n| ${"figure".padEnd(52)} | ${"value".padStart(9)} | ${"bar".padStart(9)} | measured as |\n|${"-".repeat(54)}|${"-".repeat(11)}|${"-".repeat(11)}|---|`,
);
for (const row of rows)
  console.log(
    `| ${row.name.padEnd(52)} | ${`${format(row.value)} ${row.unit}`.padStart(9)} | ${(row.bar === undefined ? "" : `${row.bar} ${row.unit}`).padStart(9)} | ${row.how} |`,
  );
console.log(
  JSON.stringify(
    Object.fromEntries(
      rows.map((row) => [
        row.name,
        { value: Number(row.value.toFixed(2)), unit: row.unit, ...(row.bar === undefined ? {} : { bar: row.bar, ok: row.value <= row.bar }) },
      ]),
    ),
  ),
);
process.exit(rows.some((row) => row.bar !== undefined && row.value > row.bar) ? 1 : 0);
