/** Below it, asking costs more than the garbage collector. */
const GIVE_BACK_FROM = 16 * 1024;

/**
 * Gives the memory of a chunk that nobody keeps back at once, so that the next one comes into the same, which is still in the
 * processor's cache: Bun reads each chunk into memory of its own, up to 512 KB, and left to the garbage collector a gigabyte
 * of traffic is a gigabyte of fresh pages. The chunk is empty afterwards. A view of a part is left alone: others may be
 * looking at the rest.
 */
export function giveBack(chunk: Buffer): void {
  if (chunk.length < GIVE_BACK_FROM) return;
  const { buffer } = chunk;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === chunk.length) buffer.transfer(0);
}
