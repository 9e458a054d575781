import type { Channel, ChannelHandler } from "../net/channel.ts";
import { PREFACE } from "../http2/frames.ts";

/** What a chosen codec has in common: it has taken the channel over. */
export interface ServerCodec {
  readonly draining: boolean;
  drain(): void;
  /** About once a second: to see what has been waiting for too long, in monotonic milliseconds. */
  tick?(now: number): void;
}

/** `PRI * HTTP/2`: who begins so means HTTP/2, whatever follows. */
const TELLING = 12;

/** Holds the first bytes of a connection back until they show which HTTP it speaks. */
export class CodecChooser implements ChannelHandler, ServerCodec {
  #held: Buffer | undefined;
  #draining = false;

  constructor(
    private readonly channel: Channel,
    /** Makes the codec, which takes the channel over; it gets the bytes that were held back. */
    private readonly choose: (version: 1 | 2) => void,
    private readonly onGone: (error: Error | undefined) => void,
  ) {
    channel.handler = this;
  }

  get draining(): boolean {
    return this.#draining;
  }

  drain(): void {
    this.#draining = true;
    this.channel.close();
  }

  onData(chunk: Buffer): boolean {
    const bytes = this.#held ? Buffer.concat([this.#held, chunk]) : chunk;
    const have = Math.min(bytes.length, TELLING);
    const matches = bytes.subarray(0, have).equals(PREFACE.subarray(0, have));
    if (matches && have < TELLING) {
      this.#held = bytes;
      return false;
    }
    this.choose(matches ? 2 : 1);
    return this.channel.handler.onData(bytes);
  }

  onEnd(): void {
    this.channel.abort();
  }

  onDrain(): void {}

  onClose(error: Error | undefined): void {
    this.onGone(error);
  }
}
