import { FakeClock } from "../../base/index.ts";
import type { RequestSink, ServerHandler, ServerStream } from "../http/codec.ts";
import { Http1Server } from "../http/h1-server.ts";
import { DEFAULT_LIMITS } from "../http/head-parser.ts";
import { HeaderMap, type RequestHead } from "../http/header-map.ts";
import type { MessageError } from "../http/message-error.ts";
import { MemoryChannel } from "./memory-channel.ts";

export interface CollectedRequest {
  readonly head: RequestHead;
  body: string;
  complete: boolean;
  trailers: HeaderMap | undefined;
}

/** An HTTP/1 server that takes every request, answers it with 200 when it is whole, and remembers all of it. */
export class CollectingServer implements ServerHandler {
  readonly channel = new MemoryChannel();
  readonly clock = new FakeClock();
  readonly requests: CollectedRequest[] = [];
  readonly codec: Http1Server;
  error: MessageError | undefined;

  constructor(options: { acceptHttp10?: boolean; headTimeoutMs?: number } = {}) {
    this.codec = new Http1Server(this.channel, this, {
      limits: DEFAULT_LIMITS,
      acceptHttp10: options.acceptHttp10 ?? false,
      clock: this.clock,
      headTimeoutMs: options.headTimeoutMs,
    });
  }

  /** Delivers bytes in pieces that end at the given offsets. */
  async receive(bytes: Buffer, cuts: readonly number[] = []): Promise<void> {
    let from = 0;
    for (const cut of [...cuts, bytes.length]) {
      if (cut > from) this.codec.onData(bytes.subarray(from, cut));
      from = Math.max(from, cut);
      // What is pipelined is read after the response before it.
      await Promise.resolve();
    }
    for (let i = 0; i < 50; i++) await Promise.resolve();
  }

  onRequest(head: RequestHead, stream: ServerStream, endStream: boolean): RequestSink {
    const request: CollectedRequest = { head, body: "", complete: endStream, trailers: undefined };
    this.requests.push(request);
    const answer = (): void => void stream.writeHead(200, new HeaderMap(), true, false);
    if (endStream) answer();
    return {
      onBody(bytes, start, end) {
        request.body += bytes.toString("latin1", start, end);
        return true;
      },
      onRequestEnd: (trailers) => {
        request.complete = true;
        request.trailers = trailers;
        answer();
      },
      onRequestReset: (error) => {
        this.error = error;
        stream.reset("protocol_error");
      },
      onWritable: () => {},
    };
  }

  onHeadTimeout(stream: ServerStream): void {
    stream.writeHead(408, new HeaderMap(), true, true);
  }
  onBadRequest(error: MessageError, stream: ServerStream): void {
    this.error = error;
    stream.writeHead(error.status, new HeaderMap(), true, true);
  }
  onIdle(): void {}
  onConnectionClosed(): void {}
}
