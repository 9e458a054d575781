import type { Container } from "./container.ts";
import { privilegeArguments } from "./privileges.ts";
import { childrenOf, exitOf } from "./processes.ts";
import type { ExecProcess, ExecSpec } from "./types.ts";
import type { ContainerTools } from "./worker/protocol.ts";

/** In the container's working folder, with the usual file mask, whatever the cluster's own are. */
const IN_FOLDER = 'umask 022 && cd -- "$1" && shift && exec "$@"';

/**
 * Starts a process in a running container: in all its namespaces, with its uid, without capabilities, even where the
 * container itself was given one. Its parent is a waiting nsenter outside, which passes the exit on.
 */
export function execIn(container: Container, spec: ExecSpec, tools: ContainerTools): ExecProcess {
  const argv = [
    tools.nsenter,
    `--target=${container.pid}`,
    "--mount",
    "--uts",
    "--ipc",
    "--net",
    "--pid",
    "--",
    tools.setpriv,
    ...privilegeArguments({ ...container.spec, capabilities: "none" }, container.maps),
    tools.sh,
    "-c",
    IN_FOLDER,
    "chainmail",
    container.spec.workingDir,
    // Last, and without privileges, as in a container's start.
    tools.env,
    "-i",
    "--",
    ...Object.entries({ ...container.env, ...(spec.tty ? { TERM: "xterm" } : {}), ...spec.env }).map(([name, value]) => `${name}=${value}`),
    ...spec.argv,
  ];
  return spec.tty ? withTerminal(argv, spec) : withPipes(argv, spec);
}

function withPipes(argv: string[], spec: ExecSpec): ExecProcess {
  // Detached, as a container: `kill 0` must not reach the cluster.
  const child = Bun.spawn(argv, { env: {}, cwd: "/", detached: true, stdin: spec.stdin ? "pipe" : "ignore", stdout: "pipe", stderr: "pipe" });
  const sink = child.stdin;
  return {
    ...(sink ? { stdin: stdinOf(sink) } : {}),
    stdout: child.stdout,
    stderr: child.stderr,
    resize: () => {},
    exited: child.exited.then(() => exitOf(child)),
    kill: () => killInside(child),
  };
}

function withTerminal(argv: string[], spec: ExecSpec): ExecProcess {
  let output: ReadableStreamDefaultController<Uint8Array> | undefined;
  const stdout = new ReadableStream<Uint8Array>({
    start: (controller) => void (output = controller),
    cancel: () => void (output = undefined),
  });
  let ended = (): void => {};
  const drained = new Promise<void>((resolve) => (ended = resolve));
  const child = Bun.spawn(argv, {
    env: {},
    cwd: "/",
    detached: true,
    terminal: {
      name: "xterm",
      data: (_terminal, chunk) => output?.enqueue(chunk.slice()),
      exit: () => ended(),
    },
  });
  const exited = child.exited.then(async () => {
    // The terminal's last output may come after the exit; a left-over background process may keep it open for ever.
    await Promise.race([drained, Bun.sleep(100)]);
    output?.close();
    output = undefined;
    child.terminal?.close();
    return exitOf(child);
  });
  return {
    ...(spec.stdin ? { stdin: { write: (chunk: Uint8Array) => void child.terminal?.write(chunk), end: () => void child.terminal?.write(Uint8Array.of(4)) } } : {}),
    stdout,
    resize: (columns, rows) => child.terminal?.resize(columns, rows),
    exited,
    kill: () => killInside(child),
  };
}

function stdinOf(sink: Bun.FileSink): NonNullable<ExecProcess["stdin"]> {
  // A program that has closed its input rejects these; its exit tells all there is to tell.
  const ignore = (): void => {};
  return {
    write(chunk) {
      void Promise.resolve(sink.write(chunk)).catch(ignore);
      void Promise.resolve(sink.flush()).catch(ignore);
    },
    end: () => void Promise.resolve(sink.end()).catch(ignore),
  };
}

/** nsenter would leave its child behind. */
function killInside(child: Bun.Subprocess): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  for (const pid of childrenOf(child.pid)) process.kill(pid, "SIGKILL");
  child.kill("SIGKILL");
}
