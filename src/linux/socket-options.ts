import { check, libc } from "./libc.ts";

/** [level, name] of the integer options used here. */
export const SocketOption = {
  REUSE_ADDRESS: [1, 2],
  ERROR: [1, 4],
  KEEP_ALIVE: [1, 9],
  /** Needs CAP_NET_ADMIN in the user namespace that owns the socket's network namespace. */
  MARK: [1, 36],
  /** Takes the ephemeral port at connect instead of bind, so that ports are shared across destinations. */
  BIND_ADDRESS_NO_PORT: [0, 24],
  TCP_NO_DELAY: [6, 1],
} as const satisfies Record<string, readonly [number, number]>;

type Option = (typeof SocketOption)[keyof typeof SocketOption];

const SHUT_WR = 1;
// One scratch per thread is enough: calls are synchronous, and the kernel keeps no pointer.
const value = new Int32Array(1);
const length = new Uint32Array(1);

/** Throws SystemError. */
export function setSocketOption(fd: number, option: Option, to: number): void {
  value[0] = to;
  check(libc().setsockopt(fd, option[0], option[1], value, 4), `setsockopt ${nameOf(option)}`);
}

/** Throws SystemError. */
export function getSocketOption(fd: number, option: Option): number {
  length[0] = 4;
  check(libc().getsockopt(fd, option[0], option[1], value, length), `getsockopt ${nameOf(option)}`);
  return value[0] ?? 0;
}

/** Sends a FIN and keeps reading. Throws ENOTCONN on a socket that is not connected. */
export function shutdownWrite(fd: number): void {
  check(libc().shutdown(fd, SHUT_WR), "shutdown");
}

/** Closes; an error (EBADF) is a bug of the caller and throws. */
export function closeFd(fd: number): void {
  check(libc().close(fd), `close ${fd}`);
}

function nameOf(option: Option): string {
  return Object.entries(SocketOption).find(([, known]) => known === option)?.[0] ?? option.join("/");
}
