import type { ContainerExit, ImageRoot, Mount, RootMode } from "../types.ts";

/** What the main thread may ask of the namespace worker; all values are plain data and cross by structured clone. */
export interface WorkerCalls {
  /** First, once: makes the node's network namespace. */
  init: { args: NodeSetup; result: { rootMode: RootMode } };
  createSandbox: { args: SandboxSetup; result: undefined };
  removeSandbox: { args: { id: string }; result: undefined };
  /** Deletes a removed sandbox's link if the kernel has not done so by then. */
  dropLink: { args: { link: string }; result: undefined };
  startContainer: { args: ContainerStart; result: ContainerStarted };
  /** A further process of a running container; `pid` is that of the process that waits for it. */
  enterContainer: { args: ProcessEnter; result: { pid: number; terminalFd: number | undefined } };
  /** A file system in memory over a folder of the tree's, and its end. */
  mountMemory: { args: { folder: string; bytes: number | undefined }; result: undefined };
  releaseMemory: { args: { folder: string }; result: undefined };
  /** nft commands, one transaction, in the node's network namespace. Gives back what nft prints. */
  nft: { args: { commands: string }; result: string };
  /** A listening descriptor; the asker owns it. */
  listen: { args: { where: Where; protocol: "tcp" | "udp"; host: string; port: number }; result: number };
  /** A non-blocking descriptor that is connecting; the asker owns it. */
  connect: { args: { where: Where; host: string; port: number }; result: number };
}

export type Where = "node" | { sandboxId: string };

/** Replies and events that the worker posts. */
export type WorkerMessage =
  | { kind: "reply"; call: number; result: unknown }
  | { kind: "failure"; call: number; error: { code: string; message: string; hint?: string } }
  | { kind: "exited"; processId: string; exit: ContainerExit };

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
  /** Another one, for the tools' root. */
  toolsPoint: string;
  /** A folder to try overlays in, on the file system where containers' changes will lie. */
  probeFolder: string;
  /** Instead of trying. */
  rootMode: RootMode | undefined;
  tools: ContainerTools;
  /** Folders that no container sees, even below a folder that is bound into it. */
  hiddenPaths: string[];
}

/** Absolute paths of the binaries that start containers; the same inside and outside. */
export interface ContainerTools {
  unshare: string;
  setpriv: string;
  nsenter: string;
  setsid: string;
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

/** Descriptors for 0, 1 and 2, which stay the asker's; or a new terminal of the container's, whose other end the asker gets. */
export type Stdio = { stdin: number | "ignore"; stdout: number; stderr: number } | "terminal";

/** What starting a container and a further process in one have in common. */
export interface ProcessStart {
  sandboxId: string;
  /** What the process becomes after the privileges are dropped. */
  argv: string[];
  env: Record<string, string>;
  root: ImageRoot | undefined;
  /** setpriv's arguments. */
  privileges: string[];
  /** Who the process is, as far as the machine can: uid and gid, for its terminal. */
  owner: [uid: number, gid: number];
  workingDir: string;
  stdio: Stdio;
  /** Of control groups: files that take the process' number before its program starts. */
  procs: string[];
}

export interface ContainerStart extends ProcessStart {
  containerId: string;
  /** A process whose pid namespace it joins. */
  joinsPid: number | undefined;
  mounts: Mount[];
  readOnlyRoot: boolean;
  hostname: string;
  uid: number;
  gid: number;
}

export interface ProcessEnter extends ProcessStart {
  /** Names it in events and in calls. */
  processId: string;
  /** A process of the container. */
  targetPid: number;
}

export type ContainerStarted =
  /** `pid` is the container's first process, `wrapperPid` the process that waits for it. */
  | { state: "running"; pid: number; wrapperPid: number; terminalFd: number | undefined }
  /** The program is not there; nothing was started. */
  | { state: "no-program"; message: string };
