import { check, libc } from "./libc.ts";
import { AF_INET, AF_INET6, SOCKADDR_IN6, writeSocketAddress } from "./socket-address.ts";
import { closeFd, setSocketOption, SocketOption } from "./socket-options.ts";

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;
/** Node's default: the kernel caps it by net.core.somaxconn. */
const BACKLOG = 511;

/**
 * A listening TCP socket in the calling thread's network namespace, for `Bun.listen({fd})` or a net.Server's
 * `listen({fd})`. `host` is an IP address. Throws SystemError: EADDRINUSE, EACCES below the unprivileged ports.
 */
export function listenTcp(host: string, port: number): number {
  return bound(SOCK_STREAM, host, port, (fd) => check(libc().listen(fd, BACKLOG), `listen ${host}:${port}`));
}

/** A bound UDP socket in the calling thread's network namespace, for `Bun.udpSocket({fd})`. Throws SystemError. */
export function bindUdp(host: string, port: number): number {
  return bound(SOCK_DGRAM, host, port, () => {});
}

function bound(type: number, host: string, port: number, finish: (fd: number) => void): number {
  const c = libc();
  const fd = check(c.socket(host.includes(":") ? AF_INET6 : AF_INET, type | NONBLOCK_CLOEXEC, 0), "socket");
  try {
    if (type === SOCK_STREAM) setSocketOption(fd, SocketOption.REUSE_ADDRESS, 1);
    const address = new Uint8Array(SOCKADDR_IN6);
    const length = writeSocketAddress(address, host, port);
    check(c.bind(fd, address, length), `bind ${host}:${port}`);
    finish(fd);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}
