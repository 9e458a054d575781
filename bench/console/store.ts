import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { graphQueries } from "../../src/telemetry/graph/queries.ts";
import { cpuMs, nowMs, rssMb } from "../controlplane/process-figures.ts";
import { firstLine } from "../dataplane/processes.ts";
import type { Row } from "../run.ts";

/** Long enough for a window of a minute. */
const SCRAPED_MS = 75_000;
/** Both start up, read their targets and write what their series are before what is counted begins. */
const WARM_MS = 30_000;
const INTERVAL_MS = 5_000;
const ROUNDS = 5;

interface Store {
  name: string;
  url: string;
  pid: number;
  folder: string;
  stopScraping(): Promise<void>;
  stop(): Promise<void>;
}

/** A mesh of so many workloads, scraped by both stores at once; then the graph's queries, of each in turn. */
export async function storeRows(workloads: number): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "chainmail-bench-"));
  const mesh = Bun.spawn([process.execPath, join(import.meta.dir, "exposition-server.ts"), String(workloads)], { stdout: "pipe", stderr: "inherit" });
  const stores: Store[] = [];
  try {
    const host = `127.0.0.1:${await firstLine(mesh.stdout)}`;
    stores.push(await ours(folder, host, workloads));
    const prometheus = Bun.which("prometheus");
    if (prometheus) stores.push(await real(prometheus, folder, host, workloads));
    else console.log("there is no prometheus on the path (apt-get install prometheus): our store alone");
    await Bun.sleep(WARM_MS);
    const before = await Promise.all(stores.map(snapshot));
    await Bun.sleep(SCRAPED_MS);
    const after = await Promise.all(stores.map(snapshot));
    const at = Date.now() / 1000 - 1;
    for (const store of stores) await store.stopScraping();
    await Bun.sleep(2_000);
    const rows: Row[] = [];
    for (const [index, store] of stores.entries()) {
      const [from, to] = [before[index]!, after[index]!];
      const samples = to.samples - from.samples;
      const row = (name: string, value: number, unit: string, how: string) => rows.push({ name: `${store.name}, ${workloads}: ${name}`, value, unit, how });
      const graph = await timeGraph(store, at);
      row("a graph with response times", graph.wallMs, "ms", `median of ${ROUNDS}: ${graph.queries} queries one after the other, ${graph.rows} rows`);
      row("CPU of a graph", graph.cpuMs, "ms", "of the store's process");
      row("samples ingested a CPU second", samples / (to.cpuMs - from.cpuMs), "k", `${samples} samples in ${SCRAPED_MS / 1000} s, histories saved`);
      row("memory", rssMb(store.pid), "MB", `resident, ${to.series} series`);
      row(
        "on disk a scraped sample",
        (to.bytes - from.bytes) / samples,
        "B",
        store.name === "Prometheus" ? "write-ahead log and head; labels not counted" : "values each 15 s; labels not counted",
      );
    }
    return rows;
  } finally {
    for (const store of stores) await store.stop();
    mesh.kill();
    await mesh.exited;
    rmSync(folder, { recursive: true, force: true });
  }
}

async function ours(folder: string, host: string, workloads: number): Promise<Store> {
  const targets = Array.from({ length: workloads }, (_, n) => ({
    id: `w${n}`,
    url: `http://${host}/w/${n}`,
    labels: { job: "mesh", instance: host, namespace: "shop", pod: `workload-${n}-0` },
  }));
  const file = join(folder, "targets.json");
  writeFileSync(file, JSON.stringify(targets));
  const data = join(folder, "ours");
  mkdirSync(data);
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "store-program.ts"), file, data, String(INTERVAL_MS)], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const url = `http://127.0.0.1:${await firstLine(child.stdout)}`;
  const end = async () => {
    child.kill();
    await child.exited;
  };
  return { name: "Chainmail", url, pid: child.pid, folder: data, stopScraping: async () => child.kill("SIGUSR1"), stop: end };
}

async function real(program: string, folder: string, host: string, workloads: number): Promise<Store> {
  const config = join(folder, "prometheus.yml");
  const global = `global: {scrape_interval: ${INTERVAL_MS}ms, evaluation_interval: ${INTERVAL_MS}ms}\n`;
  const statics = Array.from(
    { length: workloads },
    (_, n) => `  - {targets: ["${host}"], labels: {namespace: shop, pod: workload-${n}-0, __metrics_path__: /w/${n}}}`,
  );
  writeFileSync(config, `${global}scrape_configs:\n- job_name: mesh\n  static_configs:\n${statics.join("\n")}\n`);
  const data = join(folder, "real");
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const url = `http://127.0.0.1:${probe.port}`;
  probe.stop(true);
  const child = Bun.spawn(
    [
      program,
      `--config.file=${config}`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=${new URL(url).host}`,
      "--web.enable-lifecycle",
      "--log.level=error",
    ],
    { cwd: folder, stdout: "inherit", stderr: "inherit" },
  );
  for (
    const end = Date.now() + 30_000;
    !(await fetch(`${url}/-/ready`).then(
      (answer) => answer.ok,
      () => false,
    ));
    await Bun.sleep(100)
  )
    if (Date.now() > end) throw new Error("prometheus did not become ready");
  return {
    name: "Prometheus",
    url,
    pid: child.pid,
    folder: data,
    async stopScraping() {
      writeFileSync(config, global);
      await fetch(`${url}/-/reload`, { method: "POST" });
    },
    async stop() {
      child.kill();
      await child.exited;
    },
  };
}

async function snapshot({ url, pid, folder }: Store): Promise<{ cpuMs: number; samples: number; series: number; bytes: number }> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const figure = (name: string) => [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm"))].reduce((sum, [, value]) => sum + Number(value), 0);
  return {
    cpuMs: cpuMs(pid),
    samples: figure("prometheus_tsdb_head_samples_appended_total"),
    series: figure("prometheus_tsdb_head_series"),
    bytes: size(folder),
  };
}

async function timeGraph({ url, pid }: Store, at: number): Promise<{ wallMs: number; cpuMs: number; queries: number; rows: number }> {
  const queries = graphQueries(["shop"], 60, { responseTimes: true, throughput: true });
  const times: { wall: number; cpu: number }[] = [];
  let rows = 0;
  for (let round = 0; round <= ROUNDS; round++) {
    const [wall, cpu] = [nowMs(), cpuMs(pid)];
    rows = 0;
    for (const { query } of queries) {
      const answer = await fetch(`${url}/api/v1/query`, { method: "POST", body: new URLSearchParams({ query, time: String(at) }) });
      const { data } = (await answer.json()) as { data?: { result: unknown[] } };
      if (!data) throw new Error(`${url} refused ${query}`);
      rows += data.result.length;
    }
    // The first round compiles and warms.
    if (round > 0) times.push({ wall: nowMs() - wall, cpu: cpuMs(pid) - cpu });
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;
  return { wallMs: median(times.map((t) => t.wall)), cpuMs: median(times.map((t) => t.cpu)), queries: queries.length, rows };
}

function size(path: string): number {
  const stat = statSync(path);
  return stat.isDirectory() ? readdirSync(path).reduce((sum, name) => sum + size(join(path, name)), 0) : stat.blocks * 512;
}
