import type { Container } from "./container.ts";
import { ChainmailError } from "../../base/index.ts";
import { closeFd } from "../../linux/index.ts";
import { childPipes, pipeStream, PipeWriter } from "./pipes.ts";
import { privilegeArguments } from "./privileges.ts";
import { childrenOf } from "./processes.ts";
import { signalUnlessGone } from "./signal.ts";
import { TerminalStreams } from "./terminal-streams.ts";
import type { ContainerExit, ExecProcess, ExecSpec } from "./types.ts";

/**
 * Starts a process in a running container: in all its namespaces, with its uid, without capabilities, even where the
 * container itself was given one. `onExited` registers for the worker's word that `processId` has ended.
 */
export async function execIn(
  container: Container,
  spec: ExecSpec,
  processId: string,
  onExited: (tell: (exit: ContainerExit) => void) => void,
): Promise<ExecProcess> {
  const { client, maps } = container;
  const exited = Promise.withResolvers<ContainerExit>();
  onExited(exited.resolve);
  const pipes = spec.tty ? undefined : childPipes(spec.stdin, container.owner);
  let started: { pid: number; terminalFd: number | undefined };
  try {
    started = await client.call("enterContainer", {
      processId,
      sandboxId: container.sandboxId,
      targetPid: container.pid,
      argv: spec.argv,
      root: container.spec.root,
      env: { ...container.env, ...(spec.tty ? { TERM: "xterm" } : {}), ...spec.env },
      privileges: privilegeArguments({ ...container.spec, capabilities: "none" }, maps),
      owner: container.owner,
      workingDir: container.spec.workingDir,
      stdio: pipes?.child ?? "terminal",
      procs: container.procs,
    });
  } catch (error) {
    for (const fd of pipes?.own ?? []) closeFd(fd);
    throw error;
  } finally {
    for (const fd of pipes?.childEnds ?? []) closeFd(fd);
  }
  const { pid, terminalFd } = started;
  let ended = false;
  void exited.promise.then(() => (ended = true));
  // nsenter, which waits outside, would leave its child behind.
  const kill = (): void => {
    if (!ended) for (const each of [...childrenOf(pid), pid]) signalUnlessGone(each, "SIGKILL");
  };
  container.adopt(kill, exited.promise);
  if (terminalFd !== undefined) {
    const terminal = new TerminalStreams(terminalFd, exited.promise);
    return {
      ...(spec.stdin ? { stdin: terminal } : {}),
      stdout: terminal.output,
      resize: (columns, rows) => terminal.resize(columns, rows),
      exited: exited.promise,
      kill,
    };
  }
  if (!pipes) throw new ChainmailError("TERMINAL_MISSING", `process ${processId} was started without the terminal that it was to have`);
  const stdin = pipes.stdin === undefined ? undefined : new PipeWriter(pipes.stdin);
  void exited.promise.then(() => stdin?.abandon());
  return { ...(stdin ? { stdin } : {}), stdout: pipeStream(pipes.stdout), stderr: pipeStream(pipes.stderr), resize: () => {}, exited: exited.promise, kill };
}
