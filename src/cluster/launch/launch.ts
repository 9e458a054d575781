import { closeSync, mkdirSync, openSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { ChainmailError } from "../../base/index.ts";
import { leaveDelegatedGroup } from "../cgroups/index.ts";
import { childrenOf, findTools } from "../runtime/index.ts";
import { frameArguments } from "./frame.ts";
import type { UserMapping } from "./proxy-user.ts";
import { claimPidFile, identify, isAlive, readPidFile, writePidFile, type ProcessIdentity } from "./pid-file.ts";

export interface LaunchOptions {
  /** The cluster's own program and arguments; paths absolute. */
  argv: string[];
  /** Its whole environment. */
  env: Record<string, string>;
  /** Receives both streams, appended. */
  logPath: string;
  pidPath: string;
  /** In a user namespace of its own: needs no privilege. */
  rootless: boolean;
  /** Default "host": no other users than the caller's. */
  users?: UserMapping;
}

/**
 * PID 1 of the tree. A shell, because Bun does not reap the orphans that come to PID 1. `wait` ends early when the trap
 * runs, hence the loop: it is over when the main process has been reaped.
 */
const INIT = `
trap 'kill -TERM "$main" 2>/dev/null' TERM
"$@" &
main=$!
while :; do
  wait "$main"
  code=$?
  kill -0 "$main" 2>/dev/null || exit "$code"
done`;

/** unshare forks within milliseconds; a swapping machine may need longer. */
const START_TIMEOUT_MS = 5_000;
/** Enough for the API server to finish requests and close its database, and for pods to get their SIGTERM. */
const GRACE_MS = 10_000;
/** The kernel ends a killed tree in about 10 ms. */
const KILL_TIMEOUT_MS = 5_000;
const POLL_MS = 10;

/**
 * Starts the cluster's process tree, detached from the caller's terminal, and returns when it exists; that it is ready
 * is for its API to tell. `pid` is the outer process. Throws CLUSTER_RUNNING, or CLUSTER_START_FAILED with what it said.
 */
export async function launchCluster(options: LaunchOptions): Promise<{ pid: number }> {
  const { unshare, sh } = findTools();
  claimPidFile(options.pidPath);
  mkdirSync(dirname(options.logPath), { recursive: true, mode: 0o700 });
  const logStart = statSync(options.logPath, { throwIfNoEntry: false })?.size ?? 0;
  leaveDelegatedGroup();
  const log = openSync(options.logPath, "a", 0o600);
  try {
    const outer = Bun.spawn([unshare, ...frameArguments(options.rootless, options.users), "--", sh, "-c", INIT, "chainmail-cluster", ...options.argv], {
      env: options.env,
      cwd: "/",
      stdio: ["ignore", log, log],
      // A session of its own: closing the terminal must not reach it.
      detached: true,
    });
    outer.unref();
    await Promise.race([outer.exited, waitFor(() => childrenOf(outer.pid).some((pid) => hasItsOwnProgram(pid, outer.pid)), START_TIMEOUT_MS)]);
    const identity = identify(outer.pid);
    if (!identity || outer.exitCode !== null || childrenOf(outer.pid).length === 0) {
      outer.kill("SIGKILL");
      throw new ChainmailError("CLUSTER_START_FAILED", `the cluster's process tree did not start: ${tail(options.logPath, logStart)}`, {
        hint: `tail ${options.logPath}`,
      });
    }
    writePidFile(options.pidPath, identity);
    return { pid: outer.pid };
  } catch (error) {
    rmSync(options.pidPath, { force: true });
    throw error;
  } finally {
    closeSync(log);
  }
}

/** The running cluster's outer process; undefined when none runs, whatever a stale file says. */
export function clusterRunning(options: { pidPath: string }): { pid: number } | undefined {
  const found = readPidFile(options.pidPath);
  return found ? { pid: found.pid } : undefined;
}

/**
 * Ends the cluster: SIGTERM to its PID 1, and after `graceMs` SIGKILL of the outer process, which takes all along.
 * Returns when no process of the tree is left.
 */
export async function stopCluster(options: { pidPath: string; graceMs?: number }): Promise<"stopped" | "killed" | "not-running"> {
  const outer = readPidFile(options.pidPath);
  if (!outer) {
    rmSync(options.pidPath, { force: true });
    return "not-running";
  }
  const init = childrenOf(outer.pid).flatMap((pid) => identify(pid) ?? []);
  for (const process of init) signal(process, "SIGTERM");
  const gone = () => !isAlive(outer) && init.every((process) => !isAlive(process));
  const graceful = await waitFor(gone, options.graceMs ?? GRACE_MS);
  if (!graceful) {
    signal(outer, "SIGKILL");
    for (const process of init) signal(process, "SIGKILL");
    if (!(await waitFor(gone, KILL_TIMEOUT_MS))) {
      throw new ChainmailError("CLUSTER_STUCK", `process ${outer.pid} does not end, even by SIGKILL`, {
        hint: `ps -o pid,stat,wchan,cmd ${outer.pid}   shows what it waits for`,
      });
    }
  }
  rmSync(options.pidPath, { force: true });
  return graceful ? "stopped" : "killed";
}

/** The child asks to die with its parent before it becomes another program: a kill of the parent takes it along from then on. */
function hasItsOwnProgram(child: number, parent: number): boolean {
  try {
    return readlinkSync(`/proc/${child}/exe`) !== readlinkSync(`/proc/${parent}/exe`);
  } catch {
    return false; // One of them has ended.
  }
}

function signal(target: ProcessIdentity, name: "SIGTERM" | "SIGKILL"): void {
  if (!isAlive(target)) return;
  try {
    process.kill(target.pid, name);
  } catch (cause) {
    if (!isAlive(target)) return; // It ended in between.
    throw new ChainmailError("CLUSTER_NOT_OURS", `process ${target.pid} belongs to another user`, {
      cause,
      hint: "run chainmail down as the user who ran chainmail up",
    });
  }
}

async function waitFor(condition: () => boolean, milliseconds: number): Promise<boolean> {
  const deadline = performance.now() + milliseconds;
  while (!condition()) {
    if (performance.now() > deadline) return false;
    await Bun.sleep(POLL_MS);
  }
  return true;
}

/** What was written to the log since, at most its last lines. */
function tail(path: string, from: number): string {
  const text = readFileSync(path).subarray(from).toString().trim();
  return text === "" ? "it said nothing" : text.split("\n").slice(-5).join("\n");
}
