/** What other processes have cost, as the kernel counts it. */
import { dlopen, ptr } from "bun:ffi";
import { readFileSync } from "node:fs";

const libc = dlopen("libc.so.6", { clock_gettime: { args: ["i32", "ptr"], returns: "i32" } });
/** CPUCLOCK_SCHED in the kernel's encoding of per-process clocks: all threads, in nanoseconds. */
const SCHED = 2;
const MONOTONIC = 1;
/** Seconds and nanoseconds. */
const time = new BigInt64Array(2);

/** Milliseconds of CPU, user and system, that a process has used. /proc has it in ticks of 10 ms only. */
export function cpuMs(pid: number): number {
  return read((~pid << 3) | SCHED, `the CPU clock of process ${pid}`);
}

export function rssMb(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kb) / 1024;
}

/** The monotonic clock that all processes share, in milliseconds; Bun's own start with each process. */
export function nowMs(): number {
  return read(MONOTONIC, "the monotonic clock");
}

function read(clock: number, name: string): number {
  if (libc.symbols.clock_gettime(clock, ptr(time)) !== 0) throw new Error(`${name} cannot be read`);
  return Number(time[0]) * 1e3 + Number(time[1]) / 1e6;
}
