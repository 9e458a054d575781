import { setSocketOption, shortestRoundTrip, SocketOption } from "../../linux/index.ts";

/** A connection that brings so much in one read carries bulk. Sidecars' ordinary requests and responses are smaller. */
export const BULK = 16 * 1024;

/** Between machines of one zone it is rarely less. With READ_AHEAD a connection of this round trip still carries 2 GB/s. */
const NEAR_MICROS = 200;

/**
 * What may wait to be read from a peer that is near. The kernel would let it grow to 32 MB, all of which goes through the
 * processor's cache before it is read, and Bun would read 512 KB at once into three places, which is more than the cache
 * next to a core holds. Of 64 KB to 512 KB, 192 to 300 KB cost least: a sixth less CPU than without a limit.
 */
const READ_AHEAD = 256 * 1024;

/** Called once for a connection that carries bulk. A peer far away needs a buffer that grows with the distance. */
export function limitReadAhead(fd: number): void {
  const micros = shortestRoundTrip(fd);
  if (micros !== undefined && micros < NEAR_MICROS) setSocketOption(fd, SocketOption.RECEIVE_BUFFER, READ_AHEAD);
}
