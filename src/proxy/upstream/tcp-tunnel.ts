import type { ResponseSink, UpstreamStream } from "../http/codec.ts";
import { HeaderMap, type RequestHead } from "../http/header-map.ts";
import type { Channel, ChannelHandler } from "../net/channel.ts";
import { closed, open, type PoolTarget } from "./pool-connections.ts";
import type { PoolWaiter, UpstreamPool } from "./pool.ts";

/** Where a CONNECT ends here: each has a TCP connection to the host of its own, and its bytes go on as they are. */
export class TcpTunnels implements UpstreamPool {
  #connecting = 0;

  constructor(private readonly target: PoolTarget) {}

  acquire(waiter: PoolWaiter): (() => void) | undefined {
    const { target } = this;
    const { cluster, host } = target;
    if (cluster.load.connections >= cluster.limits.maxConnections) {
      cluster.stats.upstream_cx_overflow++;
      waiter.onPoolFailure("overflow", "", host);
      return undefined;
    }
    this.#connecting++;
    const cancel = open(target, {
      onConnected: ({ channel, localText, tls }) => {
        this.#connecting--;
        waiter.onPoolReady({ stream: new TcpTunnel(channel, () => closed(target, channel)), version: 1, localText, tls }, host);
      },
      onConnectFailure: (reason, detail) => {
        this.#connecting--;
        waiter.onPoolFailure(reason, detail, host);
      },
    });
    return () => {
      this.#connecting--;
      cancel();
    };
  }

  sweep(): boolean {
    return this.#connecting === 0;
  }

  drain(): void {}
}

/** One tunnel: the connection's bytes as the body of an answer that is always 200. */
class TcpTunnel implements UpstreamStream, ChannelHandler {
  #sink: ResponseSink | undefined;
  /** What came before the client's side was told of the answer. */
  #early: Buffer[] | undefined = [];
  #ended = false;

  constructor(
    private readonly channel: Channel,
    private readonly gone: () => void,
  ) {
    channel.handler = this;
  }

  send(_head: RequestHead, _endStream: boolean, sink: ResponseSink): number {
    this.#sink = sink;
    // Not in this call: the caller is in the middle of sending.
    queueMicrotask(() => this.#answer());
    return 0;
  }

  writeBody(bytes: Uint8Array, start: number, end: number): boolean {
    return this.channel.write(bytes, start, end);
  }

  writeEnd(): void {
    this.channel.finish();
  }

  flush(): void {
    this.channel.flush();
  }

  pauseResponse(): void {
    this.channel.pause();
  }

  resumeResponse(): void {
    this.channel.resume();
  }

  abandon(): void {
    this.#sink = undefined;
    this.channel.reset();
  }

  onData(chunk: Buffer): boolean {
    if (this.#early) {
      this.#early.push(chunk);
      return false;
    }
    const spent = this.#sink?.onResponseBody(chunk, 0, chunk.length) ?? true;
    this.#sink?.onBatchEnd();
    return spent;
  }

  onEnd(): void {
    this.#ended = true;
    if (!this.#early) this.#end();
  }

  onDrain(): void {
    this.#sink?.onUpstreamWritable();
  }

  onClose(error: Error | undefined): void {
    this.gone();
    const sink = this.#sink;
    this.#sink = undefined;
    if (!sink) return;
    if (error) sink.onUpstreamReset("connection_termination", "");
    else sink.onResponseEnd(undefined);
  }

  #answer(): void {
    this.#sink?.onResponseHead(200, new HeaderMap(), false, 0);
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const chunk of early) this.onData(chunk);
    if (this.#ended) this.#end();
  }

  #end(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.onResponseEnd(undefined);
    this.channel.close();
  }
}
