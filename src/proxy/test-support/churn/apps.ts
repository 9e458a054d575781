import { systemClock } from "../../../base/index.ts";
import type { RequestSink, ServerStream } from "../../http/codec.ts";
import { Http1Server } from "../../http/h1-server.ts";
import { DEFAULT_LIMITS } from "../../http/head-parser.ts";
import { HeaderMap, type RequestHead } from "../../http/header-map.ts";
import { bunNet, type BunListener, type BunSocket, type SocketEvents } from "../../net/bun-socket.ts";
import { Channel } from "../../net/channel.ts";

/** Applications behind a proxy. Each byte that reaches them is shown to `watch` before anything else. */
export class Apps {
  readonly http: BunListener;
  readonly tcp: BunListener;

  constructor(watch: (bytes: Buffer) => void) {
    this.http = listen((socket) => httpApp(socket), watch);
    this.tcp = listen((socket) => echoApp(socket), watch);
  }

  stop(): void {
    this.http.stop(true);
    this.tcp.stop(true);
  }
}

function listen(serve: (socket: BunSocket) => Channel, watch: (bytes: Buffer) => void): BunListener {
  const events: SocketEvents = {
    binaryType: "buffer",
    open(socket) {
      socket.data = serve(socket);
    },
    data(socket, chunk) {
      watch(chunk);
      (socket.data as Channel).socketData(chunk);
    },
    drain: (socket) => (socket.data as Channel).socketDrained(),
    end: (socket) => (socket.data as Channel).socketEnded(),
    close: (socket, error) => (socket.data as Channel).socketClosed(error),
    error: (socket, error) => (socket.data as Channel).socketFailed(error),
  };
  return bunNet.listen({ hostname: "127.0.0.1", port: 0, allowHalfOpen: true, socket: events });
}

function fault(error: Error): void {
  throw error;
}

function echoApp(socket: BunSocket): Channel {
  const channel = new Channel(socket, fault);
  channel.handler = {
    onData(chunk) {
      const flowing = channel.write(chunk);
      if (!flowing) channel.pause();
      return flowing;
    },
    onDrain: () => channel.resume(),
    onEnd: () => channel.finish(),
    onClose() {},
  };
  return channel;
}

const BIG = Buffer.alloc(300_000, "b");

/** Answers by the path: /ok, /big, /slow (later), /cut (half, then gone), /never. */
function httpApp(socket: BunSocket): Channel {
  const channel = new Channel(socket, fault);
  const answer = (head: RequestHead, stream: ServerStream): void => {
    if (channel.closed) return;
    const body = head.path.startsWith("/big") ? BIG : Buffer.from(head.path);
    stream.writeHead(200, HeaderMap.from([["content-length", String(body.length)]]), false, false);
    if (head.path.startsWith("/cut")) {
      stream.writeBody(body, 0, 2);
      stream.flush();
      channel.reset();
      return;
    }
    stream.writeBody(body, 0, body.length);
    stream.writeEnd(undefined);
  };
  void new Http1Server(
    channel,
    {
      onRequest(head, stream, endStream): RequestSink {
        const respond = (): void => {
          if (head.path.startsWith("/slow")) setTimeout(() => answer(head, stream), 30);
          else if (!head.path.startsWith("/never")) answer(head, stream);
        };
        if (endStream) respond();
        return { onBody: () => true, onRequestEnd: respond, onRequestReset() {}, onWritable() {} };
      },
      onBadRequest: (error, stream) => void stream.writeHead(error.status, new HeaderMap(), true, true),
      onHeadTimeout() {},
      onIdle() {},
      onConnectionClosed() {},
    },
    { limits: DEFAULT_LIMITS, acceptHttp10: false, clock: systemClock },
  );
  return channel;
}
