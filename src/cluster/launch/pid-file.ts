import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { ChainmailError } from "../../base/index.ts";

/** A process that no other can be mistaken for: numbers come round again, but not with the same start. */
export interface ProcessIdentity {
  pid: number;
  /** In clock ticks since boot: field 22 of /proc/PID/stat. */
  startTime: string;
}

/** Identity of a running process; undefined when there is none, or it is a zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined; // No such process.
  }
  // The name, second field, may hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const startTime = fields[19];
  return startTime === undefined || fields[0] === "Z" ? undefined : { pid, startTime };
}

export function isAlive(process: ProcessIdentity): boolean {
  return identify(process.pid)?.startTime === process.startTime;
}

/** What the file names, if that very process is alive; a file left by a crash or a reboot counts as absent. */
export function readPidFile(path: string): ProcessIdentity | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined; // Never started, or stopped.
  }
  const [pid, startTime] = text.trim().split(" ");
  if (!pid || !/^\d+$/.test(pid) || !startTime || !/^\d+$/.test(startTime)) return undefined;
  const found = { pid: Number(pid), startTime };
  return isAlive(found) ? found : undefined;
}

/** Takes the file for this process while it starts the cluster. Throws CLUSTER_RUNNING when it names a live process. */
export function claimPidFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const running = readPidFile(path);
  if (running) throw alreadyRunning(running.pid);
  rmSync(path, { force: true });
  try {
    const fd = openSync(path, "wx", 0o600);
    writeSync(fd, format(ownIdentity()));
    closeSync(fd);
  } catch (error) {
    // Two at the same time: the other was first.
    if (error instanceof Error && "code" in error && error.code === "EEXIST") throw alreadyRunning(readPidFile(path)?.pid ?? 0);
    throw error;
  }
}

/** Replaces the file's content at once: a reader sees the old or the new, never a part. */
export function writePidFile(path: string, process: ProcessIdentity): void {
  writeFileSync(`${path}.new`, format(process), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function ownIdentity(): ProcessIdentity {
  const own = identify(process.pid);
  if (!own) throw new ChainmailError("PROC_MISSING", "/proc does not show this process: /proc must be mounted", { hint: "sudo mount -t proc proc /proc" });
  return own;
}

function alreadyRunning(pid: number): ChainmailError {
  return new ChainmailError("CLUSTER_RUNNING", `the cluster is running already (process ${pid})`, { hint: "chainmail status   or   chainmail down" });
}

function format({ pid, startTime }: ProcessIdentity): string {
  return `${pid} ${startTime}\n`;
}
