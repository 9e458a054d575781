import type { Logger } from "../../base/index.ts";
import { ChainmailError, errorText } from "../../base/index.ts";
import { closeFd } from "../../linux/index.ts";
import type { Cgroups, ContainerGroup } from "../cgroups/index.ts";
import { ContainerLog, type LogStream } from "./container-log.ts";
import { attachTo } from "./attach.ts";
import type { NamespaceClient } from "./namespace-client.ts";
import { childPipes, PipeWriter, readPipe, type ChildPipes } from "./pipes.ts";
import { canBecome, privilegeArguments, type IdMaps } from "./privileges.ts";
import { inodeOf, processesIn } from "./processes.ts";
import { TerminalStreams } from "./terminal-streams.ts";
import type { ContainerExit, ContainerSpec, ExecProcess, RunningContainer } from "./types.ts";

/** What a container's programs find when neither image nor pod says otherwise. */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Exit code of a program that is not there, as a shell reports it. */
const NOT_FOUND = 127;
/** The last output is in the pipes when the process ends; only a writer that outlived its pid namespace could hold them. */
const DRAIN_TIMEOUT_MS = 2_000;

export interface Attached {
  onOutput(stream: LogStream, chunk: Uint8Array): void;
  onExit(): void;
}

/** One started container, from the fork of its first process to the last line of its log. */
export class Container implements RunningContainer {
  readonly id: string;
  readonly exited: Promise<ContainerExit>;
  /** Resolves when nothing of it runs any more, or ever will. */
  readonly gone: Promise<void>;
  readonly env: Record<string, string>;
  readonly #log: ContainerLog;
  readonly #attached = new Set<Attached>();
  #resolve: (exit: ContainerExit) => void = () => {};
  #resolveGone: () => void = () => {};
  #killWhenStarted = false;
  #streams: Promise<unknown> = Promise.resolve();
  #stdin: PipeWriter | undefined;
  #terminal: TerminalStreams | undefined;
  /** Resolves when the first process has ended. */
  readonly #ending = Promise.withResolvers<void>();
  #logOpen = true;
  #pid = 0;
  #namespace: string | undefined;
  #group: ContainerGroup | undefined;
  /** Waiting parents of the processes that were started in it later. */
  readonly #entered = new Set<() => void>();
  #ended = false;

