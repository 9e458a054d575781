import type { Container } from "./container.ts";
import { closeFd, createMemoryFile } from "../../linux/index.ts";
import { enterArguments, environmentScript } from "./environment.ts";
import { privilegeArguments } from "./privileges.ts";
import { childrenOf, exitOf } from "./processes.ts";
import type { ExecProcess, ExecSpec } from "./types.ts";
import type { ContainerTools } from "./worker/protocol.ts";

/** Where the program's environment waits. */
const ENVIRONMENT_FD = 3;

/** To the container's working folder and the usual file mask, whatever the cluster's own are. */
const PREPARE = 'umask 022 && cd -- "$1" && shift && unset OLDPWD';

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
    ...enterArguments(ENVIRONMENT_FD, PREPARE),
    container.spec.workingDir,
    ...spec.argv,
  ];
  const env = { ...container.env, ...(spec.tty ? { TERM: "xterm" } : {}), ...spec.env };
  const environment = createMemoryFile("environment", Buffer.from(environmentScript(env, tools.env)));
  try {
    return spec.tty ? withTerminal(argv, spec, environment) : withPipes(argv, spec, environment);
  } finally {
    closeFd(environment);
  }
}

function withPipes(argv: string[], spec: ExecSpec, environment: number): ExecProcess {
  // Detached, as a container: `kill 0` must not reach the cluster.
  const child = Bun.spawn(argv, { env: {}, cwd: "/", detached: true, stdio: [spec.stdin ? "pipe" : "ignore", "pipe", "pipe", environment] });
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

function withTerminal(argv: string[], spec: ExecSpec, environment: number): ExecProcess {
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
    stdio: ["ignore", "ignore", "ignore", environment],
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
