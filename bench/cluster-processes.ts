import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

export const CHAINMAIL = join(import.meta.dir, "../bin/chainmail");

/** Process id of the root of a running cluster's processes. */
export async function clusterPid(name: string, env: Record<string, string>): Promise<number> {
  return Number(/pid (\d+)/.exec(await sh(`${CHAINMAIL} status --name ${name}`, env))![1]);
}

/** Every process below `root`, with its proportional set size. */
export function proportionalSetSizes(root: number): { pid: number; command: string; mb: number }[] {
  return descendants(root).flatMap((pid) => {
    try {
      const kb = Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim().slice(0, 90);
      console.log(`${(kb / 1024).toFixed(1).padStart(7)} MB  ${command}`);
      return [{ pid, command, mb: kb / 1024 }];
    } catch {
      return [];
    }
  });
}

export function descendants(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const parent = Number(
        readFileSync(`/proc/${entry}/stat`, "utf8")
          .replace(/^.*\) /s, "")
          .split(" ")[1],
      );
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    } catch {
      // It ended while the list was read.
    }
  }
  const found: number[] = [];
  for (const queue = [root]; queue.length > 0;) {
    const pid = queue.pop()!;
    found.push(pid);
    queue.push(...(children.get(pid) ?? []));
  }
  return found;
}

/** Runs a line of bash. Throws with all that it printed when it fails. */
export async function sh(command: string, env: Record<string, string>): Promise<string> {
  const child = Bun.spawn(["bash", "-c", command], { env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`${command}\nexit ${code}\n${stdout}${stderr}`);
  return stdout;
}

export const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
export const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
