import { closeFd, openTerminal } from "../../../linux/index.ts";
import { exitOf } from "../processes.ts";
import type { ContainerExit } from "../types.ts";
import type { Stdio } from "./protocol.ts";

export interface Spawned {
  process: Bun.Subprocess;
  /** Our end, and the N of /dev/pts/N. */
  terminal: { fd: number; number: number } | undefined;
}

/** Spawns in the namespaces and the root that the thread is in. `more` become the descriptors from 3 on. */
export function spawnProcess(argv: string[], stdio: Stdio, more: (number | "ignore")[], onExit: (exit: ContainerExit) => void): Spawned {
  const terminal = stdio === "terminal" ? openTerminal() : undefined;
  const streams = stdio === "terminal" ? Array.from({ length: 3 }, () => terminal?.programFd ?? "ignore") : [stdio.stdin, stdio.stdout, stdio.stderr];
  try {
    const child = Bun.spawn(argv, {
      cwd: "/",
      env: {},
      // A session of its own: `kill 0` in a container reaches its process group across pid namespaces.
      detached: true,
      stdio: [...(streams as ["ignore", "ignore", "ignore"]), ...more],
      onExit: (ended) => onExit(exitOf(ended)),
    });
    return { process: child, terminal: terminal && { fd: terminal.fd, number: terminal.number } };
  } catch (error) {
    if (terminal) closeFd(terminal.fd);
    throw error;
  } finally {
    if (terminal) closeFd(terminal.programFd);
  }
}