  constructor(
    readonly sandboxId: string,
    readonly spec: ContainerSpec,
    readonly hostname: string,
    readonly client: NamespaceClient,
    readonly maps: IdMaps,
    readonly logger: Logger,
    readonly joinsPid: number | undefined,
    readonly cgroups: Cgroups | undefined = undefined,
  ) {
    this.id = spec.id;
    this.env = { PATH: DEFAULT_PATH, HOSTNAME: hostname, HOME: spec.uid === 0 ? "/root" : "/", ...(spec.tty ? { TERM: "xterm" } : {}), ...spec.env };
    this.exited = new Promise((resolve) => (this.#resolve = resolve));
    this.gone = new Promise((resolve) => (this.#resolveGone = resolve));
    this.#log = new ContainerLog(spec.logPath);
  }

  get pid(): number {
    return this.#pid;
  }

  /** The namespace that its processes alone are in, while it runs: its pids, or where it shares those its mounts. */
  get namespace(): string | undefined {
    return this.#ended ? undefined : this.#namespace;
  }

  /** Whether other containers' processes are in its pid namespace. */
  get joined(): boolean {
    return this.joinsPid !== undefined;
  }

  get running(): boolean {
    return !this.#ended && this.#pid !== 0;
  }

  /** Of its control groups: files that take the number of a further process. */
  get procs(): string[] {
    return this.#group?.procs ?? [];
  }

  /** Uid and gid of its processes, as far as the machine has them. */
  get owner(): [uid: number, gid: number] {
    return canBecome(this.spec, this.maps) ? [this.spec.uid, this.spec.gid] : [0, 0];
  }

  /** Throws what the worker refused; then nothing runs and the log is closed. */
  async start(): Promise<void> {
    try {
      const pipes = this.spec.tty ? undefined : this.#pipes();
      const { uid, gid, argv, workingDir, mounts, readOnlyRoot } = this.spec;
      const started = await this.client
        .call("startContainer", {
          containerId: this.id,
          sandboxId: this.sandboxId,
          argv,
          env: this.env,
          workingDir,
          mounts,
          root: this.spec.root,
          joinsPid: this.joinsPid,
          readOnlyRoot,
          hostname: this.hostname,
          uid,
          gid,
          stdio: pipes?.child ?? "terminal",
          privileges: privilegeArguments(this.spec, this.maps),
          procs: this.#joinGroup(),
          owner: this.owner,
        })
        .finally(() => pipes?.childEnds.forEach(closeFd));
      if (started.state === "no-program") return this.#failToStart(started.message);
      if (started.terminalFd !== undefined) this.#takeTerminal(started.terminalFd);
      this.#pid = started.pid;
      this.#namespace = inodeOf(started.pid, this.joined ? "mnt" : "pid");
      if (this.#killWhenStarted) this.kill("SIGKILL");
    } catch (error) {
      this.#output("stderr", Buffer.from(`chainmail: ${errorText(error)}\n`));
      this.#ended = true;
      void this.#finish();
      throw error;
    }
  }

  kill(signal: NodeJS.Signals): void {
    if (this.#ended) return;
    if (!this.running) {
      // The worker is at it: what is to be killed must not slip through by starting later.
      this.#killWhenStarted = true;
      return;
    }
    try {
      process.kill(this.#pid, signal);
    } catch (error) {
      // Gone already: its exit is on the way.
      this.logger.debug("kill", { container: this.id, error: errorText(error) });
    }
  }

  reopenLog(): void {
    if (this.#logOpen) this.#log.reopen();
  }

  attach(): ExecProcess {
    return attachTo(this);
  }

  /** Remembers how to end a process that was started in it, until that has ended. */
  adopt(kill: () => void, ended: Promise<unknown>): void {
    this.#entered.add(kill);
    void ended.then(() => this.#entered.delete(kill));
  }

  /** Output from now on, until the returned function is called. */
  subscribe(attached: Attached): () => void {
    this.#attached.add(attached);
    return () => this.#attached.delete(attached);
  }

  /** To the program's standard input. Throws STDIN_CLOSED when the pod did not ask for one. */
  input(chunk: Uint8Array): void | Promise<void> {
    if (this.#terminal) return this.#terminal.write(chunk);
    if (this.#stdin === undefined) throw new ChainmailError("STDIN_CLOSED", `container ${this.id} has no standard input`);
    return this.#stdin.write(chunk);
  }

  endInput(): void {
    this.#stdin?.end();
    this.#stdin = undefined;
  }

  resize(columns: number, rows: number): void {
    this.#terminal?.resize(columns, rows);
  }

  /** The worker's word that the wrapper process has ended. */
  onExited(exit: ContainerExit): void {
    if (this.#ended) return;
    // The wrapper alone may have been killed: what it waited for must not go on unseen.
    if (this.joined) this.#killAll();
    else if (this.#namespace !== undefined && inodeOf(this.#pid) === this.#namespace) this.kill("SIGKILL");
    this.#ended = true;
    this.#ending.resolve();
    const outOfMemory = exit.exitCode !== 0 && this.#group?.outOfMemory() === true;
    void this.#finish().then(() => this.#resolve(outOfMemory ? { ...exit, outOfMemory } : exit));
  }

  /** What the kernel does where the first process of a pid namespace ends. */
  #killAll(): void {
    for (const kill of this.#entered) kill();
    if (this.#namespace === undefined) return;
    for (const pid of processesIn(new Set([this.#namespace]))) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        continue; // It ended by itself.
      }
    }
  }

  #joinGroup(): string[] {
    const { limits } = this.spec;
    if (limits && this.cgroups) this.#group = this.cgroups.create(this.id, limits);
    return this.procs;
  }

  #pipes(): ChildPipes {
    const pipes = childPipes(this.spec.stdin, this.owner);
    this.#streams = Promise.all([
      readPipe(pipes.stdout, (chunk) => this.#output("stdout", chunk)),
      readPipe(pipes.stderr, (chunk) => this.#output("stderr", chunk)),
    ]);
    if (pipes.stdin !== undefined) this.#stdin = new PipeWriter(pipes.stdin);
    return pipes;
  }

  #takeTerminal(fd: number): void {
    this.#terminal = new TerminalStreams(fd, this.#ending.promise);
    const { output } = this.#terminal;
    this.#streams = (async () => {
      for await (const chunk of output) this.#output("stdout", chunk);
    })();
  }

  #output(stream: LogStream, chunk: Uint8Array): void {
    // Only after the drain timed out: whoever still held the pipe was not in the container.
    if (!this.#logOpen) return;
    this.#log.write(stream, chunk);
    for (const attached of this.#attached) attached.onOutput(stream, chunk);
  }

  async #failToStart(message: string): Promise<void> {
    this.#output("stderr", Buffer.from(`${message}\n`));
    this.#ended = true;
    await this.#finish();
    this.#resolve({ exitCode: NOT_FOUND });
  }

  async #finish(): Promise<void> {
    try {
      await Promise.race([this.#streams, Bun.sleep(DRAIN_TIMEOUT_MS)]);
    } catch (error) {
      this.logger.warn("reading a container's output failed", { container: this.id, error: errorText(error) });
    }
    this.endInput();
    this.#logOpen = false;
    this.#log.close();
    for (const attached of this.#attached) attached.onExit();
    this.#attached.clear();
    this.#resolveGone();
    await this.#group?.remove();
  }
}
