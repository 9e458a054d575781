import { describe, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createHttpServer, request } from "node:http";
import { connectMarked } from "../../linux/index.ts";
import { connected, duplexOver } from "./socket-duplex.ts";

async function withServer<T>(onConnection: (socket: Socket) => void, use: (port: number) => Promise<T>): Promise<T> {
  const server: Server = createServer({ allowHalfOpen: true }, onConnection);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  try {
    return await use(typeof address === "object" && address ? address.port : 0);
  } finally {
    server.close();
  }
}

async function dial(port: number) {
  return duplexOver(await connected(connectMarked("127.0.0.1", port, 0), `127.0.0.1:${port}`));
}

describe("duplex over a descriptor", () => {
  test("half-closes: the answer comes after the client's end", async () => {
    const answer = await withServer(
      (socket) => {
        let text = "";
        socket.on("data", (chunk) => (text += chunk.toString()));
        socket.on("end", () => socket.end(`got ${text}`));
      },
      async (port) => {
        const duplex = await dial(port);
        duplex.end("question");
        let text = "";
        for await (const chunk of duplex) text += chunk.toString();
        return text;
      },
    );
    expect(answer).toBe("got question");
  });

  test("passes 8 MB both ways with backpressure", async () => {
    const size = 8 * 1024 * 1024;
    const count = await withServer(
      (socket) => void socket.pipe(socket),
      async (port) => {
        const duplex = await dial(port);
        const block = Buffer.alloc(64 * 1024, 7);
        void (async () => {
          for (let sent = 0; sent < size; sent += block.length) if (!duplex.write(block)) await new Promise((resolve) => duplex.once("drain", resolve));
          duplex.end();
        })();
        let total = 0;
        for await (const chunk of duplex) {
          total += chunk.length;
          if (total % (1024 * 1024) === 0) await Bun.sleep(1);
        }
        return total;
      },
    );
    expect(count).toBe(size);
  });

  test("a reset is an error, a refusal is told with its address", async () => {
    await withServer(
      (socket) => void setTimeout(() => socket.resetAndDestroy(), 5),
      async (port) => {
        const duplex = await dial(port);
        const error = await new Promise<NodeJS.ErrnoException>((resolve) => duplex.on("error", resolve).resume());
        expect(error.code).toBe("ECONNRESET");
      },
    );
    await expect(dial(1)).rejects.toThrow("connect 127.0.0.1:1: connection refused (ECONNREFUSED)");
  });

  test("carries http.request by createConnection", async () => {
    const server = createHttpServer((incoming, response) => response.end(`path ${incoming.url}`));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const duplex = await dial(typeof address === "object" && address ? address.port : 0);
    const body = await new Promise<string>((resolve, reject) => {
      request({ path: "/x", host: "pod", createConnection: () => duplex as Socket }, async (response) => {
        let text = "";
        for await (const chunk of response) text += String(chunk);
        resolve(text);
      })
        .on("error", reject)
        .end();
    });
    expect(body).toBe("path /x");
    server.close();
  });
});
