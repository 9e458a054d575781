/** Our API server, and a real kube-apiserver with its etcd: started alike, spoken to with the same client certificate. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadClusterPki } from "../../src/cluster/apiserver/index.ts";
import { oraclePrograms } from "../../test/conformance/kubernetes/oracle-programs.ts";
import { startOracle } from "../../test/conformance/kubernetes/oracle.ts";
import { cpuMs, nowMs, rssMb } from "../controlplane/process-figures.ts";
import { freePort } from "../dataplane/processes.ts";

export interface Access {
  url: string;
  ca: string;
  cert: string;
  key: string;
}

export interface Server {
  name: "ours" | "theirs";
  access: Access;
  /** From the start of the process to the first answer of /readyz that is good. */
  readyMs: number;
  /** CPU of all its processes so far, in milliseconds. */
  cpu(): number;
  /** Resident memory of all its processes, in MB. */
  memory(): number;
  stop(): Promise<void>;
}

/** No server takes longer, on whatever machine. */
const READY_TIMEOUT_MS = 90_000;
/** Between two looks whether it is ready: finer than what is measured, coarser than what would disturb it. */
const POLL_MS = 5;

/** Ours, on the state in `folder`. */
export async function startOurs(folder: string): Promise<Server> {
  const port = await freePort();
  // The keys are there before the process starts, as at any start but a cluster's first.
  const pki = await loadClusterPki({ directory: join(folder, "pki"), addresses: ["127.0.0.1"], now: Date.now() });
  const access = { url: `https://127.0.0.1:${port}`, ca: pki.caCert, ...pki.admin };
  const started = nowMs();
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "server.ts"), folder, String(port)], { stdout: "inherit", stderr: "inherit" });
  const stop = async () => {
    child.kill("SIGKILL");
    await child.exited;
  };
  return serverOf("ours", access, started, [child.pid], stop);
}

/** Theirs, with etcd writing to disk before it answers. */
export async function startTheirs(): Promise<Server> {
  const programs = await oraclePrograms((line) => console.error(line));
  const folder = mkdtempSync(join(tmpdir(), "chainmail-bench-"));
  const pki = await loadClusterPki({ directory: folder, addresses: ["127.0.0.1"], now: Date.now() });
  const started = nowMs();
  const oracle = await startOracle(programs, {
    durable: true,
    tls: { clientCa: join(folder, "ca.crt"), cert: join(folder, "apiserver.crt"), key: join(folder, "apiserver.key") },
    pollMs: POLL_MS,
  });
  const stop = async () => {
    await oracle.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return serverOf("theirs", { url: oracle.url, ca: pki.caCert, ...pki.admin }, started, oracle.pids, stop);
}

async function serverOf(name: Server["name"], access: Access, started: number, pids: readonly number[], stop: () => Promise<void>): Promise<Server> {
  const sum = (measure: (pid: number) => number) => pids.reduce((total, pid) => total + measure(pid), 0);
  try {
    await ready(access);
    return { name, access, readyMs: nowMs() - started, cpu: () => sum(cpuMs), memory: () => sum(rssMb), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function ready({ url, ca, cert, key }: Access): Promise<void> {
  const deadline = nowMs() + READY_TIMEOUT_MS;
  for (;;) {
    try {
      const answer = await fetch(`${url}/readyz`, { tls: { ca, cert, key }, keepalive: false } as RequestInit);
      if (answer.ok) return;
    } catch (error) {
      // Nothing listens yet.
      if (nowMs() > deadline) throw new Error(`${url} does not become ready`, { cause: error });
    }
    if (nowMs() > deadline) throw new Error(`${url} does not become ready`);
    await Bun.sleep(POLL_MS);
  }
}
