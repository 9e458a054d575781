import { accessSync, constants, statSync, writeFileSync } from "node:fs";
import { ChainmailError } from "../../../base/index.ts";
import { cloneTree, closeFd, moveTree } from "../../../linux/index.ts";
import { enterArguments, environmentScript, envProgram } from "../environment.ts";
import { childrenOf } from "../processes.ts";
import type { ContainerExit, RootMode } from "../types.ts";
import { enterContainerRoot, maskProc } from "./container-root.ts";
import { Gate, ownTerminal } from "./gate.ts";
import type { Namespaces } from "./namespaces.ts";
import type { ContainerStart, ContainerStarted, ContainerTools, Stdio } from "./protocol.ts";
import { spawnProcess } from "./spawn.ts";
import type { SystemFiles } from "./system-files.ts";
import { dropStep, joinPids, mountNewProc, stepIn, stepOut, stepToNewPids, stepToPidsOf, type ToolsRoot } from "./tools-root.ts";

/** What the worker knows of the node and its processes, handed to each start. */
export interface StartContext {
  namespaces: Namespaces;
  system: SystemFiles;
  tools: ContainerTools;
  toolsRoot: ToolsRoot;
  mountPoint: string;
  hiddenPaths: string[];
  rootMode: RootMode;
  onExit(exit: ContainerExit): void;
}

/**
 * The process that waits outside the container's pid namespace, for its exit code: as a shell it tells a signal by
 * 128+n, where util-linux's `unshare --fork` reports SIGKILL as 1. Its own "Killed" is nobody's output, and signals to
 * the whole process group (a terminal's ^C, `kill 0`) are its child's business; a trap, unlike "ignore", is not inherited.
 * In parentheses, since dash changes descriptors of a plain command before it forks.
 */
const WRAPPER = 'trap : HUP INT QUIT TERM; exec 5>&2 2>/dev/null; (exec "$@" 2>&5 5>&-); exit $?';

/**
 * Builds the root, starts the container's first process outside of it (tools-root.ts says why), moves that into the root
 * and lets the program go once the walls stand. Synchronous: the thread is in the container's namespaces only within
 * this call.
 */
export function startContainer(context: StartContext, spec: ContainerStart): ContainerStarted {
  const { namespaces, tools } = context;
  const environment = environmentScript(spec.env, envProgram(spec.root, tools.env));
  const { joinsPid } = spec;
  const step = joinsPid === undefined ? stepToNewPids(context.toolsRoot) : stepToPidsOf(context.toolsRoot, joinsPid);
  const gate = new Gate(environment);
  let proc: number | undefined;
  try {
    // The /proc of those it joins, masks and all.
    if (joinsPid !== undefined) proc = namespaces.inMountsOf(joinsPid, () => cloneTree("/proc"));
    const spawned = namespaces.inSandbox(spec.sandboxId, () => {
      enterContainerRoot({ ...spec, ...context });
      if (proc !== undefined) moveTree(proc, "/proc");
      proc = undefined;
      const missing = missingProgram(spec);
      if (missing !== undefined) return missing;
      stepOut(step, spec.stdio === "terminal");
      return spawnProcess(command(tools, spec), spec.stdio, gate.stdio, context.onExit);
    });
    if (typeof spawned === "string") return { state: "no-program", message: spawned };
    try {
      gate.awaitReady();
      const outer = firstChild(spawned.process.pid);
      const pid = joinsPid === undefined ? outer : firstChild(outer);
      namespaces.inMountsOf(pid, () => {
        stepIn();
        if (joinsPid === undefined) maskProc();
        if (spawned.terminal) ownTerminal(spawned.terminal.number, ...spec.owner);
      });
      joinGroups(spec.procs, pid);
      gate.open();
      return { state: "running", pid, wrapperPid: spawned.process.pid, terminalFd: spawned.terminal?.fd };
    } catch (error) {
      spawned.process.kill("SIGKILL");
      if (spawned.terminal) closeFd(spawned.terminal.fd);
      throw error;
    }
  } finally {
    if (proc !== undefined) closeFd(proc);
    dropStep(step);
    gate.close();
  }
}

/** All of it but the last word is the machine's own, and runs in the tools' root. */
function command(tools: ContainerTools, spec: ContainerStart): string[] {
  const wrapper = [tools.sh, "-c", WRAPPER, "chainmail"];
  const program = [...unprivileged(tools, spec), ...spec.argv];
  // nsenter is one more that waits outside; of unshare, the wrapper's child is the first process of the new namespace.
  if (spec.joinsPid !== undefined) return [...wrapper, ...joinPids(tools.nsenter), ...program];
  return [tools.unshare, "--pid", "--", ...wrapper, ...mountNewProc(tools.unshare), ...program];
}

/** A process at the gate: no privilege is left, the program's name and arguments follow. */
export function unprivileged(tools: ContainerTools, spec: { privileges: string[]; workingDir: string; stdio: Stdio }): string[] {
  // A terminal belongs to one session: the container's own, not the wrapper's.
  const session = spec.stdio === "terminal" ? [tools.setsid, "--ctty", "--"] : [];
  return [...session, tools.setpriv, ...spec.privileges, tools.sh, ...enterArguments(spec.workingDir)];
}

/** Looks the program up as execvp would, in the container's root; undefined when it is there. */
function missingProgram(spec: ContainerStart): string | undefined {
  const program = spec.argv[0];
  if (!program) return "the container names no program to run";
  const path = spec.env["PATH"] ?? "";
  const candidates = program.includes("/") ? [program] : path.split(":").map((folder) => `${folder || "."}/${program}`);
  if (candidates.some((candidate) => isExecutable(candidate.startsWith("/") ? candidate : `${spec.workingDir}/${candidate}`))) return undefined;
  return program.includes("/") ? `exec: "${program}": no such file, or not executable` : `exec: "${program}": executable file not found in $PATH`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The process and all that it will start belong to the groups from now on. */
export function joinGroups(procs: string[], pid: number): void {
  for (const file of procs) writeFileSync(file, String(pid));
}

/** The one child of a process that waits for it, as the tree's pid namespace numbers it. */
export function firstChild(parent: number): number {
  const known = childrenOf(parent)[0];
  if (known === undefined) throw new ChainmailError("PROCESS_START_FAILED", `process ${parent} has no child`);
  return known;
}
