import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";

/** CPU time of all programs of this machine since it started, and the memory that they hold (what could be freed for others is not counted). */
export function machineUsage(): { cpuSeconds: number; memoryBytes: number } {
  const busyMs = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  const available = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
  return { cpuSeconds: busyMs / 1000, memoryBytes: totalmem() - Number(available ?? 0) * 1024 };
}
