import { closeFd, enterNamespace, leaveSessionKeyring, NamespaceFlag, openNamespace, setFileMask, unshareThread } from "../../../linux/index.ts";
import { ChainmailError } from "../../../base/index.ts";
import type { Where } from "./protocol.ts";

/** Open descriptors, which keep the namespaces alive while no process is in them. */
export interface SandboxNamespaces {
  net: number;
  uts: number;
  ipc: number;
}

/**
 * Where this thread is and where it may go. It rests in the node's network namespace and the tree's own other
 * namespaces; every hop is undone before control returns to the event loop.
 */
export class Namespaces {
  readonly #home: SandboxNamespaces & { mnt: number };
  readonly #sandboxes = new Map<string, SandboxNamespaces>();

  /** Moves the calling thread into a new network namespace: the node's. Only the worker thread may do this. */
  constructor() {
    leaveSessionKeyring();
    // An own root, and with it an own file mask: containers start with the usual one, whatever the user's shell has.
    unshareThread(NamespaceFlag.FS | NamespaceFlag.NET);
    setFileMask(0o022);
    this.#home = { net: openNamespace("net"), uts: openNamespace("uts"), ipc: openNamespace("ipc"), mnt: openNamespace("mnt") };
  }

  /** Makes a sandbox's namespaces, runs `inside` in them and comes back. */
  create(id: string, hostNetwork: boolean, inside: () => void): SandboxNamespaces {
    if (this.#sandboxes.has(id)) throw new ChainmailError("SANDBOX_EXISTS", `sandbox ${id} exists already`);
    try {
      unshareThread(NamespaceFlag.UTS | NamespaceFlag.IPC | (hostNetwork ? 0 : NamespaceFlag.NET));
      const made = { net: openNamespace("net"), uts: openNamespace("uts"), ipc: openNamespace("ipc") };
      this.#sandboxes.set(id, made);
      inside();
      return made;
    } catch (error) {
      this.forget(id);
      throw error;
    } finally {
      this.#goHome();
    }
  }

  has(id: string): boolean {
    return this.#sandboxes.has(id);
  }

  /** Lets go of a sandbox's namespaces; they end with the last process in them. */
  forget(id: string): void {
    const sandbox = this.#sandboxes.get(id);
    if (!sandbox) return;
    this.#sandboxes.delete(id);
    for (const fd of [sandbox.net, sandbox.uts, sandbox.ipc]) closeFd(fd);
  }

  /** Runs `work` with the sandbox's (or the node's) network namespace. */
  inNetwork<T>(where: Where, work: () => T): T {
    if (where === "node") return work();
    const { net } = this.#get(where.sandboxId);
    try {
      enterNamespace(net, NamespaceFlag.NET);
      return work();
    } finally {
      enterNamespace(this.#home.net, NamespaceFlag.NET);
    }
  }

  /** Runs `work` in all of the sandbox's namespaces and a new mount namespace that is a copy of the tree's. */
  inSandbox<T>(id: string, work: () => T): T {
    const sandbox = this.#get(id);
    try {
      unshareThread(NamespaceFlag.MOUNT);
      enterNamespace(sandbox.net, NamespaceFlag.NET);
      enterNamespace(sandbox.uts, NamespaceFlag.UTS);
      enterNamespace(sandbox.ipc, NamespaceFlag.IPC);
      return work();
    } finally {
      this.#goHome();
      this.#mountsHome();
    }
  }

  /** Runs `work` in all of the sandbox's namespaces and the mount namespace of `pid`, a process of a container. */
  inContainer<T>(id: string, pid: number, work: () => T): T {
    const sandbox = this.#get(id);
    try {
      enterNamespace(sandbox.net, NamespaceFlag.NET);
      enterNamespace(sandbox.uts, NamespaceFlag.UTS);
      enterNamespace(sandbox.ipc, NamespaceFlag.IPC);
      return this.inMountsOf(pid, work);
    } finally {
      this.#goHome();
    }
  }

  /** Runs `work` in a mount namespace that is a copy of the tree's, and forgets what it mounted. */
  inOwnMounts<T>(work: () => T): T {
    try {
      unshareThread(NamespaceFlag.MOUNT);
      return work();
    } finally {
      this.#mountsHome();
    }
  }

  /** Runs `work` in the mount namespace of a process. */
  inMountsOf<T>(pid: number, work: () => T): T {
    const fd = openNamespace("mnt", pid);
    try {
      return this.inMounts(fd, work);
    } finally {
      closeFd(fd);
    }
  }

  /** Runs `work` in the mount namespace behind the descriptor. */
  inMounts<T>(fd: number, work: () => T): T {
    try {
      enterMounts(fd);
      return work();
    } finally {
      this.#mountsHome();
    }
  }

  #get(id: string): SandboxNamespaces {
    const sandbox = this.#sandboxes.get(id);
    if (!sandbox) throw new ChainmailError("SANDBOX_NOT_FOUND", `there is no sandbox ${id}`);
    return sandbox;
  }

  #goHome(): void {
    enterNamespace(this.#home.net, NamespaceFlag.NET);
    enterNamespace(this.#home.uts, NamespaceFlag.UTS);
    enterNamespace(this.#home.ipc, NamespaceFlag.IPC);
  }

  #mountsHome(): void {
    enterMounts(this.#home.mnt);
  }
}

/** Refused with EINVAL while another thread shares this one's root: one that the JavaScript engine has started since. */
function enterMounts(fd: number): void {
  unshareThread(NamespaceFlag.FS);
  enterNamespace(fd, NamespaceFlag.MOUNT);
}
