/**
 * The program behind both hops. HTTP/1.1: `/` is 1 KB, `/hold/N` answers when N requests wait, `/large/N` is N MB. The
 * second port speaks HTTP/2 in plain text and answers every gRPC call with 1 KB. Prints both ports.
 */
import { Http2Connection, type Http2Stream } from "../../src/proxy/grpc/http2.ts";

const BODY = "x".repeat(1024);
const MEGABYTE = Buffer.alloc(1024 * 1024, "y");
let held: ((response: Response) => void)[] = [];

const http = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  idleTimeout: 0,
  fetch(request) {
    const [, kind, number] = new URL(request.url).pathname.split("/");
    if (kind === "hold") return hold(Number(number));
    if (kind === "large") return large(Number(number));
    return new Response(BODY);
  },
});

/** As many connections as requests are needed, since none ends before all have come. */
function hold(count: number): Promise<Response> {
  const { promise, resolve } = Promise.withResolvers<Response>();
  held.push(resolve);
  if (held.length === count) {
    for (const answer of held) answer(new Response("held"));
    held = [];
  }
  return promise;
}

function large(megabytes: number): Response {
  let left = megabytes;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (left-- > 0) controller.enqueue(MEGABYTE);
      else controller.close();
    },
  });
  return new Response(body, { headers: { "content-length": String(megabytes * MEGABYTE.length) } });
}

const MESSAGE = Buffer.concat([Buffer.from([0, 0, 0, BODY.length >> 8, BODY.length & 255]), Buffer.from(BODY)]);
const grpc = Bun.listen<Http2Connection>({
  port: 0,
  hostname: "127.0.0.1",
  socket: {
    binaryType: "buffer",
    open(socket) {
      const sink = { write: (bytes: Uint8Array) => socket.write(bytes), end: () => void socket.end() };
      socket.data = new Http2Connection("server", sink, {
        closed() {},
        stream: (stream) => ({ headers() {}, data: (_chunk, end) => void (end && answer(stream)), reset() {} }),
      });
    },
    data: (socket, bytes) => socket.data.receive(bytes),
    drain: (socket) => socket.data.drained(),
    end: (socket) => void socket.end(),
    close: (socket) => socket.data.ended("closed"),
  },
});
console.log(`${http.port} ${grpc.port}`);

function answer(stream: Http2Stream): void {
  stream.sendHeaders([
    [":status", "200"],
    ["content-type", "application/grpc"],
  ]);
  stream.sendData(MESSAGE);
  stream.sendHeaders([["grpc-status", "0"]], true);
}
