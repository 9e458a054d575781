import { Errno, SystemError } from "./errno.ts";
import { lastErrno, libc } from "./libc.ts";
import { formatIPv4, SOCKADDR_IN6 } from "./socket-address.ts";

export interface SocketAddress {
  ip: string;
  port: number;
}

const SOL_IP = 0;
const SO_ORIGINAL_DST = 80;
const address = new Uint8Array(SOCKADDR_IN6);
const length = new Uint32Array(1);

/**
 * Where an accepted IPv4 connection was bound for before nft redirected it; undefined when nothing redirected it. Works
 * for a v4-mapped connection on a `::` listener too. Throws SystemError for a descriptor that is not a TCP socket.
 */
export function originalDestination(fd: number): SocketAddress | undefined {
  length[0] = SOCKADDR_IN6;
  if (libc().getsockopt(fd, SOL_IP, SO_ORIGINAL_DST, address, length) < 0) {
    const errno = lastErrno();
    // ENOENT: no conntrack entry. ENOPROTOOPT: conntrack has never been used in this namespace.
    if (errno === Errno.ENOENT || errno === Errno.ENOPROTOOPT) return undefined;
    throw new SystemError(errno, "getsockopt SO_ORIGINAL_DST");
  }
  const view = new DataView(address.buffer);
  return { ip: formatIPv4(view.getUint32(4)), port: view.getUint16(2) };
}
