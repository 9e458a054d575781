import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startBackends, type Backends } from "./backends.ts";
import { makeCall, type Outcome } from "./call.ts";
import { writeCertificates, type CertificateFiles } from "./certificates.ts";
import { Mask } from "./mask.ts";
import { startProxy, type Proxy, type Side } from "./proxies.ts";
import { cluster, http2Upstream, type Row } from "./row.ts";

/** What became of a row: each call's outcome, and the lines of its access logs. */
export interface RowResult {
  readonly calls: readonly Outcome[];
  readonly log: readonly string[];
}

/** Listeners of a run: far below the ports that the kernel gives to clients. */
const FIRST_PORT = 10_001;
const ADMIN_PORT = 10_000;
/** Rows at the same time: so many that waiting costs nothing, so few that two cores keep up. */
const PARALLEL = 24;
/** The log is whole when nothing was added for so long. */
const LOG_QUIET_MS = 250;

/** Clusters that every row may name. */
const COMMON: readonly JsonObject[] = [
  // Rows run at the same time: one row's retries must not use up what another one is allowed.
  cluster("echo", ["echo"], { circuit_breakers: { thresholds: [{ max_retries: 1000 }] } }),
  cluster("echo2", ["echo2"]),
  cluster("closed", ["closed"], { circuit_breakers: { thresholds: [{ max_retries: 1000 }] } }),
  { name: "empty", type: "STATIC", load_assignment: { cluster_name: "empty" } },
  cluster("tcp", ["tcp"]),
  cluster("h2", ["h2"], http2Upstream),
];

/** Runs rows through one proxy, which lives for that long. `patience` multiplies all waiting. */
export async function runRows(rows: readonly Row[], side: Side, patience = 1): Promise<Map<string, RowResult>> {
  const folder = mkdtempSync(join(tmpdir(), "chainmail-dataplane-"));
  const address = ownAddress(side);
  let backends: Backends | undefined;
  let proxy: Proxy | undefined;
  try {
    const certificates = await writeCertificates(folder);
    backends = await startBackends(certificates, readFileSync(join(folder, "root.pem"), "utf8"));
    const path = join(folder, "bootstrap.json");
    writeFileSync(path, JSON.stringify(bootstrap(rows, address, backends.ports, folder)));
    proxy = await startProxy(side, path, { address, port: ADMIN_PORT });
    const outcomes = await callAll(rows, { address, certificates, patience, ports: backends.ports });
    const log = await readLog(join(folder, "access.log"), patience);
    const mask = new Mask(backends.ports, address, folder);
    return new Map(
      rows.map((row) => {
        const lines = (log.get(row.name) ?? []).map((line) => mask.text(line));
        return [row.name, { calls: mask.value(outcomes.get(row.name) as unknown as JsonValue) as unknown as Outcome[], log: lines.sort() }];
      }),
    );
  } finally {
    await proxy?.stop();
    backends?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One bootstrap for all: a listener for each row, at a port for each. */
function bootstrap(rows: readonly Row[], address: string, ports: ReadonlyMap<string, number>, folder: string): JsonObject {
  const listeners = rows.map((row, index) =>
    resolve({ name: row.name, address: { socket_address: { address, port_value: FIRST_PORT + index } }, ...row.listener }, ports, folder, row.name),
  );
  const clusters = [...COMMON, ...rows.flatMap((row) => row.clusters ?? [])].map((each) => resolve(each, ports, folder, ""));
  const names = clusters.map((each) => (each as JsonObject).name as string);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice) throw new Error(`two clusters are called ${twice}`);
  return {
    admin: { address: { socket_address: { address, port_value: ADMIN_PORT } } },
    node: { id: "row", cluster: "rows" },
    static_resources: { listeners, clusters },
  };
}

/** Puts ports and paths of this run in place of their names. */
function resolve(value: JsonValue, ports: ReadonlyMap<string, number>, folder: string, row: string): JsonValue {
  if (typeof value === "string") {
    const named = /^\{port:([^}]+)\}$/.exec(value);
    if (named) {
      const port = ports.get(named[1] as string);
      if (port === undefined) throw new Error(`no backend is called ${named[1]}`);
      return port;
    }
    return value.replace(/\{file:([^}]+)\}/g, (_, name: string) => join(folder, name)).replace(/\{row\}/g, row.replaceAll("%", "%%"));
  }
  if (Array.isArray(value)) return value.map((each) => resolve(each, ports, folder, row));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, resolve(each as JsonValue, ports, folder, row)]));
}

async function callAll(
  rows: readonly Row[],
  how: { address: string; certificates: CertificateFiles; patience: number; ports: ReadonlyMap<string, number> },
): Promise<Map<string, Outcome[]>> {
  const outcomes = new Map<string, Outcome[]>();
  const one = async (row: Row): Promise<void> => {
    const port = FIRST_PORT + rows.indexOf(row);
    const calls: Outcome[] = [];
    for (const call of row.calls) for (let i = 0; i < (call.repeat ?? 1); i++) calls.push(await makeCall(call, { ...how, port }));
    outcomes.set(row.name, calls);
  };
  const waiting = rows.filter(({ alone }) => !alone);
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) await one(next);
    }),
  );
  for (const row of rows) if (row.alone) await one(row);
  return outcomes;
}

/** The lines of the access log by row, once no more come. */
async function readLog(path: string, patience: number): Promise<Map<string, string[]>> {
  let text = "";
  for (let quietSince = Date.now(); Date.now() - quietSince < LOG_QUIET_MS * patience; await Bun.sleep(25)) {
    const now = existsSync(path) ? readFileSync(path, "latin1") : "";
    if (now.length !== text.length) quietSince = Date.now();
    text = now;
  }
  const lines = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [row = "", ...rest] = line.split("\t");
    lines.set(row, [...(lines.get(row) ?? []), rest.join("\t")]);
  }
  return lines;
}

let runs = 0;

/** A loopback address that no other run has, so that ports can be fixed: all addresses have the same length. */
function ownAddress(side: Side): string {
  const { pid } = process;
  const net = 100 + ((pid >> 8) % 150);
  const host = 100 + (pid % 150);
  return `127.${net}.${host}.${(side === "envoy" ? 200 : 100) + (runs++ % 50)}`;
}
