import { dlopen } from "bun:ffi";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:net";

/**
 * User and system time in microseconds that these processes and their children have used, threads that have ended too. By
 * their CPU clocks (clock_getcpuclockid), which count nanoseconds, where /proc counts ticks of 10 ms.
 */
export function cpuMicros(pids: readonly number[]): number {
  const { symbols } = (libc ??= dlopen("libc.so.6", { clock_gettime: { returns: "int", args: ["int", "ptr"] } }));
  const time = new BigInt64Array(2);
  return sum(
    withChildren(pids).map((pid) => {
      if (symbols.clock_gettime((~pid << 3) | CPUCLOCK_SCHED, time) < 0) throw new Error(`process ${pid} is gone`);
      return Number(time[0]) * 1e6 + Number(time[1]) / 1000;
    }),
  );
}

const CPUCLOCK_SCHED = 2;
let libc: { readonly symbols: { clock_gettime(clock: number, time: BigInt64Array): number } } | undefined;

/** Resident set sizes, in KB. */
export function residentKb(pids: readonly number[]): number {
  return sum(withChildren(pids).map((pid) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0)));
}

/** Proportional set sizes, in KB. */
export function proportionalKb(pids: readonly number[]): number {
  return sum(withChildren(pids).map((pid) => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0)));
}

/** nginx and HAProxy serve in a child. */
function withChildren(pids: readonly number[]): number[] {
  const found = [...pids];
  for (const pid of pids) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      for (const child of readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ")) if (child !== "") found.push(Number(child));
    }
  }
  return found;
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
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

export const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
export const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
