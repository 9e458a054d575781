import type { ChannelHandler } from "../net/channel.ts";

/** The far end of a relayed connection: a connection of its own, or a tunnel through HTTP. */
export interface TcpUpstream {
  handler: ChannelHandler;
  readonly closed: boolean;
  readonly peerEnded: boolean;
  readonly congested: boolean;
  /** False asks for a pause until `onDrain`; true says as well that the bytes were not kept. */
  write(bytes: Uint8Array): boolean;
  pause(): void;
  resume(): void;
  /** Sends FIN. */
  finish(): void;
  close(): void;
  reset(): void;
}
