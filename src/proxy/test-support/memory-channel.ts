import { Channel } from "../net/channel.ts";
import type { BunSocket } from "../net/bun-socket.ts";

/** A channel on a socket that only remembers: for codecs without a network. */
export class MemoryChannel extends Channel {
  readonly written: Buffer[];
  readonly events: string[];

  constructor() {
    const written: Buffer[] = [];
    const events: string[] = [];
    const socket = {
      write(data: Uint8Array, offset = 0, length = data.length - offset) {
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
  }

  get text(): string {
    return Buffer.concat(this.written).toString("latin1");
  }
}
