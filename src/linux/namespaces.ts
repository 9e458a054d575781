import { readlinkSync } from "node:fs";
import { check, cString, libc, O_CLOEXEC, O_RDONLY } from "./libc.ts";

export type NamespaceKind = "net" | "mnt" | "uts" | "ipc" | "pid" | "user";

/** CLONE_ flags of unshare and setns. NEWPID and NEWUSER are left out: on a Bun thread they abort or fail. */
export const NamespaceFlag = {
  /** An own root and working directory for this thread: needed before it may hop between mount namespaces. */
  FS: 0x200,
  MOUNT: 0x20000,
  UTS: 0x4000000,
  IPC: 0x8000000,
  NET: 0x40000000,
} as const;

const SYS_KEYCTL = process.arch === "arm64" ? 219 : 250;
const KEYCTL_JOIN_SESSION_KEYRING = 1;

/**
 * Moves the calling thread, and only it, into new namespaces. Threads and processes that it starts later follow it.
 * Throws SystemError: EPERM without CAP_SYS_ADMIN, ENOSPC at user.max_*_namespaces.
 */
export function unshareThread(flags: number): void {
  check(libc().unshare(flags), "unshare");
}

/** Moves the calling thread into the namespace behind `fd`. Throws SystemError. */
export function enterNamespace(fd: number, flag: number): void {
  check(libc().setns(fd, flag), "setns");
}

/** A descriptor that keeps the namespace alive: of `pid`, or of the calling thread. Throws SystemError. */
export function openNamespace(kind: NamespaceKind, pid: number | "self" = "self"): number {
  const path = pathOf(kind, pid);
  return check(libc().open(cString(path), O_RDONLY | O_CLOEXEC, 0), `open ${path}`);
}

/** `pid:[4026531836]`: equal for processes in the same namespace. Throws ENOENT when the process is gone. */
export function namespaceInode(kind: NamespaceKind, pid: number | "self" = "self"): string {
  return readlinkSync(pathOf(kind, pid));
}

/** Sets the host name of the calling thread's uts namespace. */
export function setHostname(name: string): void {
  const bytes = Buffer.from(name);
  check(libc().sethostname(bytes, bytes.length), `sethostname ${name}`);
}

/** Permission bits taken from files that this thread makes; threads that share its root (NamespaceFlag.FS) share this too. */
export function setFileMask(mask: number): void {
  libc().umask(mask);
}

/**
 * Gives the calling thread, and what it starts, an empty session keyring: the login's may hold a user's keys. A kernel
 * without keyrings has nothing to leave.
 */
export function leaveSessionKeyring(): void {
  libc().syscall(SYS_KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, null, 0, null, 0, 0);
}

function pathOf(kind: NamespaceKind, pid: number | "self"): string {
  // thread-self, not self: "self" is the process's main thread, which never leaves the host's namespaces.
  return pid === "self" ? `/proc/thread-self/ns/${kind}` : `/proc/${pid}/ns/${kind}`;
}
