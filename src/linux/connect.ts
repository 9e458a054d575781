import { Errno, SystemError } from "./errno.ts";
import { pollFd, POLLOUT, POLLERR, POLLHUP } from "./files.ts";
import { lastErrno, libc } from "./libc.ts";
import { AF_INET, AF_INET6, SOCKADDR_IN6, writeSocketAddress } from "./socket-address.ts";
import { closeFd, getSocketOption, setSocketOption, SocketOption } from "./socket-options.ts";

export interface ConnectOptions {
  /** Source address; its port is chosen at connect, so ports do not run out per source. */
  bindAddress?: string;
}

export type ConnectResult = { state: "connected" } | { state: "connecting" } | { state: "failed"; error: SystemError };

const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const scratch = new Uint8Array(SOCKADDR_IN6);

/**
 * Starts a non-blocking TCP connection with a socket mark (0 for none) and returns its descriptor, for
 * `Bun.connect({fd})`. Ask `connectResult` right after: for a peer on the same machine the answer is already there.
 * `host` is an IP address. Throws SystemError: EPERM when the mark is not allowed, ENETUNREACH without a route.
 */
export function connectMarked(host: string, port: number, mark: number, options: ConnectOptions = {}): number {
  const c = libc();
  const family = host.includes(":") ? AF_INET6 : AF_INET;
  const fd = c.socket(family, SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) throw new SystemError(lastErrno(), "socket");
  try {
    setSocketOption(fd, SocketOption.TCP_NO_DELAY, 1);
    if (mark !== 0) setSocketOption(fd, SocketOption.MARK, mark);
    if (options.bindAddress !== undefined) {
      setSocketOption(fd, SocketOption.BIND_ADDRESS_NO_PORT, 1);
      const length = writeSocketAddress(scratch, options.bindAddress, 0);
      if (c.bind(fd, scratch, length) < 0) throw new SystemError(lastErrno(), `bind ${options.bindAddress}`);
    }
    const length = writeSocketAddress(scratch, host, port);
    if (c.connect(fd, scratch, length) < 0) {
      const errno = lastErrno();
      if (errno !== Errno.EINPROGRESS) throw new SystemError(errno, `connect ${host}:${port}`);
    }
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/**
 * Where a non-blocking connect stands, without waiting. Reading it takes the pending error off the socket, so ask until
 * it is no longer "connecting" and then no more. `what` names the peer in the error.
 */
export function connectResult(fd: number, what = "peer"): ConnectResult {
  return waitConnected(fd, 0, what);
}

/** As connectResult, but blocks the thread for at most `milliseconds`. Only for threads that may block. */
export function waitConnected(fd: number, milliseconds: number, what = "peer"): ConnectResult {
  const ready = pollFd(fd, POLLOUT, milliseconds);
  if ((ready & (POLLOUT | POLLERR | POLLHUP)) === 0) return { state: "connecting" };
  const errno = getSocketOption(fd, SocketOption.ERROR);
  if (errno !== 0) return { state: "failed", error: new SystemError(errno, `connect ${what}`) };
  return { state: "connected" };
}
