import { Errno, SystemError } from "./errno.ts";
import { check, cString, lastErrno, libc, O_CLOEXEC, O_NONBLOCK } from "./libc.ts";

export const POLLIN = 1;
export const POLLOUT = 4;
export const POLLERR = 8;
export const POLLHUP = 16;

const F_DUPFD_CLOEXEC = 1030;
const F_GETFL = 3;
const F_SETFL = 4;
const LOCK_EX = 2;
const LOCK_NB = 4;
const F_SETPIPE_SZ = 1031;
const MFD_CLOEXEC = 1;

// struct pollfd {int fd; short events; short revents}
const pollBytes = new ArrayBuffer(8);
const poll32 = new Int32Array(pollBytes);
const poll16 = new Int16Array(pollBytes);

/** Returned events, 0 when `milliseconds` passed. Repeats after a signal, without counting the time already spent. */
export function pollFd(fd: number, events: number, milliseconds: number): number {
  for (;;) {
    poll32[0] = fd;
    poll16[2] = events;
    poll16[3] = 0;
    const result = libc().poll(poll32, 1, milliseconds);
    if (result >= 0) return poll16[3] ?? 0;
    const errno = lastErrno();
    if (errno !== Errno.EINTR) throw new SystemError(errno, "poll");
  }
}

/** A close-on-exec pipe. */
export function createPipe(): { readFd: number; writeFd: number } {
  const pair = new Int32Array(2);
  check(libc().pipe2(pair, O_CLOEXEC), "pipe2");
  return { readFd: pair[0] ?? -1, writeFd: pair[1] ?? -1 };
}

/**
 * Takes the lock of an open file for this process, without waiting; false when another has it. It ends with the
 * descriptor or the process. Throws SystemError.
 */
export function tryLock(fd: number): boolean {
  if (libc().flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
  const errno = lastErrno();
  if (errno === Errno.EAGAIN || errno === Errno.EINTR) return false;
  throw new SystemError(errno, "flock");
}

/** Asks for a bigger pipe. One that stays as it is, since the user has many already, works as well, only slower. */
export function growPipe(fd: number, bytes: number): void {
  libc().fcntl(fd, F_SETPIPE_SZ, bytes);
}

/** A close-on-exec file in memory, without a name, that holds `bytes`; it is gone with its last descriptor. */
export function createMemoryFile(name: string, bytes: Uint8Array): number {
  const fd = check(libc().memfd_create(cString(name), MFD_CLOEXEC), "memfd_create");
  writeAll(fd, bytes);
  return fd;
}

/** Gives a pipe or file to a user: who opens it anew, as by /dev/stdout, needs to own it. Throws SystemError. */
export function changeOwner(fd: number, uid: number, gid: number): void {
  check(libc().fchown(fd, uid, gid), "fchown");
}

export function duplicateFd(fd: number): number {
  return check(libc().fcntl(fd, F_DUPFD_CLOEXEC, 0), `dup ${fd}`);
}

export function setNonBlocking(fd: number): void {
  const flags = check(libc().fcntl(fd, F_GETFL, 0), "fcntl F_GETFL");
  check(libc().fcntl(fd, F_SETFL, flags | O_NONBLOCK), "fcntl F_SETFL");
}

/** One read, blocking the thread for at most `milliseconds`. Empty at the end of the file; undefined when time is up. */
export function readBlocking(fd: number, maximum: number, milliseconds: number): Uint8Array | undefined {
  if (pollFd(fd, POLLIN, milliseconds) === 0) return undefined;
  const buffer = new Uint8Array(maximum);
  const count = check(Number(libc().read(fd, buffer, maximum)), "read");
  return buffer.subarray(0, count);
}

/** One write to a non-blocking descriptor: the count taken, 0 when it is full. Throws EPIPE when no reader is left. */
export function writeSome(fd: number, bytes: Uint8Array): number {
  const count = Number(libc().write(fd, bytes, bytes.length));
  if (count >= 0) return count;
  const errno = lastErrno();
  if (errno === Errno.EAGAIN) return 0;
  throw new SystemError(errno, "write");
}

/** Writes all of it, blocking. Throws EPIPE when the other end is gone. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length;) {
    const rest = bytes.subarray(offset);
    offset += check(Number(libc().write(fd, rest, rest.length)), "write");
  }
}
