import { fileURLToPath } from "node:url";
import { ChainmailError, errorText } from "../../base/index.ts";
import { nftablesAvailable } from "../../linux/index.ts";
import { findTools } from "../runtime/index.ts";
import { advise, type CheckName } from "./advice.ts";
import { frameArguments } from "./frame.ts";
import { readMachineFacts, type MachineFacts } from "./machine-facts.ts";

export interface MachineCheck {
  name: CheckName;
  ok: boolean;
  /** What the kernel or the shell said. */
  detail?: string;
  /** The command that mends it. */
  hint?: string;
}

export interface MachineReport {
  ok: boolean;
  checks: MachineCheck[];
}

/** A namespace and a few rules take well under a second. */
const TIMEOUT_MS = 15_000;

/**
 * Tries on this machine what the cluster needs, by doing it: the process tree's namespaces, mounts, a veth pair, the
 * real nft rules, a socket mark. Leaves nothing behind. `rootless` as launchCluster will be called.
 */
export async function probeMachine(options: { rootless: boolean }): Promise<MachineReport> {
  const facts = readMachineFacts();
  const checks: MachineCheck[] = [];
  const fail = (name: CheckName, code: string, detail: string): MachineReport => {
    checks.push({ name, ok: false, detail, hint: advise(name, code, facts) });
    return { ok: false, checks };
  };
  if (process.platform !== "linux") return fail("linux", "ENOSYS", `this is ${process.platform}`);
  checks.push({ name: "linux", ok: true });

  let unshare: string;
  try {
    ({ unshare } = findTools());
    checks.push({ name: "util-linux", ok: true });
  } catch (error) {
    return fail("util-linux", "ENOENT", errorText(error));
  }
  if (!nftablesAvailable()) return fail("libnftables", "ENOENT", "libnftables.so.1 cannot be loaded");
  checks.push({ name: "libnftables", ok: true });

  const program = fileURLToPath(new URL("./probe-child.ts", import.meta.url));
  const child = Bun.spawn([unshare, ...frameArguments(options.rootless), "--", process.execPath, program], {
    env: { PATH: "/usr/bin:/bin:/usr/sbin:/sbin" },
    cwd: "/",
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  const results = parseResults(output, facts);
  if (results.length === 0) return fail("process tree", codeOf(errors), errors.trim() || `it ended with code ${child.exitCode}`);
  checks.push({ name: "process tree", ok: true }, ...results);
  return { ok: checks.every((check) => check.ok), checks };
}

/** One ChainmailError for a report that is not ok: what failed first, and its hint. */
export function machineError(report: MachineReport): ChainmailError {
  const failed = report.checks.find((check) => !check.ok);
  return new ChainmailError(
    "MACHINE_UNFIT",
    `this machine cannot host the cluster: ${failed?.name}: ${failed?.detail}`,
    failed?.hint === undefined ? {} : { hint: failed.hint },
  );
}

function parseResults(output: string, facts: MachineFacts): MachineCheck[] {
  const lines = output.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => {
    // Printed by probe-child.ts, our own.
    const { name, ok, code, detail } = JSON.parse(line) as { name: CheckName; ok: boolean; code?: string; detail?: string };
    return ok ? { name, ok } : { name, ok, detail: detail ?? "", hint: advise(name, code ?? "", facts) };
  });
}

/** util-linux prints strerror's text only. */
function codeOf(text: string): string {
  if (/Operation not permitted/.test(text)) return "EPERM";
  if (/Permission denied/.test(text)) return "EACCES";
  if (/No space left on device/.test(text)) return "ENOSPC";
  if (/Invalid argument/.test(text)) return "EINVAL";
  return "UNKNOWN";
}
