import { check, libc } from "./libc.ts";

/** [level, name] of the integer options used here. */
export const SocketOption = {
  REUSE_ADDRESS: [1, 2],
  ERROR: [1, 4],
  /** Bytes that wait to be read; the kernel doubles it for its own needs, and adjusts it no more once it was set. */
  RECEIVE_BUFFER: [1, 8],
  KEEP_ALIVE: [1, 9],
  /** Needs CAP_NET_ADMIN in the user namespace that owns the socket's network namespace. */
  MARK: [1, 36],
  /** Takes the ephemeral port at connect instead of bind, so that ports are shared across destinations. */
  BIND_ADDRESS_NO_PORT: [0, 24],
  TCP_NO_DELAY: [6, 1],
} as const satisfies Record<string, readonly [number, number]>;

type Option = (typeof SocketOption)[keyof typeof SocketOption];

const SHUT_WR = 1;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
/** Where tcpi_min_rtt is in struct tcp_info of linux/tcp.h, counted in words; since Linux 4.6. */
const MIN_RTT = 37;
const TCP_INFO_BYTES = (MIN_RTT + 1) * 4;
// One scratch per thread is enough: calls are synchronous, and the kernel keeps no pointer.
const value = new Int32Array(1);
const length = new Uint32Array(1);
const tcpInfo = new Uint32Array(TCP_INFO_BYTES / 4);

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

/** The shortest round trip that the connection has seen, in microseconds; undefined for what is no TCP connection. */
export function shortestRoundTrip(fd: number): number | undefined {
  length[0] = TCP_INFO_BYTES;
  const failed = libc().getsockopt(fd, IPPROTO_TCP, TCP_INFO, tcpInfo, length) < 0;
  return failed || (length[0] ?? 0) < TCP_INFO_BYTES ? undefined : (tcpInfo[MIN_RTT] ?? 0);
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
