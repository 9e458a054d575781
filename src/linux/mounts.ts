import { closeFd } from "./socket-options.ts";
import { check, cString, libc } from "./libc.ts";

export const MountFlag = { READ_ONLY: 1, NO_SUID: 2, NO_DEV: 4, NO_EXEC: 8 } as const;

const MS_BIND = 4096;
const MS_REC = 16384;
const MS_PRIVATE = 1 << 18;
const MNT_DETACH = 2;
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
/** By number: glibc has wrappers only since 2.36. All architectures share the numbers since 424. */
const SYS_OPEN_TREE = 428;
const SYS_MOVE_MOUNT = 429;
const SYS_MOUNT_SETATTR = 442;

/** Mounts a kernel filesystem such as tmpfs or devpts; `flags` from MountFlag. Throws SystemError. */
export function mountFilesystem(type: string, target: string, flags = 0, data = ""): void {
  check(libc().mount(cString(type), cString(target), cString(type), flags, data ? cString(data) : null), `mount ${type} on ${target}`);
}

/** A recursive bind: child mounts that the kernel has locked in a user namespace must come along. Throws SystemError. */
export function bindMount(source: string, target: string): void {
  check(libc().mount(cString(source), cString(target), null, MS_BIND | MS_REC, null), `bind ${source} on ${target}`);
}

/** No mount made here is seen outside, nor the other way. */
export function setPropagationPrivate(target: string): void {
  check(libc().mount(cString("none"), cString(target), null, MS_REC | MS_PRIVATE, null), `make ${target} private`);
}

export function unmountDetached(target: string): void {
  check(libc().umount2(cString(target), MNT_DETACH), `unmount ${target}`);
}

/**
 * A detached copy of what is at `source` (a folder with its child mounts, or a file), with `flags` from MountFlag set on
 * all of it. It can be attached after pivot_root, when `source` can no longer be named. Close it or hand it to moveTree.
 */
export function cloneTree(source: string, flags = 0): number {
  return clone(AT_FDCWD, source, 0, flags, source);
}

/** As cloneTree, of what an open descriptor names. */
export function cloneTreeOf(sourceFd: number, flags = 0, what = "a descriptor"): number {
  return clone(sourceFd, "", AT_EMPTY_PATH, flags, what);
}

function clone(directory: number, source: string, atFlags: number, flags: number, what: string): number {
  const path = cString(source);
  const fd = check(
    Number(libc().syscall(SYS_OPEN_TREE, directory, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | atFlags, null, 0, 0)),
    `open_tree ${what}`,
  );
  try {
    if (flags !== 0) setAttributes(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, flags, what);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  return fd;
}

/** Attaches a detached tree at `target`, following links as the calling thread's root resolves them, and closes it. */
export function moveTree(fd: number, target: string): void {
  try {
    const result = libc().syscall(SYS_MOVE_MOUNT, fd, cString(""), AT_FDCWD, cString(target), MOVE_MOUNT_F_EMPTY_PATH, 0);
    check(Number(result), `move_mount to ${target}`);
  } finally {
    closeFd(fd);
  }
}

/** Makes the mount at `target` read-only, and with `recursive` those below it. Throws SystemError. */
export function makeReadOnly(target: string, recursive = false): void {
  setAttributes(AT_FDCWD, target, recursive ? AT_RECURSIVE : 0, MountFlag.READ_ONLY, target);
}

/** Makes `root` (a mount point) the thread's root and drops the old one. Needs an own fs (NamespaceFlag.FS). */
export function pivotRoot(root: string): void {
  const c = libc();
  const dot = cString(".");
  check(c.chdir(cString(root)), `chdir ${root}`);
  // pivot_root(".", ".") stacks the old root on the new one, so no folder for it is needed: pivot_root(2), NOTES.
  check(c.pivot_root(dot, dot), `pivot_root ${root}`);
  check(c.umount2(dot, MNT_DETACH), "unmount the old root");
  check(c.chdir(cString("/")), "chdir /");
}

/**
 * As pivotRoot, but the old root stays, at `oldAt`, a folder below `root`. Every process of the mount namespace whose root
 * was the old one finds itself in the new one: pivot_root(2).
 */
export function pivotRootKeeping(root: string, oldAt: string): void {
  const c = libc();
  check(c.pivot_root(cString(root), cString(oldAt)), `pivot_root ${root} ${oldAt}`);
  check(c.chdir(cString("/")), "chdir /");
}

function setAttributes(directory: number, path: string, atFlags: number, attributes: number, what: string): void {
  // struct mount_attr {u64 attr_set, attr_clr, propagation, userns_fd}
  const attr = new BigUint64Array([BigInt(attributes), 0n, 0n, 0n]);
  const result = libc().syscall(SYS_MOUNT_SETATTR, directory, cString(path), atFlags, attr, attr.byteLength, 0);
  check(Number(result), `mount_setattr ${what}`);
}
