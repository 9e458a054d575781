import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { constants } from "node:os";
import type { ContainerExit } from "./types.ts";

/** sysconf(_SC_CLK_TCK): 100 on every Linux that this runs on. */
const TICKS_PER_SECOND = 100;

/** `pid:[…]` or `mnt:[…]` of a process, undefined when it is gone. */
export function inodeOf(pid: number, kind: "pid" | "mnt" = "pid"): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return undefined;
  }
}

/** How a child that has ended did so, in a container's terms; a shell in between tells a signal as 128+n. */
export function exitOf(child: Pick<Bun.Subprocess, "exitCode" | "signalCode">): ContainerExit {
  const { exitCode, signalCode } = child;
  if (signalCode === null) {
    const signal = Object.entries(constants.signals).find(([, number]) => number === (exitCode ?? 0) - 128)?.[0];
    return signal === undefined ? { exitCode: exitCode ?? 1 } : { exitCode: exitCode ?? 1, signal };
  }
  // Real-time signals have no name here.
  if (typeof signalCode === "number") return { exitCode: 128 + signalCode, signal: `SIGNAL ${signalCode}` };
  return { exitCode: 128 + constants.signals[signalCode], signal: signalCode };
}

/** The children of a process that are alive. */
export function childrenOf(pid: number): number[] {
  const text = readText(`/proc/${pid}/task/${pid}/children`);
  if (text !== undefined) return text.split(" ").filter(Boolean).map(Number);
  // A kernel without CONFIG_PROC_CHILDREN.
  return allPids().filter((each) => statFields(each)?.[1] === String(pid));
}

/** All processes in the given pid or mount namespaces. */
export function processesIn(namespaces: ReadonlySet<string>): number[] {
  return allPids().filter((pid) => [inodeOf(pid), inodeOf(pid, "mnt")].some((inode) => inode !== undefined && namespaces.has(inode)));
}

/** CPU seconds and proportional memory of all processes in the given pid or mount namespaces. */
export function usageOf(namespaces: ReadonlySet<string>): { cpuSeconds: number; memoryBytes: number } {
  let ticks = 0;
  let memoryBytes = 0;
  for (const pid of processesIn(namespaces)) {
    // utime, stime, and both of the children that ended: fields 14 to 17, counted from the state, field 3.
    for (const field of statFields(pid)?.slice(11, 15) ?? []) ticks += Number(field);
    memoryBytes += memoryOf(pid);
  }
  return { cpuSeconds: ticks / TICKS_PER_SECOND, memoryBytes };
}

/** The fields after the name's closing bracket: state, ppid, …; undefined when the process is gone. */
export function statFields(pid: number): string[] | undefined {
  const text = readText(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** Proportional set size, so that a program's text shared by many pods is counted once. */
function memoryOf(pid: number): number {
  const kilobytes = /^Pss:\s+(\d+) kB/m.exec(readText(`/proc/${pid}/smaps_rollup`) ?? "")?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

function allPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // It ended while we looked, or this kernel has no such file.
  }
}
