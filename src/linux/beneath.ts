import { ptr, type Pointer } from "bun:ffi";
import { chmodSync } from "node:fs";
import { dirname, basename } from "node:path";
import { Errno, SystemError } from "./errno.ts";
import { check, cString, lastErrno, libc, O_CLOEXEC, O_NONBLOCK } from "./libc.ts";
import { closeFd } from "./socket-options.ts";

const O_PATH = 0o10000000;
const O_DIRECTORY = process.arch === "arm64" ? 0o40000 : 0o200000;
const O_NOFOLLOW = process.arch === "arm64" ? 0o100000 : 0o400000;
const SYS_OPENAT2 = 437;
const RESOLVE_NO_MAGICLINKS = 2;
const RESOLVE_BENEATH = 8;
/** The call takes a length where the shape declared for calls by number has a pointer. */
const SIZE_OF_HOW = 24 as Pointer;

/** A descriptor that names a folder, for the calls below. Throws SystemError. */
export function openFolder(path: string): number {
  return check(libc().open(cString(path), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK, 0), `open ${path}`);
}

/**
 * A descriptor that names what `path` is below the folder. The kernel itself sees to it that no link leads out, however
 * quickly somebody swaps folders and links. Without `followLinks` a link at the end is what the descriptor names. Throws SystemError: EXDEV for what leads out, ENOENT.
 */
export function openBeneath(folderFd: number, path: string, options: { followLinks?: boolean } = {}): number {
  // struct open_how {u64 flags, mode, resolve}
  const how = new BigUint64Array([
    BigInt(O_PATH | O_CLOEXEC | (options.followLinks === false ? O_NOFOLLOW : 0)),
    0n,
    BigInt(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS),
  ]);
  const name = cString(path);
  const fd = Number(libc().syscall(SYS_OPENAT2, folderFd, name, ptr(how), SIZE_OF_HOW, 0, 0));
  return check(fd, `open ${path}`);
}

/** Makes the folder `path` below the open one, and those on the way to it; what is there stays. Throws as openBeneath. */
export function makeFolderBeneath(folderFd: number, path: string, mode: number): void {
  try {
    closeFd(openBeneath(folderFd, path));
    return;
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== Errno.ENOENT) throw error;
  }
  const around = dirname(path);
  if (around !== ".") makeFolderBeneath(folderFd, around, mode);
  const parent = openBeneath(folderFd, around);
  try {
    if (libc().mkdirat(parent, cString(basename(path)), mode) < 0) {
      const errno = lastErrno();
      if (errno !== Errno.EEXIST) throw new SystemError(errno, `make folder ${path}`);
    }
  } finally {
    closeFd(parent);
  }
  // Not there: a link that leads nowhere is in the way.
  const made = openBeneath(folderFd, path);
  try {
    // Whatever the user's file mask.
    chmodSync(`/proc/self/fd/${made}`, mode);
  } finally {
    closeFd(made);
  }
}
