import type { ContainerExit, Mount } from "../types.ts";

/** What the main thread may ask of the namespace worker; all values are plain data and cross by structured clone. */
export interface WorkerCalls {
  /** First, once: makes the node's network namespace. */
  init: { args: NodeSetup; result: undefined };
  createSandbox: { args: SandboxSetup; result: undefined };
  removeSandbox: { args: { id: string }; result: undefined };
  /** Deletes a removed sandbox's link if the kernel has not done so by then. */
  dropLink: { args: { link: string }; result: undefined };
  startContainer: { args: ContainerStart; result: ContainerStarted };
  /** nft commands, one transaction, in the node's network namespace. Gives back what nft prints. */
  nft: { args: { commands: string }; result: string };
  /** A listening descriptor; the asker owns it. */
  listen: { args: { where: Where; protocol: "tcp" | "udp"; host: string; port: number }; result: number };
  /** A non-blocking descriptor that is connecting; the asker owns it. */
  connect: { args: { where: Where; host: string; port: number }; result: number };
  /** Type ahead into a container's terminal, or its new size. */
  terminal: { args: { containerId: string; input?: Uint8Array; size?: { columns: number; rows: number } }; result: undefined };
}

export type Where = "node" | { sandboxId: string };

/** Replies and events that the worker posts. */
export type WorkerMessage =
  | { kind: "reply"; call: number; result: unknown }
  | { kind: "failure"; call: number; error: { code: string; message: string; hint?: string } }
  | { kind: "exited"; containerId: string; exit: ContainerExit }
  | { kind: "output"; containerId: string; chunk: Uint8Array };

export interface NodeSetup {
  /** The node's own address, which its traffic to pods and services comes from. */
  nodeIp: string;
  serviceCidr: { ip: string; prefixLength: number };
  /** Service addresses that the cluster process itself serves. */
  localAddresses: string[];
  /** nft commands that make the node's tables. */
  rules: string;
  /** An empty folder on which containers' roots are built, each in a mount namespace of its own. */
  mountPoint: string;
  tools: ContainerTools;
  /** Folders that no container sees, even below a folder that is bound into it. */
  hiddenPaths: string[];
}

/** Absolute paths of the binaries that start containers; the same inside and outside. */
export interface ContainerTools {
  unshare: string;
  setpriv: string;
  nsenter: string;
  env: string;
  sh: string;
}

export interface SandboxSetup {
  id: string;
  hostname: string;
  hostNetwork: boolean;
  ip: string;
  /** The node's end of the veth pair. */
  link: string;
  mac: string;
  nodeIp: string;
  sysctls: Record<string, string>;
  /** nft commands run in the node's namespace when the link stands, and when it is gone. */
  addRules: string;
  removeRules: string;
}

export interface ContainerStart {
  containerId: string;
  sandboxId: string;
  /** What PID 1 becomes after the privileges are dropped. */
  argv: string[];
  env: Record<string, string>;
  /** setpriv's arguments. */
  privileges: string[];
  workingDir: string;
  mounts: Mount[];
  readOnlyRoot: boolean;
  uid: number;
  gid: number;
  /** Descriptors for 0, 1 and 2, which stay the asker's; or a terminal of the worker's own. */
  stdio: { stdin: number | "ignore"; stdout: number; stderr: number } | "terminal";
}

export type ContainerStarted =
  /** `pid` is the container's first process, `wrapperPid` the process that waits for it. */
  | { state: "running"; pid: number; wrapperPid: number }
  /** The program is not there; nothing was started. */
  | { state: "no-program"; message: string };
