import { accessSync, constants, statSync } from "node:fs";
import { ChainmailError } from "../../../base/index.ts";
import { closeFd, createMemoryFile, createPipe, readBlocking, writeAll } from "../../../linux/index.ts";
import { enterArguments, environmentScript } from "../environment.ts";
import { childrenOf, exitOf } from "../processes.ts";
import type { ContainerExit } from "../types.ts";
import { enterContainerRoot, maskProc } from "./container-root.ts";
import type { Namespaces } from "./namespaces.ts";
import type { ContainerStart, ContainerStarted, ContainerTools } from "./protocol.ts";
import type { SystemFiles } from "./system-files.ts";

/** What the worker knows of the node and its processes, handed to each start. */
export interface StartContext {
  namespaces: Namespaces;
  system: SystemFiles;
  tools: ContainerTools;
  mountPoint: string;
  hiddenPaths: string[];
  hostname: string;
  onExit(exit: ContainerExit): void;
  onOutput(chunk: Uint8Array): void;
}

export interface StartedProcess {
  started: ContainerStarted;
  terminal: Bun.Terminal | undefined;
}

/**
 * The process that waits outside the container's pid namespace, for its exit code: as a shell it tells a signal by
 * 128+n, where util-linux's `unshare --fork` reports SIGKILL as 1. Its own "Killed" is nobody's output, and signals to
 * the whole process group (a terminal's ^C, `kill 0`) are its child's business; a trap, unlike "ignore", is not inherited.
 */
const WRAPPER = 'trap : HUP INT QUIT TERM; exec 5>&2 2>/dev/null; "$@" 2>&5 5>&-; exit $?';
/** The first process waits here, already in its namespaces, until its /proc is masked; then it becomes the app. */
const HOLD = 'printf . >&3 && read -r go <&4 && exec 3>&- 4<&- "$@"';
/** Where the program's environment waits. */
const ENVIRONMENT_FD = 6;
/** Starting takes a few milliseconds; a machine that swaps may need seconds. */
const READY_TIMEOUT_MS = 10_000;

/**
 * Builds the root, starts the first process of a new pid namespace in it, and lets the program go once the walls stand. Synchronous: the thread
 * is in the container's namespaces only within this call.
 */
export function startContainer(context: StartContext, spec: ContainerStart): StartedProcess {
  const environment = createMemoryFile("environment", Buffer.from(environmentScript(spec.env, context.tools.env)));
  const ready = createPipe();
  const go = createPipe();
  try {
    const spawned = context.namespaces.inSandbox(spec.sandboxId, () => {
      enterContainerRoot({ ...spec, ...context });
      const missing = missingProgram(spec);
      return missing ?? spawn(context, spec, [ready.writeFd, go.readFd, "ignore", environment]);
    });
    if (typeof spawned === "string") return { started: { state: "no-program", message: spawned }, terminal: undefined };
    try {
      closeFd(ready.writeFd);
      ready.writeFd = -1;
      const byte = readBlocking(ready.readFd, 1, READY_TIMEOUT_MS);
      if (!byte?.length) throw new ChainmailError("CONTAINER_START_FAILED", "the container's first process did not come up; its log may say why");
      const pid = onlyChild(spawned.process.pid);
      context.namespaces.inMountsOf(pid, maskProc);
      writeAll(go.writeFd, Buffer.from("go\n"));
      return { started: { state: "running", pid, wrapperPid: spawned.process.pid }, terminal: spawned.terminal };
    } catch (error) {
      spawned.process.kill("SIGKILL");
      throw error;
    }
  } finally {
    for (const fd of [environment, ready.readFd, ready.writeFd, go.readFd, go.writeFd]) if (fd >= 0) closeFd(fd);
  }
}

/** `more` become the descriptors from 3 on. */
function spawn(context: StartContext, spec: ContainerStart, more: (number | "ignore")[]) {
  const { tools } = context;
  // The wrapper's child is the first process of the new pid namespace.
  const wrapper = [tools.unshare, "--pid", "--", tools.sh, "-c", WRAPPER, "chainmail"];
  const first = [tools.unshare, "--mount-proc", "--", tools.sh, "-c", HOLD, "chainmail"];
  // The container's own environment comes last: its LD_PRELOAD must not reach a program that still has privileges.
  const unprivileged = [tools.setpriv, ...spec.privileges, tools.sh, ...enterArguments(ENVIRONMENT_FD)];
  const argv = [...wrapper, ...first, ...unprivileged, ...spec.argv];
  const common = {
    cwd: spec.workingDir,
    env: {},
    // A session of its own: `kill 0` in a container reaches its process group across pid namespaces.
    detached: true,
    onExit: (ended: Bun.Subprocess) => context.onExit(exitOf(ended)),
  };
  const child =
    spec.stdio === "terminal"
      ? Bun.spawn(argv, {
          ...common,
          stdio: ["ignore", "ignore", "ignore", ...more],
          terminal: { name: "xterm", data: (_terminal, chunk) => context.onOutput(chunk) },
        })
      : Bun.spawn(argv, { ...common, stdio: [spec.stdio.stdin, spec.stdio.stdout, spec.stdio.stderr, ...more] });
  return { process: child, terminal: child.terminal };
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

/** The wrapper's one child: the container's first process, as the tree's pid namespace numbers it. */
function onlyChild(parent: number): number {
  const known = childrenOf(parent)[0];
  if (known === undefined) throw new ChainmailError("CONTAINER_START_FAILED", `process ${parent} has no child`);
  return known;
}
