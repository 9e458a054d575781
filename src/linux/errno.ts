import { ChainmailError } from "../base/index.ts";

/** The errno values (asm-generic, the same on x86-64 and arm64) that this project meets, with strerror's text. */
const ERRNO: Record<number, [name: string, text: string]> = {
  1: ["EPERM", "operation not permitted"],
  2: ["ENOENT", "no such file or directory"],
  3: ["ESRCH", "no such process"],
  4: ["EINTR", "interrupted system call"],
  5: ["EIO", "input/output error"],
  6: ["ENXIO", "no such device or address"],
  9: ["EBADF", "bad file descriptor"],
  11: ["EAGAIN", "resource temporarily unavailable"],
  12: ["ENOMEM", "cannot allocate memory"],
  13: ["EACCES", "permission denied"],
  16: ["EBUSY", "device or resource busy"],
  17: ["EEXIST", "file exists"],
  18: ["EXDEV", "the path leads out"],
  19: ["ENODEV", "no such device"],
  20: ["ENOTDIR", "not a directory"],
  21: ["EISDIR", "is a directory"],
  22: ["EINVAL", "invalid argument"],
  23: ["ENFILE", "too many open files in system"],
  24: ["EMFILE", "too many open files"],
  28: ["ENOSPC", "no space left on device"],
  30: ["EROFS", "read-only file system"],
  32: ["EPIPE", "broken pipe"],
  34: ["ERANGE", "numerical result out of range"],
  36: ["ENAMETOOLONG", "file name too long"],
  38: ["ENOSYS", "function not implemented"],
  40: ["ELOOP", "too many levels of symbolic links"],
  71: ["EPROTO", "protocol error"],
  90: ["EMSGSIZE", "message too long"],
  92: ["ENOPROTOOPT", "protocol not available"],
  93: ["EPROTONOSUPPORT", "protocol not supported"],
  95: ["EOPNOTSUPP", "operation not supported"],
  97: ["EAFNOSUPPORT", "address family not supported by protocol"],
  98: ["EADDRINUSE", "address already in use"],
  99: ["EADDRNOTAVAIL", "cannot assign requested address"],
  100: ["ENETDOWN", "network is down"],
  101: ["ENETUNREACH", "network is unreachable"],
  103: ["ECONNABORTED", "software caused connection abort"],
  104: ["ECONNRESET", "connection reset by peer"],
  105: ["ENOBUFS", "no buffer space available"],
  107: ["ENOTCONN", "transport endpoint is not connected"],
  110: ["ETIMEDOUT", "connection timed out"],
  111: ["ECONNREFUSED", "connection refused"],
  113: ["EHOSTUNREACH", "no route to host"],
  114: ["EALREADY", "operation already in progress"],
  115: ["EINPROGRESS", "operation now in progress"],
};

/** A failed system call. `code` is errno's name, as Node's own errors have it: `ECONNREFUSED`. */
export class SystemError extends ChainmailError {
  constructor(
    readonly errno: number,
    /** What was tried, with its operand: `connect 10.244.0.5:8080`. */
    readonly operation: string,
    options: { hint?: string } = {},
  ) {
    super(errnoName(errno), `${operation}: ${ERRNO[errno]?.[1] ?? `errno ${errno}`} (${errnoName(errno)})`, options);
  }
}

/** `ECONNREFUSED` for 111; `ERRNO_<n>` for a value outside the table. */
export function errnoName(errno: number): string {
  return ERRNO[errno]?.[0] ?? `ERRNO_${errno}`;
}

export const Errno = { EINTR: 4, ENOENT: 2, EAGAIN: 11, EEXIST: 17, EXDEV: 18, EINVAL: 22, ENOPROTOOPT: 92, EINPROGRESS: 115, ECONNREFUSED: 111 } as const;
