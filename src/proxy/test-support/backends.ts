import type { Socket } from "bun";

export interface Echo {
  readonly method: string;
  readonly path: string;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
  readonly by: string;
}

export interface Backend {
  readonly port: number;
  stop(): void;
}

/** An HTTP server that answers with what it was asked, as JSON. `x-want-status` and `x-want-headers` steer it. */
export function echoServer(name = "echo"): Backend & { readonly seen: Echo[] } {
  const seen: Echo[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const url = new URL(request.url);
      const echo: Echo = {
        method: request.method,
        path: url.pathname + url.search,
        headers: Object.fromEntries(request.headers),
        body: await request.text(),
        by: name,
      };
      seen.push(echo);
      return Response.json(echo, { status: Number(request.headers.get("x-want-status") ?? 200) });
    },
  });
  return { port: server.port as number, seen, stop: () => void server.stop(true) };
}

/** A TCP server that does with each connection what the test says. */
export function rawServer(handler: {
  data?: (socket: Socket<unknown>, chunk: Buffer) => void;
  open?: (socket: Socket<unknown>) => void;
  end?: (socket: Socket<unknown>) => void;
}): Backend {
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      binaryType: "buffer",
      open: (socket) => handler.open?.(socket),
      data: (socket, chunk) => handler.data?.(socket, chunk),
      end(socket) {
        if (handler.end) handler.end(socket);
        else socket.end();
      },
      close() {},
      error() {},
    },
  });
  return { port: server.port, stop: () => server.stop(true) };
}

/** A port on which nothing listens. */
export function closedPort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = server;
  server.stop(true);
  return port;
}
