import type { Logger } from "../../base/index.ts";
import { ChainmailError, errorText } from "../../base/index.ts";
import { changeOwner, closeFd, createPipe } from "../../linux/index.ts";
import { ContainerLog, type LogStream } from "./container-log.ts";
import { attachTo } from "./attach.ts";
import type { NamespaceClient } from "./namespace-client.ts";
import { PipeWriter, readPipe } from "./pipes.ts";
import { canBecome, privilegeArguments, type IdMaps } from "./privileges.ts";
import { inodeOf } from "./processes.ts";
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
  #logOpen = true;
  #pid = 0;
  #pidNamespace: string | undefined;
  #ended = false;

  constructor(
    readonly sandboxId: string,
    readonly spec: ContainerSpec,
    hostname: string,
    readonly client: NamespaceClient,
    readonly maps: IdMaps,
    readonly logger: Logger,
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

  /** `pid:[…]` of the container's own pid namespace, while it runs. */
  get pidNamespace(): string | undefined {
    return this.#ended ? undefined : this.#pidNamespace;
  }

  get running(): boolean {
    return !this.#ended && this.#pid !== 0;
  }

  /** Throws what the worker refused; then nothing runs and the log is closed. */
  async start(): Promise<void> {
    try {
      const childEnds: number[] = [];
      const stdio = this.spec.tty ? "terminal" : this.#pipes(childEnds);
      const { uid, gid, argv, workingDir, mounts, readOnlyRoot } = this.spec;
      const started = await this.client
        .call("startContainer", {
          containerId: this.id,
          sandboxId: this.sandboxId,
          argv,
          env: this.env,
          workingDir,
          mounts,
          readOnlyRoot,
          uid,
          gid,
          stdio,
          privileges: privilegeArguments(this.spec, this.maps),
        })
        .finally(() => childEnds.forEach(closeFd));
      if (started.state === "no-program") return this.#failToStart(started.message);
      this.#pid = started.pid;
      this.#pidNamespace = inodeOf(started.pid);
      if (this.#killWhenStarted) this.kill("SIGKILL");
    } catch (error) {
      this.#output("stderr", Buffer.from(`chainmail: ${errorText(error)}\n`));
      this.#ended = true;
      void this.#finish();
      throw error;
    }
  }

  kill(signal: "SIGTERM" | "SIGKILL"): void {
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

  /** Output from now on, until the returned function is called. */
  subscribe(attached: Attached): () => void {
    this.#attached.add(attached);
    return () => this.#attached.delete(attached);
  }

  /** To the program's standard input. Throws STDIN_CLOSED when the pod did not ask for one. */
  input(chunk: Uint8Array): void {
    if (this.spec.tty) void this.client.call("terminal", { containerId: this.id, input: chunk });
    else if (this.#stdin === undefined) throw new ChainmailError("STDIN_CLOSED", `container ${this.id} has no standard input`);
    else this.#stdin.write(chunk);
  }

  endInput(): void {
    this.#stdin?.end();
    this.#stdin = undefined;
  }

  resize(columns: number, rows: number): void {
    if (this.spec.tty) void this.client.call("terminal", { containerId: this.id, size: { columns, rows } });
  }

  /** The worker's word that the wrapper process has ended. */
  onExited(exit: ContainerExit): void {
    if (this.#ended) return;
    // The wrapper alone may have been killed: what it waited for must not go on unseen.
    if (this.#pidNamespace !== undefined && inodeOf(this.#pid) === this.#pidNamespace) this.kill("SIGKILL");
    this.#ended = true;
    void this.#finish().then(() => this.#resolve(exit));
  }

  onTerminalOutput(chunk: Uint8Array): void {
    this.#output("stdout", chunk);
  }

  #pipes(childEnds: number[]): { stdin: number | "ignore"; stdout: number; stderr: number } {
    const stdout = createPipe();
    const stderr = createPipe();
    childEnds.push(stdout.writeFd, stderr.writeFd);
    // Programs that open /dev/stdout anew need to own what is behind it.
    if (canBecome(this.spec, this.maps)) for (const fd of childEnds) changeOwner(fd, this.spec.uid, this.spec.gid);
    this.#streams = Promise.all([
      readPipe(stdout.readFd, (chunk) => this.#output("stdout", chunk)),
      readPipe(stderr.readFd, (chunk) => this.#output("stderr", chunk)),
    ]);
    if (!this.spec.stdin) return { stdin: "ignore", stdout: stdout.writeFd, stderr: stderr.writeFd };
    const stdin = createPipe();
    childEnds.push(stdin.readFd);
    this.#stdin = new PipeWriter(stdin.writeFd);
    return { stdin: stdin.readFd, stdout: stdout.writeFd, stderr: stderr.writeFd };
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
  }
}
