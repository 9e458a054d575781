import { afterAll, describe, expect, test } from "bun:test";
import { connect, createServer, type Socket } from "node:net";
import { newSide, relayHandlers, type Side } from "./relay.ts";

const closers: (() => void)[] = [];
afterAll(() => closers.forEach((close) => close()));

/** A relay on loopback to a server with this behaviour; gives the relay's port. */
async function relayTo(onConnection: (socket: Socket) => void, maxConnections = 10): Promise<{ port: number; refused: string[] }> {
  const server = createServer({ allowHalfOpen: true }, onConnection);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  const address = server.address();
  return relayToPort(typeof address === "object" && address ? address.port : 0, maxConnections);
}

function relayToPort(target: number, maxConnections = 10): { port: number; refused: string[] } {
  const refused: string[] = [];
  const relay = Bun.listen<Side>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: relayHandlers({
      maxConnections,
      connect: (accepted, handlers) =>
        Bun.connect<Side>({ hostname: "127.0.0.1", port: target, data: newSide(accepted), allowHalfOpen: true, socket: handlers }),
      onRefused: (reason) => refused.push(reason),
    }),
  });
  closers.push(() => relay.stop(true));
  return { port: relay.port, refused };
}

/** To the other side's FIN. Not by `for await`, which would close both ways at the end. */
function read(socket: Socket): Promise<string> {
  let text = "";
  return new Promise((resolve, reject) => {
    socket.on("data", (chunk) => (text += chunk.toString()));
    socket.on("end", () => resolve(text)).on("error", reject);
  });
}

describe("relay", () => {
  test("a client that has finished still gets the whole answer", async () => {
    const { port } = await relayTo((socket) => void read(socket).then((text) => socket.end(`got ${text}`)));
    const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    client.end("question");
    expect(await read(client)).toBe("got question");
  });

  test("a server that speaks first is heard, and may finish first", async () => {
    const { port } = await relayTo((socket) => {
      socket.end("banner");
      socket.on("data", (chunk) => expect(chunk.toString()).toBe("late"));
    });
    const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    expect(await read(client)).toBe("banner");
    client.end("late");
  });

  test("16 MB arrive whole at a reader that is slow", async () => {
    const size = 16 * 1024 * 1024;
    const { port } = await relayTo((socket) => void socket.end(Buffer.alloc(size, 1)));
    const client = connect({ port, host: "127.0.0.1" });
    let total = 0;
    for await (const chunk of client) {
      total += (chunk as Buffer).length;
      if (total < 4 * 1024 * 1024) await Bun.sleep(1);
    }
    expect(total).toBe(size);
  });

  test("a reset of one side resets the other", async () => {
    const { port } = await relayTo((socket) => void socket.once("data", () => socket.resetAndDestroy()));
    const client = connect({ port, host: "127.0.0.1" });
    client.write("x");
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => client.on("error", resolve));
    expect(error.code).toBe("ECONNRESET");
  });

  test("a server that cannot be reached, and one connection too many, are refused", async () => {
    const nobody = relayToPort(1);
    const client = connect({ port: nobody.port, host: "127.0.0.1" });
    await new Promise((resolve) =>
      client
        .on("close", resolve)
        .on("error", () => {})
        .resume(),
    );
    expect(nobody.refused).toHaveLength(1);

    const { port, refused } = await relayTo((socket) => void socket.pipe(socket), 1);
    const first = connect({ port, host: "127.0.0.1" });
    first.write("a");
    await new Promise((resolve) => first.once("data", resolve));
    const second = connect({ port, host: "127.0.0.1" });
    await new Promise((resolve) =>
      second
        .on("close", resolve)
        .on("error", () => {})
        .resume(),
    );
    expect(refused).toEqual(["too many connections"]);
    first.destroy();
  });
});
