/** One kind of call at one server: what it cost there, and how long the client waited. */
import { nowMs } from "../controlplane/process-figures.ts";
import type { Row } from "../run.ts";
import { type Call, type Connection, drive } from "./load-client.ts";
import type { Server } from "./servers.ts";

export interface Cost {
  /** Microseconds of the server's CPU a call (or an event). */
  cpuUs: number;
  p50: number;
  p99: number;
}

export async function costOf(server: Server, connections: readonly Connection[], parallel: number, calls: readonly Call[]): Promise<Cost> {
  const before = server.cpu();
  const answers = await drive(connections, parallel, calls);
  const cpu = server.cpu() - before;
  const waited = answers.map(({ ms }) => ms);
  return { cpuUs: (cpu * 1000) / calls.length, p50: quantile(waited, 0.5), p99: quantile(waited, 0.99) };
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

/** Both servers' figures and their ratio, under its bar. */
export function compare(name: string, ours: Cost, theirs: Cost, bar: number | undefined, what = "request"): Row[] {
  const perSecond = ({ cpuUs }: Cost) => (1e6 / cpuUs).toFixed(0);
  return [
    {
      name: `${name}: CPU ours / theirs`,
      value: ours.cpuUs / theirs.cpuUs,
      unit: "",
      ...(bar === undefined ? {} : { bar }),
      how: `${ours.cpuUs.toFixed(0)} us against ${theirs.cpuUs.toFixed(0)}; ${perSecond(ours)} a CPU second against ${perSecond(theirs)}`,
    },
    {
      name: `${name}: p99 of a ${what}`,
      value: ours.p99,
      unit: "ms",
      how: `theirs ${theirs.p99.toFixed(2)}; p50 ${ours.p50.toFixed(2)} against ${theirs.p50.toFixed(2)}`,
    },
  ];
}

/** Waits until a server has nothing left to do for what was asked of it. */
export async function quiet(server: Server): Promise<void> {
  const deadline = nowMs() + SETTLE_MS;
  for (let last = server.cpu(); nowMs() < deadline;) {
    await Bun.sleep(QUIET_MS);
    const now = server.cpu();
    if (now - last < QUIET_MS * IDLE_SHARE) return;
    last = now;
  }
}

/** A busy garbage collector is done by then; what goes on after it is the server's own business. */
const SETTLE_MS = 5_000;
const QUIET_MS = 200;
const IDLE_SHARE = 0.1;
