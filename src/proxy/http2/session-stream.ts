import type { HeaderMap } from "../http/header-map.ts";

/** Who takes what a peer sends on a stream. */
export interface StreamHandler {
  /** Fields that open the stream (server) or answer it (client), pseudo-headers included; 1xx too. */
  onFields(headers: HeaderMap, endStream: boolean, size: number): void;
  onBody(bytes: Buffer, start: number, end: number): void;
  onEnd(trailers: HeaderMap | undefined): void;
  /** The stream ended before its end; -1 when the connection did. */
  onReset(code: number): void;
  /** What was held back has been sent. */
  onWritable(): void;
}

/** One stream's state; its handler is set by who owns it. */
export class SessionStream {
  handler: StreamHandler | undefined;
  sendWindow: number;
  /** Bytes that the peer may send, and those it has sent that we have not yet given back. */
  receiveWindow: number;
  unacknowledged = 0;
  paused = false;
  headersSeen = false;
  remoteEnded = false;
  localEnded = false;
  queue: Buffer[] | undefined;
  queuedEnd = false;
  queuedTrailers: HeaderMap | undefined;
  /** Nothing of the queue has gone since then; 0 when that is not known. */
  stalledSince = 0;
  /** The source was told to wait. */
  blocked = false;
  /** Server: when the peer opened it, in the clock's milliseconds. */
  openedAt = 0;
  /** content-length, and what has come of it; -1 without. */
  expected = -1;
  received = 0;

  constructor(
    readonly id: number,
    sendWindow: number,
    receiveWindow: number,
  ) {
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }
}

/** Who owns a session: a server's connection or a client's. */
export interface SessionOwner {
  /** Server: a peer opens a stream. */
  onStream?(stream: SessionStream): StreamHandler;
  /** Client: the peer takes no streams above `lastId`. */
  onGoaway?(lastId: number, code: number): void;
  /** The peer's settings are known: from now on its limits count. */
  onSettings?(): void;
  /** Server: the peer resets this stream. True when it has done so too often for the connection to stay. */
  isAbuse?(stream: SessionStream): boolean;
  /** Client: all that one read brought has been delivered. */
  onBatchEnd?(): void;
  /** A stream is gone from the session. */
  onStreamGone(): void;
  onSessionClosed(error: Error | undefined): void;
}
