import { afterAll, describe, expect, test } from "bun:test";
import { connectMarked, connectResult, waitConnected } from "./connect.ts";
import { SystemError } from "./errno.ts";
import { listenTcp } from "./listen.ts";
import { originalDestination } from "./original-destination.ts";
import { closeFd } from "./socket-options.ts";

// Every call of Bun with a descriptor that the project relies on has a test here: none of them is documented.

const { promise: gotFin, resolve: onFin } = Promise.withResolvers<string>();
let received = "";
const server = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  allowHalfOpen: true,
  socket: {
    open: (socket) => void socket.write(`hello ${socket.remoteAddress}`),
    data: (_socket, chunk) => void (received += chunk.toString()),
    end: (socket) => {
      onFin(received);
      socket.write("bye");
      socket.shutdown();
    },
  },
});
afterAll(() => server.stop(true));

describe("connect", () => {
  test("a descriptor with a chosen source address is adopted by Bun.connect, and half-closes", async () => {
    const fd = connectMarked("127.0.0.1", server.port, 0, { bindAddress: "127.0.0.6" });
    expect(connectResult(fd)).toEqual({ state: "connected" });
    expect(originalDestination(fd)).toBeUndefined();
    const { promise, resolve } = Promise.withResolvers<string>();
    let text = "";
    const options = {
      fd,
      allowHalfOpen: true,
      socket: {
        open(socket: Bun.Socket) {
          socket.write("ping");
          socket.shutdown();
        },
        data: (_socket: Bun.Socket, chunk: Buffer) => void (text += chunk.toString()),
        close: () => resolve(text),
        end: (socket: Bun.Socket) => socket.end(),
      },
    };
    await Bun.connect(options as unknown as Bun.TCPSocketConnectOptions<undefined>);
    expect(await gotFin).toBe("ping");
    expect(await promise).toBe("hello 127.0.0.6bye");
  });

  test("a refusal is told by connectResult, not by connect", () => {
    const fd = connectMarked("127.0.0.1", 1, 0);
    const result = waitConnected(fd, 1000, "127.0.0.1:1");
    expect(result.state).toBe("failed");
    if (result.state === "failed") {
      expect(result.error.code).toBe("ECONNREFUSED");
      expect(result.error.message).toBe("connect 127.0.0.1:1: connection refused (ECONNREFUSED)");
    }
    closeFd(fd);
  });

  test("an address that is not one's own cannot be the source", () => {
    expect(() => connectMarked("127.0.0.1", server.port, 0, { bindAddress: "203.0.113.9" })).toThrow(SystemError);
  });

  test("a listening descriptor is adopted by Bun.listen", async () => {
    // Bun does not know an adopted listener's port: one is chosen, on a loopback address of this test's own.
    const fd = listenTcp("127.81.3.1", 18080);
    const options = { fd, socket: { open: (socket: Bun.Socket) => void socket.end("adopted"), data() {} } };
    const listener = Bun.listen(options as unknown as Bun.TCPSocketListenOptions<undefined>);
    const { promise, resolve } = Promise.withResolvers<string>();
    await Bun.connect({ hostname: "127.81.3.1", port: 18080, socket: { data: (_socket, chunk) => resolve(chunk.toString()) } });
    expect(await promise).toBe("adopted");
    listener.stop(true);
  });

  test("a port in use is EADDRINUSE", () => {
    expect(() => listenTcp("127.0.0.1", server.port)).toThrow("EADDRINUSE");
  });
});
