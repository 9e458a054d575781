import { appendFileSync } from "node:fs";
import { basename } from "node:path";
import { Duplex } from "node:stream";
import type { ContainerExit, ContainerRuntime, ContainerSpec, ExecProcess, ExecSpec, RunningContainer, Sandbox, SandboxSpec } from "../../runtime/types.ts";

/** One container that the fake "runs": tests end it, and look at what it was told. */
export interface FakeContainer {
  spec: ContainerSpec;
  signals: string[];
  running: boolean;
  /** Ends the process, perhaps for want of memory. */
  exit(code: number, outOfMemory?: boolean): void;
}

/** A runtime without processes. Everything that happens is in `calls`, in order. */
export class FakeRuntime implements ContainerRuntime {
  readonly calls: string[] = [];
  /** What containers are held to limits of. */
  enforced: string[] = [];
  readonly sandboxes = new Map<string, SandboxSpec>();
  readonly containers: FakeContainer[] = [];
  /** Whether SIGTERM ends a container at once. */
  endsOnTerm = true;
  onStart: (spec: ContainerSpec) => void = () => {};
  onExec: (containerId: string, spec: ExecSpec) => number | Promise<number> = () => 0;
  /** What listens on a pod's ports; absent means refused. */
  onDial: (host: string, port: number) => Duplex | undefined = () => undefined;
  #addresses = 1;

  enforces(what: string): boolean {
    return this.enforced.includes(what);
  }

  async createSandbox(spec: SandboxSpec): Promise<Sandbox> {
    this.calls.push(`sandbox ${spec.id}`);
    this.sandboxes.set(spec.id, spec);
    return { id: spec.id, ip: `10.244.0.${++this.#addresses}` };
  }

  async removeSandbox(id: string): Promise<void> {
    this.calls.push(`remove ${id}`);
    this.sandboxes.delete(id);
    for (const container of this.containers) if (container.spec.id.startsWith(`${id}/`)) container.exit(137);
  }

  async startContainer(_sandboxId: string, spec: ContainerSpec): Promise<RunningContainer> {
    this.onStart(spec);
    const name = nameOf(spec.id);
    this.calls.push(`start ${name}`);
    let ended: (result: ContainerExit) => void = () => {};
    const exited = new Promise<ContainerExit>((resolve) => (ended = resolve));
    const container: FakeContainer = {
      spec,
      signals: [],
      running: true,
      exit: (exitCode, outOfMemory = false) => {
        if (!container.running) return;
        container.running = false;
        this.calls.push(`exit ${name} ${exitCode}`);
        ended({ exitCode, ...(outOfMemory ? { outOfMemory } : {}) });
      },
    };
    this.containers.push(container);
    return {
      id: spec.id,
      pid: 1000 + this.containers.length,
      exited,
      kill: (signal) => {
        if (!container.running) return;
        container.signals.push(signal);
        this.calls.push(`${signal} ${name}`);
        if (signal === "SIGKILL") container.exit(137);
        else if (this.endsOnTerm) container.exit(143);
      },
    };
  }

  async exec(containerId: string, spec: ExecSpec): Promise<ExecProcess> {
    this.calls.push(`exec ${nameOf(containerId)} ${spec.argv.join(" ")}`);
    const empty = () => new ReadableStream<Uint8Array>({ start: (c) => c.close() });
    const exited = Promise.resolve(this.onExec(containerId, spec)).then((exitCode) => ({ exitCode }));
    return { stdout: empty(), stderr: empty(), resize() {}, exited, kill() {} };
  }

  async mountMemory(folder: string, bytes: number | undefined): Promise<void> {
    this.calls.push(`memory ${basename(folder)} ${bytes}`);
  }

  async releaseMemory(folder: string): Promise<void> {
    this.calls.push(`release ${basename(folder)}`);
  }

  async dial(_from: { sandboxId: string } | "node", host: string, port: number): Promise<Duplex> {
    const connection = this.onDial(host, port);
    if (!connection) throw Object.assign(new Error(`connect ECONNREFUSED ${host}:${port}`), { code: "ECONNREFUSED" });
    return connection;
  }

  async usage(): Promise<{ cpuSeconds: number; memoryBytes: number }> {
    return { cpuSeconds: 0, memoryBytes: 0 };
  }

  /** The running container of that name. */
  container(name: string): FakeContainer {
    const found = this.containers.findLast((c) => nameOf(c.spec.id) === name);
    if (!found) throw new Error(`container ${name} was never started; calls: ${this.calls.join(", ")}`);
    return found;
  }

  log(name: string, line: string, time: number): void {
    appendFileSync(this.container(name).spec.logPath, `${new Date(time).toISOString().replace("Z", "000000Z")} stdout F ${line}\n`);
  }
}

/** A peer that answers each request with a status line, as a health page does. */
export function httpPeer(status: () => number, onRequest: (text: string) => void = () => {}): Duplex {
  return new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      onRequest(chunk.toString());
      this.push(`HTTP/1.1 ${status()} X\r\nContent-Length: 0\r\n\r\n`);
      done();
    },
  });
}

function nameOf(id: string): string {
  return id.split("/")[1] ?? id;
}
