import { Channel } from "../net/channel.ts";
import type { BunSocket } from "../net/bun-socket.ts";

/** A channel on a socket that only remembers: for codecs without a network. */
export class MemoryChannel extends Channel {
  readonly written: Buffer[];
  readonly events: string[];
  readonly #peer: { reads: boolean };

  constructor() {
    const peer = { reads: true };
    const written: Buffer[] = [];
    const events: string[] = [];
    const socket = {
      write(data: Uint8Array, offset = 0, length = data.length - offset) {
        if (!peer.reads) return 0;
        written.push(Buffer.from(data.subarray(offset, offset + length)));
        return length;
      },
      end: () => events.push("end"),
      shutdown: () => events.push("shutdown"),
      terminate: () => events.push("terminate"),
      pause: () => events.push("pause"),
      resume: () => events.push("resume"),
    } as unknown as BunSocket;
    super(socket, (error) => {
      throw error;
    });
    this.written = written;
    this.events = events;
    this.#peer = peer;
  }

  /** The peer stops reading: the socket takes nothing any more. Or it goes on. */
  peerReads(reads: boolean): void {
    this.#peer.reads = reads;
    if (reads) this.socketDrained();
  }

  get text(): string {
    return Buffer.concat(this.written).toString("latin1");
  }
}
