import type { Duplex } from "node:stream";
import type { ContainerLimits } from "../cgroups/index.ts";

/**
 * The contract between the node agent and the machine: what a container runtime's CRI is to a kubelet.
 * The node agent decides what should run; the runtime knows namespaces, mounts, addresses and processes.
 */

/** Makes and removes pods' sandboxes and runs processes in them. One owner: the cluster process. */
export interface ContainerRuntime {
  /** Network namespace with an address and a route, uts, ipc. Each container gets a pid namespace of its own, as in Kubernetes. */
  createSandbox(spec: SandboxSpec): Promise<Sandbox>;
  /** Kills what still runs in it and frees the address, veth and mounts. Idempotent. */
  removeSandbox(sandboxId: string): Promise<void>;
  startContainer(sandboxId: string, spec: ContainerSpec): Promise<RunningContainer>;
  /** A process in a running container: same root, uid, no capabilities, no-new-privs. */
  exec(containerId: string, spec: ExecSpec): Promise<ExecProcess>;
  /** Makes the empty folder a file system in memory, of at most that many bytes. `releaseMemory` gives it back. */
  mountMemory(folder: string, bytes: number | undefined): Promise<void>;
  releaseMemory(folder: string): Promise<void>;
  /** A connection from the pod's own loopback (port-forward) — `sandboxId` — or from the node to pods and services. */
  dial(from: { sandboxId: string } | "node", host: string, port: number): Promise<Duplex>;
  /** All processes of a running container, or of all those of a sandbox: CPU seconds and proportional memory, for `top` and benchmarks. */
  usage(id: string): Promise<{ cpuSeconds: number; memoryBytes: number }>;
  /** Whether containers are held to limits of that. */
  enforces?(what: "memory" | "cpu"): boolean;
}

export interface SandboxSpec {
  /** The pod's uid; names namespaces and folders. */
  id: string;
  hostname: string;
  /** hostNetwork pods share the node's namespace. */
  hostNetwork: boolean;
  /** One pid namespace for all containers, instead of one each. */
  sharedPids?: boolean;
  sysctls?: Record<string, string>;
}

export interface Sandbox {
  id: string;
  ip: string;
}

/** A bind mount into the container's root. */
export interface Mount {
  hostPath: string;
  /** What is shown of the folder at `hostPath`, which other containers may write to: no link in there leads out of it. */
  subPath?: string;
  containerPath: string;
  readOnly: boolean;
}

/** A root of an image's own files. */
export interface ImageRoot {
  /** The image's files, which several containers share. */
  folder: string;
  /** A folder of this container's alone, made by the asker, for what it changes; the asker deletes it. */
  writable: string;
}

/** Where containers' changes to an image's root go: a layer on the disk, one in memory, or a copy of the whole. */
export type RootMode = "disk" | "memory" | "copy";

export interface ContainerSpec {
  /** Unique for each start: `<pod uid>/<container name>/<attempt>`. */
  id: string;
  argv: string[];
  env: Record<string, string>;
  workingDir: string;
  mounts: Mount[];
  /** Id of a running container of the sandbox whose pid namespace it joins. */
  joins?: string;
  /** Without it the root is made of the machine's own programs. */
  root?: ImageRoot;
  /** Mapped where the machine can (root); in a rootless user namespace every uid runs as the one mapped. */
  uid: number;
  gid: number;
  /** Further groups, where the machine can give them. */
  groups?: number[];
  readOnlyRoot: boolean;
  /** Only "NET_ADMIN" can be given, and only to the proxy image of our own catalogue; the pod's namespace bounds it. */
  capabilities: "none" | "NET_ADMIN";
  /** What it may use at most; kept where the machine can (`enforces`). */
  limits?: ContainerLimits;
  tty: boolean;
  stdin: boolean;
  /** Standard input ends with the first attach; else it stays open for the next. */
  stdinOnce?: boolean;
  /** A file that receives both streams as CRI log lines: `<RFC3339Nano> stdout F <line>`. */
  logPath: string;
}

export interface RunningContainer {
  id: string;
  /** As the cluster's pid namespace numbers it. */
  pid: number;
  /** Resolves once, when the process has ended and its output is in the log. */
  exited: Promise<ContainerExit>;
  kill(signal: NodeJS.Signals): void;
  /** Called after the node agent has renamed the file at `logPath` (rotation): further lines go to a new file there. */
  reopenLog?(): void;
  /** Joins the container's own streams (`kubectl attach`, `run -it`): output from now on; `kill` only detaches. */
  attach?(): ExecProcess;
}

export interface ContainerExit {
  /** 128+signal for a signal. */
  exitCode: number;
  /** Such as "SIGKILL". */
  signal?: string;
  /** The kernel ended processes of it: they wanted more memory than the container may have. */
  outOfMemory?: boolean;
}

export interface ExecSpec {
  argv: string[];
  tty: boolean;
  stdin: boolean;
  env?: Record<string, string>;
}

export interface ExecProcess {
  /** `write` gives a promise where the program is behind: more is welcome when it resolves. */
  stdin?: { write(chunk: Uint8Array): void | Promise<void>; end(): void };
  stdout: ReadableStream<Uint8Array>;
  /** Absent with a tty: the terminal has one stream. */
  stderr?: ReadableStream<Uint8Array>;
  resize(columns: number, rows: number): void;
  exited: Promise<ContainerExit>;
  kill(): void;
}
