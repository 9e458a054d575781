import { dlopen, FFIType, read } from "bun:ffi";
import { ChainmailError } from "../base/index.ts";
import { SystemError } from "./errno.ts";

const DECLARATIONS = {
  __errno_location: { returns: "ptr", args: [] },
  open: { returns: "int", args: ["ptr", "int", "int"] },
  close: { returns: "int", args: ["int"] },
  read: { returns: FFIType.i64_fast, args: ["int", "ptr", "u64"] },
  write: { returns: FFIType.i64_fast, args: ["int", "ptr", "u64"] },
  pipe2: { returns: "int", args: ["ptr", "int"] },
  fchown: { returns: "int", args: ["int", "u32", "u32"] },
  memfd_create: { returns: "int", args: ["ptr", "u32"] },
  fcntl: { returns: "int", args: ["int", "int", "int"] },
  flock: { returns: "int", args: ["int", "int"] },
  ioctl: { returns: "int", args: ["int", "u64", "ptr"] },
  poll: { returns: "int", args: ["ptr", "u64", "int"] },
  socket: { returns: "int", args: ["int", "int", "int"] },
  setsockopt: { returns: "int", args: ["int", "int", "int", "ptr", "u32"] },
  getsockopt: { returns: "int", args: ["int", "int", "int", "ptr", "ptr"] },
  bind: { returns: "int", args: ["int", "ptr", "u32"] },
  listen: { returns: "int", args: ["int", "int"] },
  connect: { returns: "int", args: ["int", "ptr", "u32"] },
  shutdown: { returns: "int", args: ["int", "int"] },
  send: { returns: FFIType.i64_fast, args: ["int", "ptr", "u64", "int"] },
  recv: { returns: FFIType.i64_fast, args: ["int", "ptr", "u64", "int"] },
  if_nametoindex: { returns: "u32", args: ["ptr"] },
  setns: { returns: "int", args: ["int", "int"] },
  unshare: { returns: "int", args: ["int"] },
  sethostname: { returns: "int", args: ["ptr", "u64"] },
  umask: { returns: "u32", args: ["u32"] },
  chdir: { returns: "int", args: ["ptr"] },
  prctl: { returns: "int", args: ["int", "u64", "ptr", "u64", "u64"] },
  mkdirat: { returns: "int", args: ["int", "ptr", "u32"] },
  mount: { returns: "int", args: ["ptr", "ptr", "ptr", "u64", "ptr"] },
  umount2: { returns: "int", args: ["ptr", "int"] },
  pivot_root: { returns: "int", args: ["ptr", "ptr"] },
  /** Shaped for open_tree, move_mount, mount_setattr, openat2 and keyctl, the only calls made by number. */
  syscall: { returns: FFIType.i64_fast, args: ["i64", "i64", "ptr", "i64", "ptr", "i64", "i64"] },
} as const;

const open = () => dlopen("libc.so.6", DECLARATIONS).symbols;
type Libc = ReturnType<typeof open>;
let loaded: Libc | undefined;

/** The C library's functions, loaded at the first call. */
export function libc(): Libc {
  if (loaded) return loaded;
  try {
    loaded = open();
  } catch (cause) {
    throw new ChainmailError("LIBC_MISSING", "cannot load libc.so.6: Chainmail's machine side needs glibc on Linux", {
      cause,
      hint: "run on a glibc distribution (Debian, Ubuntu, Fedora, …); Alpine's musl is not supported",
    });
  }
  return loaded;
}

/** errno of this thread: read it directly after the failed call, before any other. */
export function lastErrno(): number {
  return read.i32(libc().__errno_location() ?? 0, 0);
}

/** Passes a call's result through, or throws the SystemError of a negative one. */
export function check(result: number, operation: string): number {
  if (result < 0) throw new SystemError(lastErrno(), operation);
  return result;
}

/** A NUL-terminated copy; refuses an inner NUL, which would silently cut a path short. */
export function cString(text: string): Uint8Array {
  if (text.includes("\0")) throw new ChainmailError("INVALID_STRING", "a NUL byte in a string for the kernel");
  return Buffer.from(`${text}\0`);
}

/** Flags whose values are the same on x86-64 and arm64. */
export const O_RDONLY = 0;
export const O_CLOEXEC = 0o2000000;
export const O_NONBLOCK = 0o4000;
