import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:net";

/** User and system time in microseconds that these processes and their children have used. Clock ticks are 10 ms. */
export function cpuMicros(pids: readonly number[]): number {
  return sum(withChildren(pids).map((pid) => {
    const fields = statFields(pid);
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  }));
}

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

function statFields(pid: number): string[] {
  return readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
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
